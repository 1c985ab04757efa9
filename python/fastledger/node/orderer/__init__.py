# SPDX-License-Identifier: Apache-2.0
"""An orderer: its rooms built from ``orderer.yaml`` and joined."""
