# SPDX-License-Identifier: Apache-2.0
"""Fabric's messages taken apart: blocks, transactions, identities."""
