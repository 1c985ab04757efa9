# SPDX-License-Identifier: Apache-2.0
"""Endorses proposals: checks them, simulates them, signs what came of it.

::

    SignedProposal ──► unpacked ──► valid? ──► may propose? ──► definition ──► simulated ──► signed
                          gRPC status Unknown                     ProposalResponse of status 500
"""
