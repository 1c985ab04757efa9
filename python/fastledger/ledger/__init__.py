# SPDX-License-Identifier: Apache-2.0
"""A channel's ledger: the face of the core."""
