# SPDX-License-Identifier: Apache-2.0
"""Answers queries of clients (Fabric: ``discovery/service.go``)."""

import hashlib
import ssl
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger.comm import client_certificate
from fastledger.common import log
from fastledger.common.errors import FastledgerError, QueryRefused
from fastledger.common.workers import FairWorkers
from fastledger.discovery.auth import Authorization, AuthSettings
from fastledger.discovery.configuration import config_result
from fastledger.discovery.endorsement import EndorsementAnalyzer
from fastledger.discovery.support import ChannelMember, Member, Support
from fastledger.protos.discovery import protocol_pb2 as pb
from fastledger.protos.discovery import protocol_pb2_grpc
from fastledger.protos.peer.proposal_response_pb2 import ChaincodeInterest
from fastledger.protoutil.signed_data import SignedData

MAX_QUERIES = 100
"""Queries of one request, and interests of one query; clients send a handful."""

MAX_NAMES = 100
"""Chaincodes, collections and keys' policies of one interest: what one transaction touches."""

MAX_ALL_NAMES = 1_000
"""The same in all queries of a request."""

MAX_TOLD = 1_000
"""Letters of a question that its refusal and the log repeat."""

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_AUTH_SETTINGS = AuthSettings()
_logger = log.get("discovery")


class DiscoveryService(protocol_pb2_grpc.DiscoveryServicer):
    """``discovery.Discovery`` of one peer."""

    def __init__(
        self, support: Support, *, tls: bool, settings: AuthSettings = _AUTH_SETTINGS
    ) -> None:
        """Answer for a peer.

        Args:
            support: The peer.
            tls: Whether it serves TLS: then a request may name the certificate it comes with.
            settings: What is remembered of who may ask.
        """
        self._support = support
        self._tls = tls
        self._authorization = Authorization(support, settings)
        self._analyzer = EndorsementAnalyzer(support)
        self._workers = FairWorkers(1)

    async def Discover(self, request: pb.SignedRequest, context: _Context) -> pb.Response:
        """Answer every query of a request."""
        try:
            asked = self._validated(request, context)
        except FastledgerError as error:
            _logger.warning("Request from %s is malformed or invalid: %s", context.peer(), error)
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
            raise
        signed = SignedData(
            request.payload, asked.authentication.client_identity, request.signature
        )
        return pb.Response(results=[await self._answer(query, signed) for query in asked.queries])

    def _validated(self, request: pb.SignedRequest, context: _Context) -> pb.Request:
        try:
            asked = pb.Request.FromString(request.payload)
        except DecodeError as error:
            raise QueryRefused(f"failed parsing request: {error}") from error
        if not asked.HasField("authentication"):
            raise QueryRefused("access denied, no authentication info in request")
        if not asked.authentication.client_identity:
            raise QueryRefused("access denied, client identity wasn't supplied")
        if len(asked.queries) > MAX_QUERIES:
            raise QueryRefused(f"{len(asked.queries)} queries, at most {MAX_QUERIES} at once")
        _check_names(asked)
        if self._tls:
            _check_binding(asked.authentication.client_tls_cert_hash, context)
        return asked

    async def _answer(self, query: pb.Query, signed: SignedData) -> pb.QueryResult:
        try:
            if query.channel and not self._support.membership.has_channel(query.channel):
                raise QueryRefused("the channel does not exist")
            self._authorization.check(query.channel, signed)
        except FastledgerError as error:
            _logger.warning("query for channel %r refused: %s", query.channel, error)
            return _failed("access denied")
        try:
            return await self._dispatch(query, signed.identity)
        except FastledgerError as error:
            _logger.warning("query for channel %r failed: %s", query.channel, error)
            return _failed(str(error))

    async def _dispatch(self, query: pb.Query, client: bytes) -> pb.QueryResult:
        """Answer a query, one piece of work at a time: the loop is everybody's."""
        kind, channel, run = query.WhichOneof("query"), query.channel, self._workers.run
        if channel and kind == "config_query":
            return await run(client, lambda: self._config(channel))
        if channel and kind == "cc_query":
            interests = query.cc_query.interests
            _check_interests(interests)
            found = [
                await run(client, partial(self._endorsers, channel, interest))
                for interest in interests
            ]
            return pb.QueryResult(cc_query_res=pb.ChaincodeQueryResult(content=found))
        if channel and kind == "peer_query":
            return await run(client, lambda: self._peers_of(channel, query.peer_query.filter))
        if not channel and kind == "local_peers":
            return await run(client, lambda: _members(self._by_organization({})))
        raise QueryRefused("unknown or missing request type")

    def _config(self, channel_id: str) -> pb.QueryResult:
        bundle = self._support.bundle(channel_id)
        try:
            if bundle is None:
                raise QueryRefused("there is no configuration")
            return pb.QueryResult(config_result=config_result(bundle))
        except FastledgerError as error:
            raise QueryRefused(f"failed fetching config for channel {channel_id}") from error

    def _endorsers(self, channel_id: str, interest: ChaincodeInterest) -> pb.EndorsementDescriptor:
        try:
            return self._analyzer.peers_for_endorsement(channel_id, interest)
        except FastledgerError as error:
            _logger.error("no descriptor for %s: %s", _named(interest), error)
            raise QueryRefused(f"failed constructing descriptor for {_named(interest)}") from error

    def _peers_of(self, channel_id: str, interest: ChaincodeInterest) -> pb.QueryResult:
        peers = self._analyzer.authorized_peers(channel_id, interest)
        return _members(self._by_organization({peer.pki_id: peer for peer in peers}, channel=True))

    def _by_organization(
        self, of_channel: dict[bytes, ChannelMember], *, channel: bool = False
    ) -> dict[str, list[pb.Peer]]:
        membership = self._support.membership
        found: dict[str, list[pb.Peer]] = {org: [] for org in membership.organizations()}
        for member in with_endpoint(membership.alive()):
            peer = pb.Peer(identity=member.identity, membership_info=member.envelope)
            if channel:
                there = of_channel.get(member.pki_id)
                if there is None:
                    continue
                peer.state_info.CopyFrom(there.envelope)
            found.setdefault(member.mspid, []).append(peer)
        return found


