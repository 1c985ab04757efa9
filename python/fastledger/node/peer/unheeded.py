# SPDX-License-Identifier: Apache-2.0
"""Keys of Fabric's core.yaml that have no effect on a peer here, and why not."""

from fastledger.common.catalogue import Unheeded

_PULLED = "every peer pulls its blocks from the orderers, and peers do not pass blocks on"
_PRIVATE = "private data is kept by the peers that endorse it, and not yet passed on or fetched"
_STATE = "state is kept in the peer's own database, which answers rich queries, too"
_HSM = "keys are read from files, never from a security module"
_IMAGE = "images are built on those of chaincode.builder and chaincode.*.runtime"
_PLUGIN = "a handler is part of the peer, never a Go plugin"
_RETRIES = "an orderer is tried again after 0.1 s, and later at most 10 s, however long it takes"
_ONE_ORDERER = "blocks come from one orderer at a time, and their signatures are checked"
_PURGES = "expired private data is deleted while blocks are committed"
_GO = "it is a setting of the Go runtime or its profiler"
_STATSD = "metrics are served to prometheus, and not sent to statsd"
_OLDER = "Fabric 2 does not have it any more"
_LOGGING = "FABRIC_LOGGING_SPEC sets the log levels, as in Fabric since 1.4"

_CURRENT = {
    "peer.addressAutoDetect": Unheeded("peer.address has to be the address that others use"),
    "peer.gateway.dialTimeout": Unheeded(
        "a peer that does not connect within 3 s is given up, and another one asked"
    ),
    "peer.keepalive.minInterval": Unheeded("a client may ping as often as it likes"),
    "peer.connectiontimeout": Unheeded("a TLS handshake may take 10 s"),
    "peer.maxSendMsgSize": Unheeded("what is sent is bounded by peer.maxRecvMsgSize, too"),
    "peer.gossip.useLeaderElection": Unheeded(_PULLED),
    "peer.gossip.orgLeader": Unheeded(_PULLED),
    "peer.gossip.nonBlockingCommitMode": Unheeded(_PULLED),
    "peer.gossip.membershipTrackerInterval": Unheeded("changes are logged when they are noticed"),
    "peer.gossip.maxBlockCountToStore": Unheeded(_PULLED),
    "peer.gossip.stateInfoRetentionInterval": Unheeded("news of a peer are kept while it lives"),
    "peer.gossip.skipBlockVerification": Unheeded("every block is verified"),
    "peer.gossip.recvBuffSize": Unheeded("what is received is handled at once"),
    "peer.gossip.election.*": Unheeded(_PULLED),
    "peer.gossip.pvtData.*": Unheeded(_PRIVATE, idle=(1000,)),
    "peer.gossip.state.*": Unheeded(_PULLED),
    "peer.tls.handshakeTimeShift": Unheeded("certificates are judged by the time that it is"),
    "peer.BCCSP.SW.FileKeyStore.KeyStore": Unheeded("keys are those of the MSP folder"),
    "peer.BCCSP.PKCS11.*": Unheeded(_HSM),
    "peer.BCCSP.PLUGIN.*": Unheeded(_HSM),
    "peer.deliveryclient.blockGossipEnabled": Unheeded(_PULLED, idle=(True,)),
    "peer.deliveryclient.reconnectTotalTimeThreshold": Unheeded(_RETRIES),
    "peer.deliveryclient.reConnectBackoffThreshold": Unheeded(_RETRIES),
    "peer.deliveryclient.minimalReconnectInterval": Unheeded(_RETRIES),
    "peer.deliveryclient.blockCensorshipTimeoutKey": Unheeded(_ONE_ORDERER),
    "peer.deliveryclient.policy": Unheeded(_ONE_ORDERER),
    "peer.profile.*": Unheeded(_GO),
    "peer.handlers.decorators": Unheeded(_PLUGIN, refused=True),
    "peer.handlers.endorsers.*": Unheeded(_PLUGIN, refused=True),
    "peer.handlers.validators.*": Unheeded(_PLUGIN, refused=True),
    "vm.docker.tls.*": Unheeded("Docker's engine is reached through its socket, without TLS"),
    "vm.docker.attachStdout": Unheeded("what containers write is in the logs of Docker"),
    "vm.docker.hostConfig.BlkioWeight": Unheeded("Fabric does not read it either"),
    "chaincode.id.*": Unheeded("a chaincode's name comes from its package"),
    "chaincode.pull": Unheeded("Docker pulls the images that it does not have"),
    "chaincode.golang.runtime": Unheeded(_IMAGE),
    "chaincode.golang.dynamicLink": Unheeded(_IMAGE),
    "chaincode.logging.format": Unheeded("chaincodes' log lines have the format of their shims"),
    "chaincode.system.*": Unheeded("there is no such system chaincode", idle=("enable", "disable")),
    "ledger.blockchain": Unheeded("Fabric does not read it either"),
    "ledger.state.stateDatabase": Unheeded(_STATE),
    "ledger.state.couchDBConfig.*": Unheeded(_STATE, idle=(10_000, 1)),
    "ledger.pvtdataStore.collElgProcMaxDbBatchSize": Unheeded(_PRIVATE),
    "ledger.pvtdataStore.collElgProcDbBatchesInterval": Unheeded(_PRIVATE),
    "ledger.pvtdataStore.deprioritizedDataReconcilerInterval": Unheeded(_PRIVATE),
    "ledger.pvtdataStore.purgeInterval": Unheeded(_PURGES),
    "ledger.pvtdataStore.purgedKeyAuditLogging": Unheeded("purged keys are not listed in the log"),
    "metrics.statsd.*": Unheeded(_STATSD),
    "orderer.*": Unheeded("a command's flags say how to reach an orderer"),
}

_FORMER = {
    "logging.*": Unheeded(_LOGGING, idle=("info", "warning", "error")),
    "peer.gomaxprocs": Unheeded(_GO, idle=(-1,)),
    "peer.adminService.*": Unheeded("administrators call peer.listenAddress"),
    "peer.adminService": Unheeded("administrators call peer.listenAddress"),
    "peer.events.*": Unheeded("events are delivered at peer.listenAddress", idle=("0.0.0.0:7053",)),
    "peer.limits.concurrency.qscc": Unheeded("endorserService bounds qscc, too", idle=(5000,)),
    "chaincode.peerAddress": Unheeded("it is chaincodeAddress since Fabric 1.1"),
    "chaincode.car.*": Unheeded(_OLDER),
    "chaincode.java.Dockerfile": Unheeded(_IMAGE),
    "chaincode.systemPlugins": Unheeded(_PLUGIN, refused=True),
    "metrics.enabled": Unheeded("it is metrics.provider since Fabric 1.4", idle=(False,)),
    "metrics.reporter": Unheeded("it is metrics.provider since Fabric 1.4", idle=("statsd",)),
    "metrics.interval": Unheeded(_STATSD, idle=("1s",)),
    "metrics.statsdReporter.*": Unheeded(_STATSD, idle=("0.0.0.0:8125", "2s", 1432)),
    "metrics.promReporter.*": Unheeded(_STATSD, idle=("0.0.0.0:8080",)),
}
"""Keys that Fabric had before 2.5."""

UNHEEDED = _CURRENT | _FORMER
