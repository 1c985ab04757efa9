# SPDX-License-Identifier: Apache-2.0
"""``fastledger discover``: what a peer's discovery service knows, as Fabric's ``discover`` asks."""