def with_endpoint(members: Sequence[Member]) -> list[Member]:
    """Leave out the peers that are for their own organizations only."""
    return [member for member in members if member.endpoint]


def _members(peers: dict[str, list[pb.Peer]]) -> pb.QueryResult:
    result = pb.PeerMembershipResult()
    for org, found in peers.items():
        result.peers_by_org[org].peers.extend(found)
    return pb.QueryResult(members=result)


def _failed(text: str) -> pb.QueryResult:
    return pb.QueryResult(error=pb.Error(content=text))


def _check_binding(claimed: bytes, context: _Context) -> None:
    """Hold a request to the connection that it says it is for.

    Fabric's peers mean to ask every request for the hash of its connection's certificate, but look
    at none, so that its clients get along with leaving it out, or hashing the certificate's PEM.
    """
    shown = client_certificate(context)
    if not claimed or shown is None:
        return
    pem = ssl.DER_cert_to_PEM_cert(shown).encode("ascii")
    if claimed not in (hashlib.sha256(shown).digest(), hashlib.sha256(pem).digest()):
        raise QueryRefused(
            "client claimed TLS hash doesn't match computed TLS hash from gRPC stream"
        )


def _check_names(asked: pb.Request) -> None:
    """Bound what a request costs."""
    names = 0
    for query in asked.queries:
        for interest in (*query.cc_query.interests, query.peer_query.filter):
            names += _names(interest)
    if names > MAX_ALL_NAMES:
        raise QueryRefused(
            f"{names} chaincodes, collections and policies, at most {MAX_ALL_NAMES} at once"
        )


def _names(interest: ChaincodeInterest) -> int:
    calls = interest.chaincodes
    # Many are not even looked at.
    names = len(calls)
    if names <= MAX_NAMES:
        names += sum(len(call.collection_names) + len(call.key_policies) for call in calls)
    if names > MAX_NAMES:
        raise QueryRefused(
            f"an interest names {names} chaincodes, collections and policies, at most {MAX_NAMES} "
            "at once"
        )
    return names


def _check_interests(interests: Sequence[ChaincodeInterest]) -> None:
    if not interests:
        raise QueryRefused("chaincode query must have at least one chaincode interest")
    if len(interests) > MAX_QUERIES:
        raise QueryRefused(f"{len(interests)} interests, at most {MAX_QUERIES} at once")
    for interest in interests:
        if not interest.chaincodes:
            raise QueryRefused("chaincode interest must contain at least one chaincode")
        if any(not call.name for call in interest.chaincodes):
            raise QueryRefused("chaincode name in interest cannot be empty")


def _named(interest: ChaincodeInterest) -> str:
    """Write an interest as Fabric's errors do, as far as Go's text form is the same twice."""
    text = " ".join(f'chaincodes:{{name:"{call.name[:MAX_TOLD]}"}}' for call in interest.chaincodes)
    return text if len(text) <= MAX_TOLD else f"{text[:MAX_TOLD]}…"
