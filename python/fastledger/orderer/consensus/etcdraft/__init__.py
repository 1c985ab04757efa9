# SPDX-License-Identifier: Apache-2.0
"""Raft consensus: what its configurations must be, and the chain of a single consenter."""
