# SPDX-License-Identifier: Apache-2.0
"""Every key of Fabric's files is followed, or told of when it is set in vain; none is unknown."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import configuration_page
from corpora import ROOT
from fastledger.common.config import Config, load, sample_keys
from fastledger.common.errors import ConfigInvalid
from fastledger.network import settings as network
from fastledger.network.plan import Plan
from fastledger.node.orderer import config as orderer
from fastledger.node.peer import config as peer

KEYS = Path(__file__).parents[2] / "vectors" / "settings"
CATALOGUES = {"core": peer.CATALOGUE, "orderer": orderer.CATALOGUE}
REMARKS: dict[str, Callable[[Config], list[str]]] = {
    "core": peer.remarks,
    "orderer": orderer.remarks,
}


def remarks(name: str, tmp_path: Path, content: str = "", **environ: str) -> list[str]:
    (tmp_path / f"{name}.yaml").write_text(content)
    return REMARKS[name](load(name, tmp_path, environ))


def fabric_keys(name: str) -> list[str]:
    return (KEYS / f"{name}.txt").read_text().split()


def covers(known: set[str], key: str) -> bool:
    parts = key.lower().split(".")
    above = {".".join([*parts[:end], "*"]) for end in range(1, len(parts) + 1)}
    return key.lower() in known or bool(above & known)


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_key_of_fabric_is_known(name: str) -> None:
    catalogue = CATALOGUES[name]
    known = {key.lower() for key in (*catalogue.followed(), *catalogue.unheeded)}
    assert [key for key in fabric_keys(name) if not covers(known, key)] == []


@pytest.mark.parametrize("name", CATALOGUES)
def test_no_key_is_both_followed_and_not(name: str) -> None:
    catalogue = CATALOGUES[name]
    followed = {key.lower() for key in catalogue.followed()}
    assert followed & {key.lower() for key in catalogue.unheeded} == set()


@pytest.mark.parametrize("name", CATALOGUES)
def test_every_key_that_is_followed_is_fabrics_or_told_as_our_own(name: str) -> None:
    fabric = [key.lower() for key in fabric_keys(name)]

    def is_fabrics(key: str) -> bool:
        if key.endswith("*"):
            return any(each.startswith(key[:-1]) for each in fabric)
        return key in fabric

    own = {key for key in CATALOGUES[name].followed() if not is_fabrics(key.lower())}
    assert own == configuration_page.OWN[name]


@pytest.mark.parametrize("name", CATALOGUES)
def test_the_samples_ask_for_nothing_in_vain(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert REMARKS[name](load(name, environ={})) == []


@pytest.mark.parametrize("name", CATALOGUES)
def test_the_samples_have_every_key_of_fabrics_newest(name: str) -> None:
    known = {key.lower() for key in sample_keys(name)}
    assert known <= {key.lower() for key in (*CATALOGUES[name].followed(), *fabric_keys(name))}


def test_the_page_of_the_documentation_is_up_to_date() -> None:
    page = ROOT / "docs" / "configuration.md"
    assert page.read_text() == configuration_page.written(page.read_text()), (
        "docs/configuration.md: run .venv/bin/python tests/configuration_page.py"
    )


def test_every_variable_of_ours_is_on_the_page() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    for path in (ROOT / "python" / "fastledger").rglob("*.py"):
        for variable in re.findall(r"FASTLEDGER_[A-Z_]+", path.read_text("utf-8")):
            assert f"| `{variable}` |" in page, path


@pytest.mark.parametrize(
    ("name", "content", "remark"),
    [
        (
            "core",
            "peer: {profile: {enabled: true}}",
            "peer.profile.enabled has no effect: it is a setting of the Go runtime or its profiler",
        ),
        (
            "core",
            "ledger: {state: {stateDatabase: CouchDB}}",
            (
                "ledger.state.stateDatabase has no effect: state is kept in the peer's own "
                "database, which answers rich queries, too"
            ),
        ),
        (
            "core",
            "peer: {gossip: {state: {batchSize: 11}}}",
            (
                "peer.gossip.state.batchSize has no effect: every peer pulls its blocks from the "
                "orderers, and peers do not pass blocks on"
            ),
        ),
        (
            "core",
            "vm: {endpoint: 'unix:///elsewhere'}",
            "vm.endpoint has no effect: chaincode runs in processes, see chaincode.runtime",
        ),
        (
            "core",
            "peer: {adress: p0}",
            "unknown setting peer.adress is ignored; did you mean peer.address?",
        ),
        (
            "core",
            "peer: {gosip: {a: 1, b: 2}}",
            "unknown setting peer.gosip is ignored; did you mean peer.gossip?",
        ),
        ("core", "elsewhere: {a: 1}", "unknown setting elsewhere is ignored"),
        (
            "orderer",
            "Kafka: {Retry: {LongTotal: 1h}}",
            "Kafka.Retry.LongTotal has no effect: it is tried until it succeeds",
        ),
        (
            "orderer",
            "General: {Throttling: {Rate: 5}}",
            (
                "General.Throttling.Rate has no effect: clients are told apart by certificates: it "
                "takes General.TLS with mutual TLS"
            ),
        ),
    ],
)
def test_what_is_set_in_vain_is_told(name: str, content: str, remark: str, tmp_path: Path) -> None:
    assert remarks(name, tmp_path, content) == [remark]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("core", "vm: {endpoint: 'unix:///elsewhere'}\nchaincode: {runtime: docker}"),
        ("core", "peer: {gossip: {state: {checkInterval: 10000ms}}}"),
        ("core", "peer: {profile: {enabled: false}, nothing: }"),
        ("core", "chaincode: {system: {qscc: no, escc: enable}}"),
        (
            "orderer",
            (
                "General: {TLS: {Enabled: true, Certificate: c, PrivateKey: k, "
                "ClientAuthRequired: true}, Throttling: {Rate: 5}}"
            ),
        ),
        ("orderer", "Kafka: {Retry: {ShortInterval: 5s}}\nConsensus: {WALDir: }"),
    ],
)
def test_what_asks_for_nothing_is_not_told(name: str, content: str, tmp_path: Path) -> None:
    assert remarks(name, tmp_path, content) == []


def test_variables_are_told_by_their_names_and_never_by_their_values(tmp_path: Path) -> None:
    told = remarks(
        "core",
        tmp_path,
        CORE_LEDGER_STATE_COUCHDBCONFIG_PASSWORD="adminpw",
        CORE_PEER_ADRESS="p0",
        CORE_PEER_ID="p0",
        CORE_PEER_TLS_CERT_FILE="c",
        CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE="net_test",
        CORE_CHAINCODE_ID_NAME="for:a-shim",
        CORE_="",
    )
    assert told == [
        "unknown setting CORE_ is ignored",
        (
            "ledger.state.couchDBConfig.password (CORE_LEDGER_STATE_COUCHDBCONFIG_PASSWORD) has no "
            "effect: state is kept in the peer's own database, which answers rich queries, too"
        ),
        "unknown setting CORE_PEER_ADRESS is ignored; did you mean CORE_PEER_ADDRESS?",
        (
            "vm.docker.hostConfig.NetworkMode (CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE) has no "
            "effect: chaincode runs in processes, see chaincode.runtime"
        ),
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "core",
            "peer: {tls: {clientAuthRequird: true}}",
            (
                r"core.yaml: unknown key peer.tls.clientauthrequird; "
                r"did you mean peer.tls.clientAuthRequired\?"
            ),
        ),
        (
            "core",
            "peer: {BCCSP: {Defualt: PKCS11}}",
            r"unknown key peer.bccsp.defualt; did you mean peer.BCCSP.Default\?",
        ),
        (
            "core",
            "peer: {handlers: {validators: {vscc: {library: /p.so}}}}",
            "peer.handlers.validators.vscc.library is not supported: a handler is part of",
        ),
        (
            "core",
            "peer: {handlers: {endorsers: {escc: {name: Mine}}}}",
            "peer.handlers.endorsers.escc.name is not supported",
        ),
        (
            "orderer",
            "General: {TLS: {ClientAuthEnabled: true}}",
            (
                r"unknown key general.tls.clientauthenabled; "
                r"did you mean General.TLS.ClientAuthRequired\?"
            ),
        ),
        ("orderer", "General: {Lisp: 1}", "unknown key general.lisp"),
    ],
)
def test_what_safety_hangs_on_is_refused(
    name: str, content: str, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigInvalid, match=problem):
        remarks(name, tmp_path, content)


def test_two_ways_to_lead_contradict_each_other(tmp_path: Path) -> None:
    content = "peer: {address: 'p:1', gossip: {orgLeader: true, useLeaderElection: true}}"
    (tmp_path / "core.yaml").write_text(content)
    with pytest.raises(ConfigInvalid, match="useLeaderElection must not both be true"):
        peer.read(load("core", tmp_path, {}))


def test_a_peer_says_which_key_is_wrong_when_it_starts(tmp_path: Path) -> None:
    for content, problem in {
        "peer: {tls: {enabled: true}}": "core.yaml: peer.tls: it is enabled, but has no cert",
        "peer: {limits: {concurrency: {gatewayService: -1}}}": "gatewayService is -1, it must be",
        "chaincode: {runtime: podman}": "chaincode.runtime is 'podman', it must be process or",
        "chaincode: {executetimeout: 1ms}": "executetimeout is 0.001, it must be at least 1",
        "peer: {address: nowhere}": "gossip needs peer.address",
    }.items():
        (tmp_path / "core.yaml").write_text(content)
        with pytest.raises(ConfigInvalid, match=problem):
            peer.read(load("core", tmp_path, {}))


def test_settings_of_a_peer(tmp_path: Path) -> None:
    (tmp_path / "core.yaml").write_text(
        "peer:\n  address: p0:7051\n  listenAddress: 0.0.0.0:9\n  authentication: {timewindow: "
        "0s}\n"
        "  keepalive: {deliveryClient: {interval: 90s}}\n  fileSystemPath: data\n"
        "  gossip: {aliveTimeInterval: 2s}\n"
        "chaincode: {system: {qscc: disable}}\n"
    )
    made = peer.read(load("core", tmp_path, {}))
    assert made.time_window_s == 900
    assert made.client_limits(made.orderer_keepalive).keepalive_s == 90
    assert made.storage.snapshots == tmp_path / "data" / "snapshots"
    assert made.gossip.endpoint == "p0:7051"
    assert (made.gossip.alive_expiration_s, made.gossip.reconnect_interval_s) == (10, 10)
    assert made.chaincode_listen_address == "0.0.0.0:7052"
    assert made.chaincode_address == "127.0.0.1:7052"
    assert [made.chaincode.system.has(name) for name in ("qscc", "_lifecycle")] == [False, True]


def test_orderers_that_are_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"roots")
    overrides = (
        "[{from: 'o:7050', to: '127.0.0.1:1', caCertsFile: ca.pem}, {from: 'p:7050', to: 'q:1'}]"
    )
    (tmp_path / "core.yaml").write_text(
        f"peer: {{address: 'p:1', deliveryclient: {{addressOverrides: {overrides}}}}}"
    )
    made = peer.read(load("core", tmp_path, {})).deliveryclient
    assert made.overridden(["p:7050", "r:1", "o:7050"]) == ["q:1", "r:1", "127.0.0.1:1"]
    assert made.roots() == {"127.0.0.1:1": b"roots"}
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(
        ConfigInvalid, match=r"addressOverrides\[0\]: caCertsFile: there is no file"
    ):
        peer.read(load("core", tmp_path, {}))


def test_a_network_of_our_own_sets_nothing_in_vain(tmp_path: Path) -> None:
    plan = Plan(tmp_path)
    network.write(plan)
    for node in plan.nodes:
        name = "orderer" if node == plan.orderer else "core"
        assert REMARKS[name](load(name, node.folder, network.read_env(node))) == []
