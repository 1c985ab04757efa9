# SPDX-License-Identifier: Apache-2.0
"""The service ``discovery.Discovery``: peers, endorsers, and how a channel is made."""
