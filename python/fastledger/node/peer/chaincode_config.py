# SPDX-License-Identifier: Apache-2.0
"""How a peer builds and runs chaincodes: ``chaincode`` and ``vm`` of core.yaml."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.launcher.builds import DEFAULT_TIMEOUT_S
from fastledger.chaincode.launcher.sandbox import Kind
from fastledger.common.settings import (
    entries,
    flag,
    mapping,
    seconds,
    section,
    switch,
    text,
    texts,
    whole,
)

DEV, PROCESS, DOCKER = "dev", "process", "docker"


@dataclass(frozen=True, slots=True)
class HostConfig:
    """``vm.docker.hostConfig``, as Docker's engine takes it."""

    CapAdd: tuple[str, ...] = texts("CapAdd", "Capabilities that containers get.")
    CapDrop: tuple[str, ...] = texts("CapDrop", "Capabilities that are taken from them.")
    CgroupParent: str = text("CgroupParent", "", "Control group that they are in.")
    CpuPeriod: int = whole("CpuPeriod", 0, "Microseconds of a period of CpuQuota.")
    CpuQuota: int = whole("CpuQuota", 0, "Microseconds of processor time in each period.")
    CpuShares: int = whole("CpuShares", 0, "Their weight where processors are busy.")
    CpusetCpus: str = text("CpusetCPUs", "", "Processors that they run on.")
    CpusetMems: str = text("CpusetMEMs", "", "Memory nodes that they use.")
    Dns: tuple[str, ...] = texts("Dns", "Name servers.")
    DnsSearch: tuple[str, ...] = texts("DnsSearch", "Domains that names are looked for in.")
    ExtraHosts: tuple[str, ...] = texts("ExtraHosts", "Lines for their hosts files.")
    IpcMode: str = text("IpcMode", "", "Namespace of their shared memory.")
    Memory: int = whole("Memory", 0, "Bytes that they may use.")
    MemorySwap: int = whole("MemorySwap", 0, "Bytes with swap.")
    MemorySwappiness: int = whole("MemorySwappiness", 0, "How willingly they are swapped out.")
    NetworkMode: str = text("NetworkMode", "", "Network that they are in.")
    OomKillDisable: bool = flag("OomKillDisable", False, "Let them wait where memory is out.")
    PidMode: str = text("PidMode", "", "Namespace of their processes.")
    ReadonlyRootfs: bool = flag("ReadonlyRootfs", False, "Let them write nowhere.")
    SecurityOpt: tuple[str, ...] = texts("SecurityOpt", "Security options.")
    UTSMode: str = text("UTSMode", "", "Namespace of their host name.")
    log_type: str = text("LogConfig.Type", "", "Docker's log driver.")
    log_options: Mapping[str, str] = mapping("LogConfig.Config", "Its options.")

    def given(self) -> dict[str, object]:
        """Return what is set, by the engine's names."""
        names = [name for name in HostConfig.__dataclass_fields__ if not name.startswith("log_")]
        values = {name: getattr(self, name) for name in names}
        found: dict[str, object] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value
        }
        if self.log_type:
            found["LogConfig"] = {"Type": self.log_type, "Config": dict(self.log_options)}
        return found


@dataclass(frozen=True, slots=True)
class DockerSettings:
    """Where containers run, and what on; of use where ``chaincode.runtime`` is docker."""

    endpoint: str = text("vm.endpoint", "unix:///var/run/docker.sock", "Docker's engine.")
    host: HostConfig = section("vm.docker.hostConfig", HostConfig)
    golang: str = text("chaincode.builder", "", "Image that Go chaincode is built on.")
    node: str = text("chaincode.node.runtime", "", "Image that Node chaincode runs on.")
    java: str = text("chaincode.java.runtime", "", "Image that Java chaincode runs on.")
    python: str = text("chaincode.python.runtime", "", "Image that Python chaincode runs on.")

    @property
    def images(self) -> dict[str, str]:
        """The images that are given, by language."""
        found = {name: getattr(self, name) for name in ("golang", "node", "java", "python")}
        return {language: image for language, image in found.items() if image}


@dataclass(frozen=True, slots=True)
class SystemChaincodes:
    """``chaincode.system``: the peer's own chaincodes, each of which can be left out."""

    cscc: bool = switch("cscc", "Let channels be joined and listed.")
    lscc: bool = switch("lscc", "Serve the lifecycle of Fabric 1.")
    qscc: bool = switch("qscc", "Answer queries of blocks and transactions.")
    lifecycle: bool = switch("_lifecycle", "Serve the lifecycle of Fabric 2.")

    def has(self, name: str) -> bool:
        """Tell whether one is to be served."""
        return bool(getattr(self, name.lstrip("_")))


@dataclass(frozen=True, slots=True)
class BuilderEntry:
    """An entry of ``chaincode.externalBuilders``.

    Raises:
        ValueError: It has no path or no name.
    """

    name: str = text("name", "", "What the log calls it.")
    path: str = text("path", "", "Folder that has bin/detect.")
    environment: tuple[str, ...] = texts("propagateEnvironment", "Variables that it sees.")
    old_environment: tuple[str, ...] = texts("environmentWhitelist", "The same in Fabric 2.0.")

    def __post_init__(self) -> None:
        """Insist on what Fabric insists on."""
        if not self.path or not self.name:
            raise ValueError("an external builder needs a name and a path")


@dataclass(frozen=True, slots=True)
class ChaincodeSettings:
    """How a peer runs chaincodes."""

    mode: str = text(
        "chaincode.mode", "net", "dev lets people start chaincodes by hand.", one_of=("net", DEV)
    )
    runtime: str = text(
        "chaincode.runtime",
        PROCESS,
        "What runs chaincode that no builder takes: sandboxed processes, or docker.",
        one_of=(PROCESS, DOCKER),
    )
    sandbox: str = text(
        "chaincode.process.sandbox",
        Kind.AUTO.value,
        "How processes are locked in; none for chaincode that you trust.",
        one_of=[kind.value for kind in Kind],
    )
    install_timeout_s: float = seconds(
        "chaincode.installTimeout", DEFAULT_TIMEOUT_S, "How long a build may take.", above=0
    )
    logging_level: str = text("chaincode.logging.level", "info", "Log level of chaincodes.")
    logging_shim: str = text("chaincode.logging.shim", "warning", "Log level of their shims.")
    builders: tuple[BuilderEntry, ...] = entries(
        "chaincode.externalBuilders",
        BuilderEntry,
        "External builders, tried in their order: name, path, propagateEnvironment.",
    )
    system: SystemChaincodes = section("chaincode.system", SystemChaincodes)
    docker: DockerSettings = section("", DockerSettings)
    limits: ChaincodeConfig = section("", ChaincodeConfig)

    @property
    def is_dev(self) -> bool:
        """Whether people start chaincodes by hand."""
        return self.mode == DEV
