# SPDX-License-Identifier: Apache-2.0
"""Consensus of one orderer (Fabric 1.4: ``orderer/consensus/solo``)."""
