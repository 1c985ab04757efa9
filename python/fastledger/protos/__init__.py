# SPDX-License-Identifier: Apache-2.0
"""Fabric's wire messages and gRPC services, 1.4 to 3.1.

Generated from protos/ by protos/generate.py; a module per .proto file, at the same place::

    from fastledger.protos.common import common_pb2
    from fastledger.protos.orderer import ab_pb2_grpc

    block = common_pb2.Block.FromString(data)
"""
