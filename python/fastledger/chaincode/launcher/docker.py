# SPDX-License-Identifier: Apache-2.0
"""Chaincode in Docker containers, with Fabric's names.

An image is ``networkid-peerid-name-version-hash``, built once from the package's code on a base
image of the chaincode's language, labelled, and used again whenever it is there; the container
is ``networkid-peerid-name-version`` and dials the peer's chaincode address.
"""

import asyncio
import hashlib
import io
import re
import tarfile
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from fastledger.chaincode.launcher.builder import PeerConnection
from fastledger.chaincode.launcher.cause import Cause, ending
from fastledger.chaincode.launcher.docker_engine import Engine
from fastledger.chaincode.launcher.instance import Instance, Serve, Start
from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import ChaincodeError

LABEL = "org.hyperledger.fabric"
LAST_LINES = 20

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9\-_.]")
_IMAGE = re.compile(r"[a-z0-9]+(?:(?:[._-][a-z0-9]+)+)?")
_TLS = "/etc/hyperledger/fabric"


@dataclass(frozen=True, slots=True)
class Language:
    """How one language is built and run in a container."""

    dockerfile: str
    """What follows FROM and the labels; the code is in ``code/``."""

    command: tuple[str, ...]
    """``{address}`` stands for where the peer is."""


_NODE_START = (
    "if [ -x /chaincode/start.sh ]; then exec /chaincode/start.sh --peer.address {address}; fi; "
    "cd /usr/local/src && exec npm start -- --peer.address {address}"
)
LANGUAGES: Mapping[str, Language] = {
    "node": Language(
        "COPY code/src /usr/local/src\nRUN cd /usr/local/src && npm install --omit=dev\n",
        ("/bin/sh", "-c", _NODE_START),
    ),
    "golang": Language(
        "COPY code /chaincode/input\n"
        "RUN cd /chaincode/input/src && CGO_ENABLED=0 go build -o /usr/local/bin/chaincode .\n",
        ("chaincode", "-peer.address={address}"),
    ),
    "java": Language(
        "COPY code/src /chaincode/input/src\n"
        "RUN cd /chaincode && ./build.sh && cp -r /chaincode/output/. /root/chaincode-java/\n",
        ("/root/chaincode-java/start", "--peerAddress", "{address}"),
    ),
    "python": Language(
        "COPY code/src /chaincode\nWORKDIR /chaincode\nENV PYTHONPATH=/chaincode:$PYTHONPATH\n",
        ("python3", "-m", "fastledger.shim", "start", "chaincode", "--peer.address", "{address}"),
    ),
}


@dataclass(frozen=True, slots=True)
class DockerConfig:
    """core.yaml's ``vm`` and ``chaincode.*.runtime``."""

    base_images: Mapping[str, str]
    """Image to build on, by language; Fabric's are ``fabric-ccenv``, ``fabric-nodeenv``, …"""

    endpoint: str = "unix:///var/run/docker.sock"
    network_id: str = ""
    peer_id: str = ""
    host_config: Mapping[str, object] = field(default_factory=dict)
    """``vm.docker.hostConfig``, as the engine takes it: NetworkMode, Memory, …"""


def image_name(config: DockerConfig, ccid: str) -> str:
    """Name a chaincode's image as Fabric does.

    Raises:
        ChaincodeError: Docker would not take the name.

    Example:
        >>> image_name(DockerConfig({}, network_id="dev", peer_id="p0"), "basic:1.0")[:19]
        'dev-p0-basic-1.0-09'
    """
    name = _full_name(config, ccid).replace(":", "-")
    digest = hashlib.sha256(name.encode()).hexdigest()
    image = f"{_NOT_IN_NAMES.sub('-', name)}-{digest}".lower()
    if not _IMAGE.fullmatch(image):
        raise ChaincodeError(
            f"Error constructing Docker VM Name. '{image}' breaks Docker's repository naming rules"
        )
    return image


def container_name(config: DockerConfig, ccid: str) -> str:
    """Name a chaincode's container as Fabric does."""
    return _NOT_IN_NAMES.sub("-", _full_name(config, ccid))


def _full_name(config: DockerConfig, ccid: str) -> str:
    return "-".join(part for part in (config.network_id, config.peer_id, ccid) if part)


