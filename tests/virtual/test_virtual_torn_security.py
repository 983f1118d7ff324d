"""A card torn out at every point of every change to its security state.

PIN, keys, counters and states are the old or the new ones, never something between; the card works when it comes back
and finishes the same step. A try is taken before the comparison, so a tear never gives one for nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from juying.card.virtual.card import Lifecycle, VirtualCard
from juying.card.virtual.faults import TearAfterByte
from juying.errors import CardRemoved
from tests.virtual.key_holder import INITIAL_PIN, PIN, KeyHolder, contents, guarded

NEW = bytes(range(0x10, 0x20))
WRONG = bytes(3)


@pytest.fixture(scope="module")
def points(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """The tear points of each step; their number is printed in the end."""
    counted: Counter[str] = Counter()
    yield counted
    plugins = request.config.pluginmanager
    with plugins.get_plugin("capturemanager").global_and_fixture_disabled():
        line = f"\n{counted.total()} tear points in {len(counted)} security steps of the virtual card"
        plugins.get_plugin("terminalreporter").write_line(line)


def block_pin(holder: KeyHolder) -> None:
    while holder.verify(WRONG) != "6983":
        pass


def miss(holder: KeyHolder) -> None:
    """One wrong try of PIN and key, so that their counters are not full."""
    holder.verify(WRONG)
    holder.authenticate("UK7", value=NEW)


def block_application(holder: KeyHolder) -> None:
    assert holder.protected("841E0000", key="DF01/LK") == "9000"


def nothing(_: KeyHolder) -> None:
    pass


Step = Callable[[KeyHolder], str]
# What is prepared, what is done while the card is torn out, what it answers in the end, how often a try may be lost.
STEPS: dict[str, tuple[Callable[[KeyHolder], None], Step, str]] = {
    "VERIFY after a wrong try": (miss, lambda h: h.verify(), "9000"),
    "wrong VERIFY": (nothing, lambda h: h.verify(WRONG), "63C5"),
    "EXTERNAL AUTHENTICATE after a wrong try": (miss, lambda h: h.authenticate("UK7"), "9000"),
    "wrong EXTERNAL AUTHENTICATE": (nothing, lambda h: h.authenticate("UK7", value=NEW), "63CE"),
    "CHANGE PIN": (nothing, lambda h: h.change_pin(INITIAL_PIN, PIN), "9000"),
    "RELOAD PIN": (block_pin, lambda h: h.reload_pin(PIN), "9000"),
    "UNBLOCK PIN": (block_pin, lambda h: h.protected("84240001", key="SSSE/PUK"), "9000"),
    "WRITE KEY": (miss, lambda h: h.write_key("DF01/UK7", NEW, tries=7), "9000"),
    "protected UPDATE": (
        lambda h: h.show({"key:UK7"}),
        lambda h: h.protected("84D69600", b"permit", key="DF01/STK", encipher=True),
        "9000",
    ),
    "wrong MAC": (nothing, lambda h: h.protected("04D69600", b"permit", key="DF01/LK"), "6988"),
    "APPLICATION BLOCK": (nothing, lambda h: h.protected("841E0000", key="DF01/LK"), "9000"),
    "APPLICATION BLOCK for ever": (nothing, lambda h: h.protected("841E0001", key="DF01/LK"), "9000"),
    "APPLICATION UNBLOCK": (block_application, lambda h: h.protected("84180000", key="DF01/LK"), "9000"),
    "CARD BLOCK": (nothing, lambda h: h.protected("84160000", key="SSSE/BK"), "9000"),
}


def prepared(name: str, prepare: Callable[[KeyHolder], None]) -> KeyHolder:
    holder = KeyHolder(guarded(name))
    holder.enter("DF01")
    prepare(holder)
    return holder


def torn(name: str, prepare: Callable[[KeyHolder], None], step: Step) -> Iterator[tuple[KeyHolder, dict[str, Any]]]:
    """The holder and the contents before, for a card torn out after 0, 1, 2 … bytes, until the step gets through."""
    count = 0
    while True:
        holder = prepared(name, prepare)
        before = contents(holder.card)
        TearAfterByte(holder.card, count)
        try:
            step(holder)
        except CardRemoved:
            yield holder, before
            count += 1
            continue
        assert count > 0
        return


def without_tries(state: dict[str, Any]) -> dict[str, Any]:
    """Everything but the tries left."""
    keys = {name: (value, limit) for name, (value, _, limit) in state["keys"].items()}
    return state | {"keys": keys, "pin": (state["pin"][0], state["pin"][2])}


@pytest.mark.parametrize("name", ["ssc-v2", "ssc-v3"])
@pytest.mark.parametrize("case", STEPS)
def test_old_or_new_and_the_same_step_again(name: str, case: str, points: Counter[str]) -> None:
    """At each point: values are those before or those after, at most one try is lost, and the step can be repeated."""
    prepare, step, answer = STEPS[case]
    reference = prepared(name, prepare)
    old = without_tries(contents(reference.card))
    assert step(reference) == answer
    new = without_tries(contents(reference.card))
    for holder, before in torn(name, prepare, step):
        points[case] += 1
        after = contents(holder.card)
        if case != "protected UPDATE":  # file contents are torn byte by byte, see test_virtual_faults
            assert without_tries(after) in (old, new)
        lost = [before["keys"][key][1] - after["keys"][key][1] for key in after["keys"]]
        lost.append(before["pin"][1] - after["pin"][1])
        assert all(count <= 1 for count in lost)
        assert sum(count == 1 for count in lost) <= 1
        finish(holder, case, step)
        assert without_tries(contents(holder.card)) == new
    assert points[case] >= 1


def finish(holder: KeyHolder, case: str, step: Step) -> None:
    """Put the card back and do the step again, or find that it was done."""
    card = holder.card
    assert isinstance(card, VirtualCard)
    card.power_on()
    if card.state is Lifecycle.BLOCKED:
        assert case == "CARD BLOCK"
        return
    aid = holder.profile.application("DF01").aid or b""
    selected = holder.terminal.sw("00A4040C", aid)
    if case.startswith("APPLICATION BLOCK") and selected != "9000":
        assert selected == ("9303" if "ever" in case else "6283")
        return
    if case == "APPLICATION UNBLOCK" and selected == "9000":
        return
    if case == "CHANGE PIN" and holder.verify(PIN) == "9000":
        return
    if case == "protected UPDATE":
        holder.show({"key:UK7"})
    sw = step(holder)
    assert sw in ("9000", "6988") or sw.startswith("63C"), (case, sw)


@pytest.mark.parametrize("name", ["ssc-v2", "ssc-v3"])
@pytest.mark.parametrize("count", [0, 1])
def test_a_right_pin_costs_a_try_before_it_is_compared(name: str, count: int) -> None:
    """Torn before the try is taken nothing was compared; torn right after, the try is gone though the PIN was right."""
    holder = prepared(name, nothing)
    TearAfterByte(holder.card, count)
    with pytest.raises(CardRemoved):
        holder.verify()
    holder.card.power_on()
    assert holder.terminal.sw("00200000") == f"63C{6 - count}"


@pytest.mark.parametrize("secret", ["pin", "key", "mac"])
def test_tearing_wins_no_try(secret: str) -> None:
    """Somebody who pulls the card out whenever a guess seems wrong gets as many guesses as anybody."""
    holder = prepared("ssc-v3", nothing)
    guess = {
        "pin": lambda: holder.verify(WRONG),
        "key": lambda: holder.authenticate("UK7", value=NEW),
        "mac": lambda: holder.protected("04D69600", b"permit", key="DF01/LK"),
    }[secret]
    compared = 0
    for _ in range(100):
        holder.card.power_on()
        holder.enter("DF01")
        TearAfterByte(holder.card, 1)  # after the try was taken; a right guess would need another byte
        sw = guess()
        holder.card.memory.budget = None
        compared += sw != "6983"
    assert compared == (6 if secret == "pin" else 15)
