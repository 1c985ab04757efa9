# SPDX-License-Identifier: Apache-2.0
"""The classic walk on a network of four peers and a solo orderer, and its ledger validated.

Then a ledger that a real Fabric network made: validated, tampered with, explained. `make demo`
runs it.
"""

import shlex
import tarfile
import tempfile
from pathlib import Path

import zstandard

import fastledger
from classic_network import ClassicNetwork, Ports, running

ROOT = Path(__file__).parents[1]
ARCHIVE = ROOT / "tests" / "vectors" / "fabric-3.1" / "small.tar.zst"
CHAINCODE = ROOT / "examples" / "chaincode" / "account"
CHANNEL = "mychannel"
BROKEN_BLOCK = 42


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fastledger-demo-") as folder:
        network = ClassicNetwork(Path(folder), Ports.choose(of_the_tutorials=True))
        with running(network):
            make_network(network)
            make_channel(network)
            use_chaincode(network)
        validate_own_ledger(network)
    with tempfile.TemporaryDirectory(prefix="fastledger-demo-") as folder:
        look_at_fabrics_ledger(ClassicNetwork(Path(folder), network.ports))


def make_network(network: ClassicNetwork) -> None:
    say("Identities, and the genesis block of a solo orderer")
    network.write_config()
    run(network, "cryptogen", "generate", "--config=crypto-config.yaml")
    genesis = ("configtxgen", "-profile", "TwoOrgsOrdererGenesis", "-channelID", "syschannel")
    run(network, *genesis, "-outputBlock", "genesis.block")
    say("One orderer and four peers")
    network.start(network.folder / "genesis.block")
    for name in ("orderer", *network.ports.peers):
        print(f"  {name} is running")


def make_channel(network: ClassicNetwork) -> None:
    say("A channel, with all peers in it and an anchor peer of each organization")
    transaction = ("configtxgen", "-profile", "TwoOrgsChannel", "-channelID", CHANNEL)
    run(network, *transaction, "-outputCreateChannelTx", "channel.tx")
    admin = network.at("peer0.org1")
    create = ("peer", "channel", "create", "-o", network.orderer, "-c", CHANNEL)
    run(network, *create, "-f", "channel.tx", env=admin)
    for name in network.ports.peers:
        join = ("peer", "channel", "join", "-b", f"{CHANNEL}.block")
        run(network, *join, env=network.at(name))
    for org in ("Org1", "Org2"):
        file = f"{org}MSPanchors.tx"
        run(network, *transaction, "-outputAnchorPeersUpdate", file, "-asOrg", f"{org}MSP")
        update = ("peer", "channel", "update", "-o", network.orderer, "-c", CHANNEL, "-f", file)
        run(network, *update, env=network.at(f"peer0.{org.lower()}"))


def use_chaincode(network: ClassicNetwork) -> None:
    say("A chaincode: accounts a and b with 100 and 200")
    install = ("peer", "chaincode", "install", "-n", "mycc", "-v", "1.0", "-l", "python")
    for name in ("peer0.org1", "peer0.org2", "peer1.org2"):
        run(network, *install, "-p", str(CHAINCODE), env=network.at(name))
    chaincode = ("-C", CHANNEL, "-n", "mycc", "-c")
    instantiate = ("peer", "chaincode", "instantiate", "-o", network.orderer, "-v", "1.0")
    policy = ("-l", "python", "-P", "AND('Org1MSP.peer','Org2MSP.peer')")
    start = '{"Args":["init","a","100","b","200"]}'
    run(network, *instantiate, *chaincode, start, *policy, env=network.at("peer0.org1"))
    query = ("peer", "chaincode", "query", *chaincode, '{"Args":["query","a"]}')
    say("Query a, move 10 from a to b with a peer of each organization, query a elsewhere")
    wait_for(network, "peer0.org1", 4)
    run(network, *query, env=network.at("peer0.org1"), shown="100")
    peers = [network.peer(name) for name in ("peer0.org1", "peer0.org2")]
    invoke = ("peer", "chaincode", "invoke", "-o", network.orderer, *chaincode)
    both = [word for peer in peers for word in ("--peerAddresses", peer)]
    move = '{"Args":["invoke","a","b","10"]}'
    run(network, *invoke, move, *both, "--waitForEvent", env=network.at("peer0.org1"))
    wait_for(network, "peer1.org2", 5)
    run(network, *query, env=network.at("peer1.org2"), shown="90")
    say("One endorsement is not enough: the peers find the transaction invalid")
    alone = (*invoke, move, "--waitForEvent")
    run(network, *alone, env=network.at("peer0.org1"), expected=1)
    wait_for(network, "peer0.org1", 6)


