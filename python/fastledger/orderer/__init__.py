# SPDX-License-Identifier: Apache-2.0
"""The ordering service: messages in, blocks out.

::

    Broadcast ──► msgprocessor ──► consensus ──► blockwriter ──► block files ──► Deliver
                  may it? how?     in which      hash, sign      durable         who may,
                  REJECTED         order?        number                          sees it

One channel is a :class:`~fastledger.orderer.multichannel.chainsupport.ChainSupport`; the
:class:`~fastledger.orderer.multichannel.registrar.Registrar` has them all.
"""
