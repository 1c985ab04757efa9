# SPDX-License-Identifier: Apache-2.0
"""``peer lifecycle chaincode``: packages and definitions, as Fabric 2.x and 3.x agree on them."""
