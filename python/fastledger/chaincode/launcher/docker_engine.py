# SPDX-License-Identifier: Apache-2.0
"""The few calls of the Docker Engine API that chaincode needs, over HTTP on its socket.

Blocking: callers use a thread. https://docs.docker.com/reference/api/engine/
"""

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from fastledger.common.errors import ChaincodeError

API = "/v1.41"
"""Of Docker 20.10; newer engines speak it, too."""

TIMEOUT_S = 600.0
"""Longest silence of the engine: an image is being built."""

MAX_ANSWER_BYTES = 64 * 1024 * 1024
NOT_FOUND = 404
CONFLICT = 409


class DockerError(ChaincodeError):
    """The engine refused a call; ``status`` is HTTP's."""

    def __init__(self, status: int, text: str) -> None:
        """Keep the engine's text."""
        super().__init__(text)
        self.status = status


class _Connection(http.client.HTTPConnection):
    """HTTP over a Unix domain socket."""

    def __init__(self, path: str, timeout_s: float | None) -> None:
        super().__init__("docker", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """One Docker engine."""

    def __init__(self, endpoint: str = "unix:///var/run/docker.sock") -> None:
        """Know where it is: core.yaml's ``vm.endpoint``.

        Raises:
            ChaincodeError: It is no Unix domain socket.
        """
        scheme, _, path = endpoint.partition("://")
        if scheme != "unix" or not path:
            raise ChaincodeError(
                f"vm.endpoint is {endpoint!r}; only unix://PATH is done by fastledger"
            )
        self._path = path

    def ping(self) -> None:
        """See that it answers (``/healthz`` asks this)."""
        self.call("GET", "/_ping")

    def image_exists(self, name: str) -> bool:
        """Whether an image is there."""
        try:
            self.call("GET", f"/images/{quote(name, safe=':/')}/json")
        except DockerError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    def build(self, name: str, context: bytes, labels: Mapping[str, str]) -> None:
        """Build an image from a tar with a Dockerfile.

        Raises:
            DockerError: A step failed; the text is its output's end.
        """
        query = {"t": name, "labels": json.dumps(labels), "rm": "1", "forcerm": "1"}
        # "host" is the engine's network: a build fetches the chaincode's dependencies.
        query["networkmode"] = "host"
        said = self.call("POST", f"/build?{urlencode(query)}", context, "application/x-tar")
        for line in said.splitlines():
            step = json.loads(line)
            if "error" in step:
                raise DockerError(500, f"building image {name}: {step['error']}")

    def create(self, name: str, config: Mapping[str, Any]) -> str:
        """Create a container; return its id."""
        made = self.call("POST", f"/containers/create?{urlencode({'name': name})}", config)
        return str(json.loads(made)["Id"])

    def put_archive(self, container: str, archive: bytes) -> None:
        """Unpack a tar at a container's root."""
        self.call("PUT", f"/containers/{container}/archive?path=/", archive, "application/x-tar")

    def start(self, container: str) -> None:
        """Start a container."""
        self.call("POST", f"/containers/{container}/start")

    def wait(self, container: str) -> int:
        """Wait for a container's end, however long; return its exit status."""
        ended = self.call("POST", f"/containers/{container}/wait", timeout_s=None)
        return int(json.loads(ended)["StatusCode"])

    def last_output(self, container: str, lines: int) -> str:
        """The end of what a container printed."""
        raw = self.call("GET", f"/containers/{container}/logs?stdout=1&stderr=1&tail={lines}")
        text = b""
        # Frames: stream, three zero bytes, length of what follows.
        while len(raw) >= _FRAME_HEADER:
            length = int.from_bytes(raw[4:_FRAME_HEADER], "big")
            text += raw[_FRAME_HEADER : _FRAME_HEADER + length]
            raw = raw[_FRAME_HEADER + length :]
        return text.decode("utf-8", "replace").strip()

    def remove(self, container: str) -> None:
        """End and remove a container; harmless when it is gone."""
        try:
            try:
                self.call("DELETE", f"/containers/{container}?force=1&v=1")
            except DockerError as error:
                if error.status != CONFLICT:
                    raise
                # It is being removed already, and has its name until that is done.
                self.call("POST", f"/containers/{container}/wait?condition=removed")
        except DockerError as error:
            if error.status != NOT_FOUND:
                raise

    def call(
        self,
        method: str,
        path: str,
        body: bytes | Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        timeout_s: float | None = TIMEOUT_S,
    ) -> bytes:
        """Make one call and read all of its answer.

        Raises:
            DockerError: It was refused.
            ChaincodeError: There is no engine.
        """
        connection = _Connection(self._path, timeout_s)
        data = json.dumps(body).encode() if isinstance(body, Mapping) else body
        try:
            connection.request(method, API + path, data, {"Content-Type": content_type})
            response = connection.getresponse()
            answer = response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise ChaincodeError(
                f"no Docker engine answers at unix://{self._path}: {error}; start it, or let "
                "chaincode run in processes"
            ) from error
        finally:
            connection.close()
        if response.status >= _REFUSED:
            raise DockerError(response.status, f"docker: {_message(answer)}")
        return answer


_FRAME_HEADER = 8
_REFUSED = 400


def _message(answer: bytes) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.decode("utf-8", "replace")
