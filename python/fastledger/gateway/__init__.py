# SPDX-License-Identifier: Apache-2.0
"""The service ``gateway.Gateway``: a client talks to one peer, and the peer to everybody else."""
