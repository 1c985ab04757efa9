# SPDX-License-Identifier: Apache-2.0
"""A peer: its rooms built from ``core.yaml`` and joined."""
