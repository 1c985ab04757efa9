# SPDX-License-Identifier: Apache-2.0
"""A whole network on one machine: ``fastledger up``.

::

    organizations/            identities, laid out as fabric-samples' test-network has them
    .fastledger/
        network.json          the plan
        configtx.yaml         what the channel was made of
        mychannel.block       its genesis block
        nodes/NAME/           core.yaml or orderer.yaml, env, log, pid, data/
"""
