# SPDX-License-Identifier: Apache-2.0
"""The chaincode of the recording: its sources, and the packages that were installed.

A 1.4 command line writes the name of whoever packages into the package, ours and Fabric's newer
ones do not. So the recorded package is installed, in a file, where it counts; everything that
depends on its hash can then be compared, commit hashes included.
"""

import gzip
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from fastledger.protos.peer.chaincode_pb2 import ChaincodeDeploymentSpec
from transcripts.recording import Step


class Sources:
    """What the recorded peer answered for ``lscc.getdepspec``, in files."""

    def __init__(self, steps: Sequence[Step], folder: Path) -> None:
        """Write the sources below ``folder``, which is a GOPATH then."""
        answer = next(step.stdout for step in steps if "getdepspec" in str(step.argv))
        self._spec = ChaincodeDeploymentSpec.FromString(bytes.fromhex(answer.strip()))
        self._folder = folder
        plain = io.BytesIO(gzip.decompress(self._spec.code_package))
        with tarfile.open(fileobj=plain) as archive:
            archive.extractall(folder, filter="data")

    def translated(self, step: Step) -> tuple[str, ...]:
        """Install from a file what the real command line installed from its sources."""
        if step.code or step.argv[1:3] != ("chaincode", "install") or "-p" not in step.argv:
            return step.argv
        version = step.argv[step.argv.index("-v") + 1]
        package = self._folder / f"mycc-{version}.package"
        self._spec.chaincode_spec.chaincode_id.version = version
        package.write_bytes(self._spec.SerializeToString())
        start = step.argv.index("-n")
        end = step.argv.index("-p") + 2
        return (*step.argv[:start], *step.argv[end:], str(package))
