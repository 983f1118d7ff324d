"""The process is killed at every point of a settlement, of its recovery and of an undoing, and started again.

Whatever happens, no bill is paid twice, and none that was paid is lost: what stands in the platform's own ledger is
what our journal has as PAID.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.medical.gateway import Gateway
from tests.peers.running import Peer, running

LATER = 1000


@pytest.fixture(scope="module")
def till() -> Iterator[Peer]:
    with running("tests.medical.lives") as peer:
        yield peer


class World:
    """A gateway, a till, and a journal that outlives it."""

    def __init__(self, gateway: Gateway, till: Peer, folder: Path) -> None:
        self.gateway, self._till, self._folder = gateway, till, folder
        self._number = self._lives = 0

    def begin(self, *habits: tuple[str, str]) -> None:
        """Everything from the start, with a new journal."""
        self.gateway.peer.ask({"reset": True})
        for habit, number in habits:
            self.gateway.plays(habit, number, 1)
        self._number, self._lives = self._number + 1, 0

    def life(self, *deeds: str, die_at: int = 0) -> dict[str, Any]:
        """One life of the till, some time after the one before."""
        site = self.gateway.table(settle_timeout=20, resilience={"timeout": 20})
        told = self._till.ask(
            {
                "do": deeds,
                "die_at": die_at,
                "clock": LATER * self._lives,
                "journal": str(self._folder / f"{self._number}.db"),
                "site": site,
            }
        )
        self._lives += 1
        self.gateway.peer.ask({"idle": True})  # what the dead one has sent is dealt with by then
        return told

    def points(self, *deeds: str) -> int:
        told = self.life(*deeds)
        assert not told["died"]
        points: int = told["points"]
        return points

    def check(self, entries: list[dict[str, Any]], standing: int) -> None:
        """So many settlements stand, and these are the ones that the journal knows as paid."""
        paid = [entry["setl_id"] for entry in entries if entry["state"] == "paid"]
        assert self.gateway.stands == paid
        assert len(paid) == standing
        assert all(entry["state"] in ("paid", "refused", "reversed", "undone") for entry in entries)


@pytest.fixture
def world(gateway: Gateway, till: Peer, tmp_path: Path) -> World:
    return World(gateway, till, tmp_path)


@pytest.mark.parametrize(
    "habits",
    [(), (("books-and-hangs-up", "2207"),), (("half-answer", "2207"), ("half-answer", "2601"))],
    ids=["a gateway as it should be", "no answer to the settlement", "half an answer to everything"],
)
def test_killed_at_every_point_of_a_settlement(world: World, habits: tuple[tuple[str, str], ...]) -> None:
    world.begin(*habits)
    points = world.points("pay")
    assert points > 20
    for point in range(1, points + 1):
        world.begin(*habits)
        assert world.life("pay", die_at=point)["died"]
        assert len(world.gateway.stands) <= 1
        recovered = world.life("finish", "finish")
        world.check(recovered["entries"], len(world.gateway.stands))
        world.check(world.life("pay", "finish", "pay")["entries"], 1)


def test_killed_at_every_point_of_the_recovery(world: World) -> None:
    world.begin(("books-and-hangs-up", "2207"))
    before = _until_booked(world)
    points = world.points("finish")
    for point in range(1, points + 1):
        world.begin(("books-and-hangs-up", "2207"))
        world.life("pay", die_at=before)
        assert world.life("finish", die_at=point)["died"]
        world.check(world.life("finish")["entries"], 0)
        world.check(world.life("pay")["entries"], 1)


def test_killed_at_every_point_of_an_undoing(world: World) -> None:
    world.begin()
    world.life("pay")
    points = world.points("undo")
    for point in range(1, points + 1):
        world.begin()
        world.life("pay")
        assert world.life("undo", die_at=point)["died"]
        recovered = world.life("finish")["entries"]
        world.check(recovered, len(world.gateway.stands))
        world.check(world.life("undo")["entries"], 0)


def test_a_till_that_comes_back_at_once_waits_for_what_may_be_on_its_way(world: World, gateway: Gateway) -> None:
    world.begin()
    at = _until_booked(world)
    world.begin()
    world.life("pay", die_at=at)
    world._lives = 0  # the clock has not moved
    told = world.life("finish", "pay")
    assert [entry["state"] for entry in told["entries"]] == ["pending"]
    assert gateway.messages == ["2207"]  # neither reversed nor sent again
    world.check(world.life("finish")["entries"], 0)


def _until_booked(world: World) -> int:
    """The first point at which the gateway has booked, while the journal knows of nothing yet."""
    point = 0
    while not world.gateway.stands:
        point += 1
        world.begin()
        assert world.life("pay", die_at=point)["died"]
    return point
