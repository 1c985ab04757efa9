# SPDX-License-Identifier: Apache-2.0
"""The peer's side of chaincode: finding the code, starting it, and talking to it.

::

    endorser ── execute ──► support ── launch ──► launcher (process, external, docker, dev)
                               │                      │ starts, or dials
                               ▼                      ▼
                            handler ◄── core ◄── ChaincodeMessage stream ──► chaincode
                               │          │ public state: simulations of the core
                               ▼          ▼
                            requests ──► TxSimulator (of the ledger)

The chaincode's side is :mod:`fastledger.shim`.
"""
