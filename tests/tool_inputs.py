# SPDX-License-Identifier: Apache-2.0
"""Messages of the kept corpora that tests translate, and what Fabric's configtxlator makes of them.

tests/vectors/tools/protolator.json has the SHA-256 of what `configtxlator proto_decode` of Fabric
v3.1.5 printed for each; null where it refused. `python tests/tool_inputs.py` makes it again, with
FABRIC_CONFIGTXLATOR set to Fabric's command. tests/interop compares with the command itself.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corpora import VECTORS, Corpus, archives

DIGESTS = VECTORS / "tools" / "protolator.json"

_GLOBS = {
    "v11": ("artifacts/*.tx", "artifacts/*.block", "mychannel/peer_*.block", "syschannel/*.block"),
    "v14": ("artifacts/*.tx", "artifacts/*.block", "mychannel/peer_*.block"),
    "small": ("blocks_peer/00000*.block", "blocks_peer/00003*.block"),
    "malformed": ("blocks_peer/*.block",),
}
CORPORA = tuple(_GLOBS)


def inputs(corpus: Corpus) -> Iterator[tuple[str, str, Path]]:
    """Yield the name, the type and the file of each message."""
    for glob in _GLOBS[corpus.name]:
        for path in sorted(corpus.folder.glob(glob)):
            kind = "common.Envelope" if path.suffix == ".tx" else "common.Block"
            yield str(path.relative_to(corpus.folder.parent)), kind, path


def digests() -> dict[str, str | None]:
    """Read what the real command made of them."""
    found: dict[str, str | None] = json.loads(DIGESTS.read_text("utf-8"))
    return found


def main() -> None:
    """Ask the real command."""
    found: dict[str, str | None] = {}
    for name in CORPORA:
        with tempfile.TemporaryDirectory() as folder:
            for key, kind, path in inputs(Corpus(archives()[name], Path(folder))):
                command = [os.environ["FABRIC_CONFIGTXLATOR"], "proto_decode", "--type", kind]
                result = subprocess.run([*command, "--input", str(path)], capture_output=True)
                digest = hashlib.sha256(result.stdout).hexdigest()
                found[key] = None if result.returncode else digest
    json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
