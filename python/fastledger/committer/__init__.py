# SPDX-License-Identifier: Apache-2.0
"""Pulls blocks from the orderers and commits them.

::

    orderers ──► puller ──► deliver client ──► intake ──► thread: core, private data ──► loop:
                                                 ▲               │                       height,
                                                 └─ BlockRefused ┘                       events,
                                                                                         waiters

The core verifies what an orderer says of a block before it commits; an orderer that sends a block
that does not hold is left for another one.
"""
