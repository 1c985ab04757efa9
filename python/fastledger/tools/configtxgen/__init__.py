# SPDX-License-Identifier: Apache-2.0
"""configtxgen: genesis blocks and channel transactions from a configtx.yaml.

The file is taken as Fabric 1.4 to 3.1 take it: system channels with consortiums and their channel
creation transactions as well as application channels, solo, Kafka, etcdraft and BFT.
"""