class DockerLauncher:
    """Builds images and starts containers, which dial the peer."""

    def __init__(self, config: DockerConfig, connection: PeerConnection) -> None:
        """Nothing is built or started yet.

        Args:
            config: Names, images, limits.
            connection: Where containers find the peer, and with which certificates.

        Raises:
            ChaincodeError: The endpoint cannot be used.
        """
        self._config = config
        self._connection = connection
        self._engine = Engine(config.endpoint)

    async def build(self, ccid: str, package: ChaincodePackage) -> Start:
        """Build the image if it is not there.

        Raises:
            ChaincodeError: No engine, no base image, or a step of the build failed.
        """
        language = LANGUAGES.get(package.type)
        if language is None:
            raise ChaincodeError(f"chaincode of type {package.type!r} is not run in Docker")
        image = image_name(self._config, ccid)
        await asyncio.to_thread(self._build, ccid, image, package, language)

        async def start(serve: Serve) -> Instance:
            """Start a container, which dials the peer's chaincode address, where everybody may."""
            del serve
            name = container_name(self._config, ccid)
            await asyncio.to_thread(self._start, ccid, name, image, language)
            return _Container(self._engine, name)

        return start

    def _build(self, ccid: str, image: str, package: ChaincodePackage, language: Language) -> None:
        if not self._engine.image_exists(image):
            labels = {f"{LABEL}.chaincode.type": package.type.upper(), f"{LABEL}.ccid": ccid}
            self._engine.build(image, self._build_context(package, language), labels)

    def _start(self, ccid: str, name: str, image: str, language: Language) -> None:
        # A container that an earlier peer left has the name.
        self._engine.remove(name)
        address = self._connection.address
        self._engine.create(
            name,
            {
                "Image": image,
                "Cmd": [part.format(address=address) for part in language.command],
                "Env": self._environment(ccid),
                "Labels": {f"{LABEL}.ccid": ccid},
                "HostConfig": dict(self._config.host_config),
            },
        )
        try:
            if self._connection.client_cert:
                self._engine.put_archive(name, _tar(self._tls_files()))
            self._engine.start(name)
        except ChaincodeError:
            self._engine.remove(name)
            raise

    def _build_context(self, package: ChaincodePackage, language: Language) -> bytes:
        base = self._config.base_images.get(package.type)
        if not base:
            raise ChaincodeError(
                f"no base image is configured for chaincode of type {package.type}; set "
                f"chaincode.{package.type}.runtime"
            )
        files = {f"code/{name}": b"".join(entry.chunks()) for name, entry in package.files()}
        files["Dockerfile"] = f"FROM {base}\n{language.dockerfile}".encode()
        return _tar(files)

    def _environment(self, ccid: str) -> list[str]:
        connection = self._connection
        values = {
            "CORE_CHAINCODE_ID_NAME": ccid,
            "CORE_PEER_ADDRESS": connection.address,
            "CORE_PEER_LOCALMSPID": connection.mspid,
            "CORE_PEER_TLS_ENABLED": "true" if connection.client_cert else "false",
        }
        if connection.client_cert:
            values |= {
                "CORE_TLS_CLIENT_KEY_PATH": f"{_TLS}/client.key",
                "CORE_TLS_CLIENT_CERT_PATH": f"{_TLS}/client.crt",
                "CORE_TLS_CLIENT_KEY_FILE": f"{_TLS}/client_pem.key",
                "CORE_TLS_CLIENT_CERT_FILE": f"{_TLS}/client_pem.crt",
                "CORE_PEER_TLS_ROOTCERT_FILE": f"{_TLS}/peer.crt",
            }
        return [f"{name}={value}" for name, value in values.items()]

    def _tls_files(self) -> dict[str, bytes]:
        key, certificate = self._connection.client_key, self._connection.client_cert
        return {
            f"{_TLS}/client.key": b64encode(key.encode()),
            f"{_TLS}/client.crt": b64encode(certificate.encode()),
            f"{_TLS}/client_pem.key": key.encode(),
            f"{_TLS}/client_pem.crt": certificate.encode(),
            f"{_TLS}/peer.crt": self._connection.root_cert.encode(),
        }


class _Container:
    """A running container."""

    def __init__(self, engine: Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        # A thread of its own: it waits as long as the chaincode lives.
        self._waiter = ThreadPoolExecutor(1, thread_name_prefix="container")
        self._ended = asyncio.get_running_loop().run_in_executor(self._waiter, self._wait)

    async def wait(self) -> str:
        return await asyncio.shield(self._ended)

    def _wait(self) -> str:
        try:
            status = self._engine.wait(self._name)
            said = self._engine.last_output(self._name, LAST_LINES)
        except ChaincodeError as error:
            return str(error)
        cause = Cause()
        for line in said.splitlines():
            cause.look(line)
        return ending("the container", status, cause.text, said)

    async def stop(self) -> None:
        await asyncio.to_thread(self._engine.remove, self._name)
        self._waiter.shutdown(wait=False)


def _tar(files: Mapping[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size = len(content)
            entry.mode = 0o644
            archive.addfile(entry, io.BytesIO(content))
    return plain.getvalue()
