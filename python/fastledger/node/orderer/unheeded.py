# SPDX-License-Identifier: Apache-2.0
"""Keys of Fabric's orderer.yaml that have no effect on an orderer here, and why not."""

from fastledger.common.catalogue import Unheeded

_ALONE = "an orderer is the only one of its channels, and connects to no other"
_HSM = "keys are read from files, never from a security module"
_PROFILER = "it is a setting of Go's profiler"
_TRACES = "requests are not written to files"
_STATSD = "metrics are served to prometheus, and not sent to statsd"
_OLDER = "Fabric 2 does not have it any more"
_LOGGING = "FABRIC_LOGGING_SPEC sets the log levels, as in Fabric since 1.4"
_TIME = "certificates are judged by the time that it is"
_ROOTS = "what clients' certificates have to come from is ClientRootCAs"

_CURRENT = {
    "General.TLS.RootCAs": Unheeded(_ALONE),
    "General.TLS.TLSHandshakeTimeShift": Unheeded(_TIME),
    "General.Keepalive.ServerMinInterval": Unheeded("a client may ping as often as it likes"),
    "General.ConnectionTimeout": Unheeded("a TLS handshake may take 10 s"),
    "General.Backoff.BaseDelay": Unheeded(_ALONE),
    "General.Backoff.Multiplier": Unheeded(_ALONE),
    "General.Backoff.MaxDelay": Unheeded(_ALONE),
    "General.MaxSendMsgSize": Unheeded("what is sent is bounded by MaxRecvMsgSize, too"),
    "General.Cluster.ListenAddress": Unheeded(_ALONE),
    "General.Cluster.ListenPort": Unheeded(_ALONE),
    "General.Cluster.ServerPrivateKey": Unheeded(_ALONE),
    "General.Cluster.ClientCertificate": Unheeded(_ALONE),
    "General.Cluster.ClientPrivateKey": Unheeded(_ALONE),
    "General.Cluster.RootCAs": Unheeded(_ALONE),
    "General.Cluster.DialTimeout": Unheeded(_ALONE, idle=("5s",)),
    "General.Cluster.RPCTimeout": Unheeded(_ALONE, idle=("7s",)),
    "General.Cluster.ReplicationBufferSize": Unheeded(_ALONE, idle=(20_971_520,)),
    "General.Cluster.ReplicationPullTimeout": Unheeded(_ALONE, idle=("5s",)),
    "General.Cluster.ReplicationRetryTimeout": Unheeded(_ALONE, idle=("5s",)),
    "General.Cluster.ReplicationBackgroundRefreshInterval": Unheeded(_ALONE, idle=("5m",)),
    "General.Cluster.ReplicationMaxRetries": Unheeded(_ALONE, idle=(12,)),
    "General.Cluster.ReplicationPolicy": Unheeded(_ALONE, idle=("consensus",)),
    "General.Cluster.SendBufferSize": Unheeded(_ALONE, idle=(10, 100)),
    "General.Cluster.CertExpirationWarningThreshold": Unheeded(_ALONE, idle=("168h",)),
    "General.Cluster.TLSHandshakeTimeShift": Unheeded(_ALONE),
    "General.Profile.Enabled": Unheeded(_PROFILER),
    "General.Profile.Address": Unheeded(_PROFILER),
    "General.BCCSP.SW.FileKeyStore.KeyStore": Unheeded("keys are those of LocalMSPDir"),
    "General.BCCSP.PKCS11.*": Unheeded(_HSM),
    "General.BCCSP.PLUGIN.*": Unheeded(_HSM),
    "FileLedger.Prefix": Unheeded(
        "Fabric does not read it either", idle=("hyperledger-fabric-ordererledger",)
    ),
    "Debug.BroadcastTraceDir": Unheeded(_TRACES),
    "Debug.DeliverTraceDir": Unheeded(_TRACES),
    "Operations.TLS.RootCAs": Unheeded(_ROOTS),
    "Operations.TLS.TLSHandshakeTimeShift": Unheeded(_TIME),
    "Admin.TLS.RootCAs": Unheeded(_ROOTS),
    "Admin.TLS.TLSHandshakeTimeShift": Unheeded(_TIME),
    "Metrics.Statsd.Network": Unheeded(_STATSD),
    "Metrics.Statsd.Address": Unheeded(_STATSD),
    "Metrics.Statsd.WriteInterval": Unheeded(_STATSD),
    "Metrics.Statsd.Prefix": Unheeded(_STATSD),
    "Consensus.*": Unheeded("the block files are the only log of an orderer that is alone"),
}

_FORMER = {
    "Kafka.TLS.ClientAuthRequired": Unheeded("the orderer is the client", idle=(False,)),
    "Kafka.TLS.ClientRootCAs": Unheeded("the orderer is the client"),
    "Kafka.TLS.TLSHandshakeTimeShift": Unheeded(_TIME),
    "Kafka.Retry.LongTotal": Unheeded("it is tried until it succeeds", idle=("12h",)),
    "Kafka.Retry.NetworkTimeouts.WriteTimeout": Unheeded(
        "what is written is answered within ReadTimeout", idle=("10s",)
    ),
    "Kafka.Retry.Metadata.RetryMax": Unheeded("it is tried until it succeeds", idle=(3,)),
    "General.LedgerType": Unheeded("blocks are kept in files", idle=("file",)),
    "General.LogLevel": Unheeded(_LOGGING, idle=("info",)),
    "General.LogFormat": Unheeded(_LOGGING),
    "General.GenesisProfile": Unheeded(_OLDER, idle=("SampleInsecureSolo",)),
    "General.SystemChannel": Unheeded(_OLDER, idle=("testchainid",)),
    "RAMLedger.*": Unheeded("blocks are kept in files", idle=(1000,)),
}
"""Keys that Fabric had before 3."""

UNHEEDED = _CURRENT | _FORMER
