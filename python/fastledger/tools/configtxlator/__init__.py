# SPDX-License-Identifier: Apache-2.0
"""configtxlator: Fabric's messages as JSON and back, and the update between two configurations."""
