# SPDX-License-Identifier: Apache-2.0
"""Queries to a peer's discovery service (Fabric: ``discovery/client``)."""

import grpc.aio

from fastledger.client.target import Target, rpc_failed
from fastledger.common.errors import FastledgerError
from fastledger.protos.discovery.protocol_pb2 import (
    AuthInfo,
    Query,
    QueryResult,
    Request,
    SignedRequest,
)
from fastledger.protos.discovery.protocol_pb2_grpc import DiscoveryStub
from fastledger.protoutil.signer import Signer


class QueryFailed(FastledgerError):
    """The service answered a query with an error; its text is the service's."""


async def discover(target: Target, signer: Signer, query: Query) -> QueryResult:
    """Ask one thing.

    Raises:
        ConnectionFailed: Nobody there.
        RpcFailed: The service refused the request.
        QueryFailed: It has no answer.
    """
    authentication = AuthInfo(
        client_identity=signer.serialized, client_tls_cert_hash=target.certificate_hash
    )
    payload = Request(authentication=authentication, queries=[query]).SerializeToString()
    signed = SignedRequest(payload=payload, signature=signer.sign(payload))
    channel = await target.connect("discovery")
    try:
        answer = await DiscoveryStub(channel).Discover(signed)
    except grpc.aio.AioRpcError as error:
        raise rpc_failed(error) from error
    finally:
        await channel.close()
    if len(answer.results) != 1:
        raise QueryFailed(f"Sent 1 queries but received {len(answer.results)} responses back")
    result: QueryResult = answer.results[0]
    if result.WhichOneof("result") == "error":
        raise QueryFailed(result.error.content)
    return result
