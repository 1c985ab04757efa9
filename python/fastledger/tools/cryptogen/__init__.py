# SPDX-License-Identifier: Apache-2.0
"""cryptogen: keys and certificates for test networks, from a crypto-config.yaml.

The folder trees, file names and certificates are those of Fabric's cryptogen, so everything that
reads them (peers, orderers, SDKs, scripts) takes these.
"""
