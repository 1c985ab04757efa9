# SPDX-License-Identifier: Apache-2.0
"""What becomes of peers that start, fall silent, stop and come back, told step by step.

Time is the world's own, the intervals are Fabric's: who says nothing for 25 seconds is dead, and
dead peers are tried every 25 seconds.
"""

import random

import pytest

from corpora import OpenCorpus
from gossip_world import Peer, World
from gossiping import Cast

NAMES = {
    "ann": (1, "peer0"),
    "bob": (1, "peer1"),
    "cid": (1, "User1"),
    "dan": (2, "peer0"),
    "eve": (2, "peer1"),
}

SCENARIOS = {
    "one tells of the other": """
        start ann
        start bob with ann
        start cid with ann
        wait 10 s
        ann sees bob cid
        bob sees ann cid
        cid sees ann bob
    """,
    "two organizations meet at their anchor peers": """
        start ann
        start bob with ann
        start dan
        start eve with dan
        wait 15 s
        ann sees bob dan eve
        eve sees ann bob dan
    """,
    "who stops is dead as soon as somebody wants to talk": """
        start ann
        start bob with ann
        wait 10 s
        stop bob
        wait 6 s
        ann sees nobody
        start bob
        wait 30 s
        ann sees bob
        bob sees ann
    """,
    "who is silent is dead after a while, and alive with the first word": """
        start ann
        start bob with ann
        start cid with ann
        wait 15 s
        part ann bob | cid
        wait 15 s
        ann sees bob cid
        wait 15 s
        ann sees bob
        bob sees ann
        cid sees nobody
        heal
        wait 40 s
        ann sees bob cid
        bob sees ann cid
        cid sees ann bob
    """,
    "two halves live on, and become one again": """
        start ann
        start bob with ann
        start dan
        start eve with dan
        wait 15 s
        part ann bob | dan eve
        wait 60 s
        ann sees bob
        bob sees ann
        dan sees eve
        eve sees dan
        heal
        wait 60 s
        ann sees bob dan eve
        bob sees ann dan eve
        dan sees ann bob eve
        eve sees ann bob dan
    """,
    "a bootstrap peer may come last": """
        start bob with ann
        wait 60 s
        bob sees nobody
        start ann
        wait 30 s
        ann sees bob
        bob sees ann
    """,
}
ANCHORS = {"Org1MSP": ["ann:7051"], "Org2MSP": ["dan:7051"]}


@pytest.fixture(scope="module")
def cast(open_corpus: OpenCorpus) -> Cast:
    return Cast(open_corpus("v14").folder)


def play(cast: Cast, scenario: str, seed: int) -> World:
    """Do what a scenario says, line by line."""
    world = World(seed)
    peers: dict[str, Peer] = {}

    def addresses(names: list[str]) -> set[str]:
        return {f"{name}:7051" for name in names}

    for line in scenario.strip().splitlines():
        match line.split():
            case ["start", name, *bootstrap]:
                identities = cast.identities(*NAMES[name], clock=world)
                peers[name] = world.start(identities, f"{name}:7051", *addresses(bootstrap[1:]))
                peers[name].join(**ANCHORS)
            case ["stop", name]:
                world.stop(f"{name}:7051")
            case ["part", *names]:
                parts = " ".join(names).split("|")
                world.part(*(addresses(part.split()) for part in parts))
            case ["heal"]:
                world.part()
            case ["wait", seconds, "s"]:
                world.run(float(seconds))
            case [name, "sees", "nobody"]:
                assert peers[name].sees() == set(), line
            case [name, "sees", *names]:
                assert peers[name].sees() == addresses(names), line
            case _:
                pytest.fail(f"nobody knows what {line!r} means")
    return world


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(cast: Cast, name: str, seed: int) -> None:
    play(cast, SCENARIOS[name], seed)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happened_all_find_each_other_again(cast: Cast, seed: int) -> None:
    """Peers start, stop and are parted by chance, for minutes; then all run and nothing is lost."""
    chance = random.Random(seed)
    steps, running = ["start ann"], {"ann"}
    for _ in range(12):
        stopped = sorted(NAMES.keys() - running)
        what = chance.choice(["start", "stop", "part", "heal"])
        if what == "start" and stopped:
            running.add(name := chance.choice(stopped))
            steps.append(f"start {name} with ann dan")
        elif what == "stop" and running:
            running.discard(name := chance.choice(sorted(running)))
            steps.append(f"stop {name}")
        elif what == "part":
            names = chance.sample(sorted(NAMES), len(NAMES))
            steps.append(f"part {' '.join(names[:2])} | {' '.join(names[2:])}")
        else:
            steps.append("heal")
        steps.append(f"wait {chance.randrange(90)} s")
    steps += ["heal", *(f"start {name} with ann dan" for name in sorted(NAMES.keys() - running))]
    steps.append("wait 120 s")
    steps += [f"{name} sees {' '.join(sorted(NAMES.keys() - {name}))}" for name in NAMES]
    play(cast, "\n".join(steps), seed)


def test_a_run_can_be_repeated_message_by_message(cast: Cast) -> None:
    """Nothing looks at another clock, or draws from another chance, than the world's."""
    scenario = SCENARIOS["two halves live on, and become one again"]
    first, again, other = (play(cast, scenario, seed).story for seed in (1, 1, 2))
    assert first == again
    assert first != other
