# SPDX-License-Identifier: Apache-2.0
"""Chaincode definitions of 2.0 and later (``core/chaincode/lifecycle``).

::

    public state, namespace _lifecycle          an organization's implicit collection
      namespaces/metadata/<name>                  namespaces/metadata/<name>#<sequence>
      namespaces/fields/<name>/Sequence           namespaces/fields/<name>#<sequence>/…
      namespaces/fields/<name>/EndorsementInfo    chaincode-sources/metadata/<name>#<sequence>
      namespaces/fields/<name>/ValidationInfo     chaincode-sources/fields/<name>#…/PackageID
      namespaces/fields/<name>/Collections

An organization approves by writing a definition into its collection, of which the channel sees the
hashes; a definition is committed by writing it into the public state.
"""
