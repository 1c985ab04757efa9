# SPDX-License-Identifier: Apache-2.0
"""The ways in which a chaincode comes to life.

========== ===================================================== =============================
process    a child process in a sandbox, the default             :mod:`.process`, :mod:`.sandbox`
external   a service that the peer dials, or a builder's program :mod:`.external`, :mod:`.builder`
docker     a container                                           :mod:`.docker`
dev        somebody starts it by hand, and it dials the peer     :mod:`.dev`
========== ===================================================== =============================

:class:`~fastledger.chaincode.launcher.router.Router` chooses by the package.
"""
