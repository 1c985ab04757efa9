# SPDX-License-Identifier: Apache-2.0
"""Fabric's offline tools: cryptogen, configtxgen and configtxlator."""
