# SPDX-License-Identifier: Apache-2.0
"""Two accounts and a transfer: the classic example02, with its arguments, answers and errors.

Init takes ``init a 100 b 200``; ``invoke a b 10`` moves 10 from a to b, ``query a`` tells what a
has, ``delete a`` closes it. ``fastledger up`` defines chaincodes without Init; ``make demo`` shows
this one, instantiated and upgraded with Fabric's own commands.
"""

from fastledger import shim


class Account(shim.Chaincode):
    """A chaincode of the two plain functions, without typed methods."""

    def init(self, stub: shim.ChaincodeStub) -> shim.Response:
        """Open two accounts."""
        _, arguments = stub.get_function_and_parameters()
        if len(arguments) != 4:
            return shim.error("Incorrect number of arguments. Expecting 4")
        holdings = arguments[1], arguments[3]
        if not all(_is_number(value) for value in holdings):
            return shim.error("Expecting integer value for asset holding")
        for name, value in zip((arguments[0], arguments[2]), holdings, strict=True):
            stub.put_state(name, str(int(value)).encode())
        return shim.success()

    def invoke(self, stub: shim.ChaincodeStub) -> shim.Response:
        """Run one of the functions."""
        function, arguments = stub.get_function_and_parameters()
        run = {"invoke": _transfer, "delete": _delete, "query": _query}.get(function)
        if run is None:
            return shim.error('Invalid invoke function name. Expecting "invoke" "delete" "query"')
        return run(stub, arguments)


def _transfer(stub: shim.ChaincodeStub, arguments: list[str]) -> shim.Response:
    if len(arguments) != 3:
        return shim.error("Incorrect number of arguments. Expecting 3")
    giver, taker, amount = arguments
    holdings = stub.get_state(giver), stub.get_state(taker)
    if None in holdings:
        return shim.error("Entity not found")
    if not _is_number(amount):
        return shim.error("Invalid transaction amount, expecting a integer value")
    left, right = (int(value or b"0") for value in holdings)
    stub.put_state(giver, str(left - int(amount)).encode())
    stub.put_state(taker, str(right + int(amount)).encode())
    return shim.success()


def _delete(stub: shim.ChaincodeStub, arguments: list[str]) -> shim.Response:
    if len(arguments) != 1:
        return shim.error("Incorrect number of arguments. Expecting 1")
    stub.del_state(arguments[0])
    return shim.success()


def _query(stub: shim.ChaincodeStub, arguments: list[str]) -> shim.Response:
    if len(arguments) != 1:
        return shim.error("Incorrect number of arguments. Expecting name of the person to query")
    value = stub.get_state(arguments[0])
    if value is None:
        return shim.error(f'{{"Error":"Nil amount for {arguments[0]}"}}')
    return shim.success(value)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
