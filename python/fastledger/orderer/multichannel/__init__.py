# SPDX-License-Identifier: Apache-2.0
"""The channels of an orderer (Fabric: ``orderer/common/multichannel``)."""
