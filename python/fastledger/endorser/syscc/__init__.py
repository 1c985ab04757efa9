# SPDX-License-Identifier: Apache-2.0
"""Chaincodes that are part of the peer: cscc, qscc, lscc and ``_lifecycle``."""
