# SPDX-License-Identifier: Apache-2.0
"""The descriptor pool of the generated modules.

A pool takes each full message name once. Every Python package with Fabric's messages registers
``common.Block`` and so on, so in protobuf's default pool the second one to be imported would fail.
Ours are kept in a pool of their own, and any other such package can live in the same process.

The price: a field of a well-known type holds this pool's class, not that of ``google.protobuf``,
and ``CopyFrom`` does not take one for the other. Set a timestamp through its own methods
(``header.timestamp.FromDatetime(t)``, ``GetCurrentTime()``), with a ``datetime`` in the
constructor, or by its fields.
"""

from google.protobuf import descriptor_pool, empty_pb2, timestamp_pb2

_pool = descriptor_pool.DescriptorPool()
# What our files import has to be known to the same pool.
for _module in (timestamp_pb2, empty_pb2):
    _pool.AddSerializedFile(_module.DESCRIPTOR.serialized_pb)


def Default() -> descriptor_pool.DescriptorPool:  # noqa: N802 (the name that generated code calls)
    """Return the pool."""
    return _pool
