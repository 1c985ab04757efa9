# SPDX-License-Identifier: Apache-2.0
r"""Write down what other implementations say about Fabric's messages: tests/vectors/protos/*.json.

test_protos_descriptors.py compares our .proto files with these lists. They are committed, because
the sources cannot be in the tests' own environment: the PyPI package pins an old protobuf, the
others are Go code. To make them again:

    python -m venv .venv-interop
    .venv-interop/bin/pip install --pre hyperledger-fabric-protos
    .venv-interop/bin/python tests/conformance/fabric_protos_dump.py \
        --package hyperledger-fabric-protos > tests/vectors/protos/fabric_protos.json

    go mod download github.com/hyperledger/fabric@v1.4.12
    go mod download github.com/hyperledger/fabric-protos-go@v0.3.0
    python tests/conformance/fabric_protos_dump.py \
        --go SOURCE FOLDER... > tests/vectors/protos/NAME.json

    NAME                FOLDERS, read with every .pb.go below them
    fabric-1.4.12       protos of module github.com/hyperledger/fabric v1.4.12
    fabric-protos-go    orderer of module github.com/hyperledger/fabric-protos-go v0.3.0
    fabric-3.1.5        core, common/ledger, vendored SmartBFT/smartbftprotos of Fabric v3.1.5

Needs protobuf and nothing else, of whatever version.
"""

import argparse
import ast
import gzip
import importlib
import importlib.metadata
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)


def elements(file: FileDescriptorProto) -> dict[str, str | int]:
    """Name everything in a file that shows on the wire, each with what is to be known about it.

    ``package.Message`` and ``package.Enum`` give their kind, ``package.Message#7`` the label, type,
    name and oneof of field 7, ``package.Enum.VALUE`` a number, ``package.Service/Method`` the two
    message types.
    """
    found: dict[str, str | int] = {}
    for message in file.message_type:
        found.update(message_elements(file.package, message))
    for enum in file.enum_type:
        found.update(enum_elements(file.package, enum))
    for service in file.service:
        name = f"{file.package}.{service.name}"
        found[name] = "service"
        for method in service.method:
            asks = ("stream " if method.client_streaming else "") + method.input_type[1:]
            gives = ("stream " if method.server_streaming else "") + method.output_type[1:]
            found[f"{name}/{method.name}"] = f"{asks} -> {gives}"
    return {
        name: f"{file.syntax} message" if what == "message" else what
        for name, what in found.items()
    }


def message_elements(scope: str, message: DescriptorProto) -> dict[str, str | int]:
    """Return the elements of a message and of what is nested in it."""
    name = f"{scope}.{message.name}"
    found: dict[str, str | int] = {name: "map entry" if message.options.map_entry else "message"}
    for field in message.field:
        kind = (
            field.type_name[1:]
            or FieldDescriptorProto.Type.Name(field.type)[len("TYPE_") :].lower()
        )
        label = FieldDescriptorProto.Label.Name(field.label)[len("LABEL_") :].lower()
        words = [label, kind, field.name]
        if field.HasField("oneof_index"):
            words.append(f"in {message.oneof_decl[field.oneof_index].name}")
        found[f"{name}#{field.number}"] = " ".join(words)
    for nested in message.nested_type:
        found.update(message_elements(name, nested))
    for enum in message.enum_type:
        found.update(enum_elements(name, enum))
    return found


def enum_elements(scope: str, enum: EnumDescriptorProto) -> dict[str, str | int]:
    """Return the elements of an enum."""
    name = f"{scope}.{enum.name}"
    return {name: "enum", **{f"{name}.{value.name}": value.number for value in enum.value}}


def package_files(distribution: str) -> Iterator[FileDescriptorProto]:
    """Yield the file descriptors of an installed distribution's _pb2 modules."""
    for path in importlib.metadata.files(distribution) or ():
        if path.name.endswith("_pb2.py"):
            module = importlib.import_module(".".join(path.with_suffix("").parts))
            yield FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)


def go_files(folders: Iterable[str]) -> Iterator[FileDescriptorProto]:
    """Yield the file descriptors that are compiled into generated Go code."""
    for folder in folders:
        for path in sorted(Path(folder).rglob("*.pb.go")):
            raw = go_descriptor(path.read_text("utf-8"))
            if raw is None:
                print(f"no descriptor in {path}", file=sys.stderr)
            else:
                yield FileDescriptorProto.FromString(raw)


def go_descriptor(code: str) -> bytes | None:
    """Find the serialized descriptor in any of the three forms that protoc-gen-go has written."""
    if literal := re.search(r"\nvar fileDescriptor\w* = \[\]byte\{\n(.*?)\n\}", code, re.DOTALL):
        return gzip.decompress(go_bytes(literal[1]))
    if literal := re.search(r"_rawDesc = \[\]byte\{\n(.*?)\n\}", code, re.DOTALL):
        return go_bytes(literal[1])
    if literal := re.search(r"_rawDesc = \"\" \+\n(.*?)\n\n", code, re.DOTALL):
        lines = (line.strip().rstrip("+").strip() for line in literal[1].splitlines())
        return b"".join(ast.literal_eval(f"b{line}") for line in lines)
    return None


def go_bytes(literal: str) -> bytes:
    """Read a Go byte slice literal."""
    return bytes(int(digits, 16) for digits in re.findall(r"0x([0-9a-f]{2})", literal))


def main() -> None:
    """Print the list for the source that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--package", help="an installed distribution")
    parser.add_argument("--go", nargs="+", metavar=("SOURCE", "FOLDER"), help="generated Go code")
    options = parser.parse_args()
    if options.package:
        source = f"{options.package} {importlib.metadata.version(options.package)} (PyPI)"
        files = package_files(options.package)
    elif options.go and len(options.go) > 1:
        source, files = options.go[0], go_files(options.go[1:])
    else:
        parser.error("give --package NAME or --go SOURCE FOLDER...")
    found: dict[str, str | int] = {}
    for file in files:
        found.update(elements(file))
    json.dump({"source": source, "elements": dict(sorted(found.items()))}, sys.stdout, indent=0)
    print()


if __name__ == "__main__":
    main()
