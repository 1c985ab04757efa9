# SPDX-License-Identifier: Apache-2.0
"""The chain of an orderer that is no consenter (Fabric: ``orderer/common/follower``)."""
