# SPDX-License-Identifier: Apache-2.0
"""Chaincode on Fabric's own Python shim, fabric-chaincode-python, as a service."""

import json

from fabric_chaincode_python.fabric_shim import server
from fabric_chaincode_python.fabric_shim.interfaces import Chaincode
from fabric_chaincode_python.fabric_shim.response import success


class Interop(Chaincode):
    async def init(self, stub):
        return success(b"")

    async def invoke(self, stub):
        function, arguments = stub.get_function_and_parameters()
        if function == "put":
            await stub.put_state(arguments[0], arguments[1].encode())
            stub.set_event("put", arguments[0].encode())
            return success(b"")
        if function == "get":
            return success(await stub.get_state(arguments[0]))
        if function == "del":
            await stub.delete_state(arguments[0])
            return success(b"")
        rows = await stub.get_state_by_range(arguments[0], arguments[1])
        return success(json.dumps([row.key async for row in rows]))


server.start(Interop)