def wait_for(network: ClassicNetwork, peer: str, height: int) -> None:
    """Wait until a peer has so many blocks."""
    fetch = ("peer", "channel", "fetch", str(height - 1), "newest.block", "-c", CHANNEL)
    done = network.run(*fetch, env=network.at(peer))
    if done.returncode:
        raise SystemExit(f"{peer} does not commit block {height - 1}: {done.stderr}")


def validate_own_ledger(network: ClassicNetwork) -> None:
    say("The peers are stopped; what one of them committed is validated once more, offline")
    ledger = network.data("peer0.org1") / "ledgersData" / CHANNEL
    run(network, "validate", str(ledger / "chains"))


def look_at_fabrics_ledger(work: ClassicNetwork) -> None:
    say("84 blocks of a real Fabric 3.1 network, with all that can go wrong in them")
    unpack(work.folder)
    run(work, "validate", "small", "--ledger", "ledger")

    say(f"One byte of block {BROKEN_BLOCK} is changed: {break_one_byte(work.folder)}")
    run(work, "validate", "tampered", expected=1)

    say("Why did the peers find this transaction invalid?")
    run(work, "explain", "ledger", first_conflict(work.folder / "ledger"))


def say(text: str) -> None:
    print(f"\n── {text}\n", flush=True)


def unpack(work: Path) -> None:
    with zstandard.open(ARCHIVE, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        tar.extractall(work, filter="data")


def break_one_byte(work: Path) -> str:
    tampered = work / "tampered"
    (work / "small" / "blocks_peer").rename(tampered)
    path = tampered / f"{BROKEN_BLOCK:06}.block"
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    before, content[place] = content[place], content[place] ^ 0x01
    path.write_bytes(content)
    return f"byte {place} was {before:#04x} and is {content[place]:#04x}"


def first_conflict(path: Path) -> str:
    conflict = fastledger.TxValidationCode.MVCC_READ_CONFLICT
    with fastledger.open(path, create=False) as ledger:
        for number in range(ledger.height):
            place = ledger.block(number).codes.find(conflict)
            if place >= 0:
                return ledger.explain_at(number, place).tx_id
    raise SystemExit("the ledger has no conflict to explain")


def run(
    network: ClassicNetwork,
    *arguments: str,
    env: dict[str, str] | None = None,
    expected: int = 0,
    shown: str = "",
) -> None:
    """Run a command as a user would, and show what it says."""
    who = f"[{env['CORE_PEER_LOCALMSPID']} at {env['CORE_PEER_ADDRESS']}] " if env else ""
    words = [word.replace(f"{ROOT}/", "").replace(f"{network.folder}/", "") for word in arguments]
    print(f"{who}$", shlex.join(["fastledger", *words]), flush=True)
    done = network.run(*arguments, env=env)
    for line in (done.stdout + last_lines(done.stderr)).splitlines():
        print(f"  {line}")
    if done.returncode:
        print(f"  exit code {done.returncode}", flush=True)
    if done.returncode != expected:
        raise SystemExit(f"the exit code should be {expected}")
    if shown and done.stdout.strip() != shown:
        raise SystemExit(f"it should show {shown}")


def last_lines(log: str) -> str:
    """What a command's log ends with, without times."""
    lines = [line.partition("] ")[2] or line for line in log.splitlines()]
    return "\n".join(lines[-2:])


if __name__ == "__main__":
    main()
