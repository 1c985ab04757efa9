# SPDX-License-Identifier: Apache-2.0
"""``fastledger up`` and what needs no flags on such a network."""
