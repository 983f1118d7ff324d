"""A whole card written and read while it is recorded, both ways; what was recorded replays the same."""

from pathlib import Path

import pytest

from juying.card.ssc import CardData, SscCard
from juying.card.trace import Recorder, Replay, Trace
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from tests.path.conftest import Insert
from tests.path.samples import EVERYTHING, PHOTO, PROFILES, RECORD, blank, contents


@pytest.mark.usefixtures("same_nonce")
@pytest.mark.parametrize("profile", PROFILES)
def test_a_recorded_write_and_read_replay_the_same(profile: str, insert: Insert, tmp_path: Path) -> None:
    card, wanted, path = blank(profile), contents(photo=PHOTO), tmp_path / "card.trace"
    with insert(card) as transport, Recorder(transport, load_profile(profile), path, masked=False) as recorder:
        plan = write_card(SscCard.open(recorder), wanted)
        data = SscCard.open(recorder, access=EVERYTHING).read(photo=True, everything=True)
    trace = Trace.load(path)
    assert (trace.atr, trace.protocol, trace.masked) == (card.atr, card.profile.protocol, False)
    assert len(trace.exchanges) > 2 * len(plan.writes)
    with Replay(path) as replay:
        assert write_card(SscCard.open(replay), wanted) == plan
        assert SscCard.open(replay, access=EVERYTHING).read(photo=True, everything=True) == data


@pytest.mark.parametrize("profile", PROFILES)
def test_a_masked_trace_replays_the_same_card_with_an_invented_person(
    profile: str, insert: Insert, tmp_path: Path
) -> None:
    path = tmp_path / "card.trace"
    with insert(blank(profile)) as transport, Recorder(transport, load_profile(profile), path) as recorder:
        write_card(SscCard.open(recorder), contents(photo=PHOTO))
        data = SscCard.open(recorder, access=EVERYTHING).read(photo=True, everything=True)
    with Replay(path) as replay:
        shown = SscCard.open(replay, access=EVERYTHING).read(photo=True, everything=True)
    assert shown.problems == data.problems == ()
    assert (shown.profile, shown.values.keys()) == (data.profile, data.values.keys())
    assert _structure(shown) == _structure(data)
    for name in ("holder.registered_name", "holder.social_security_number", "card.number", "holder.birth_date"):
        assert shown.values[name] != data.values[name]
    written = path.read_bytes()
    for secret in (b"ERIKSSON", b"L898902C3", RECORD[:16], PHOTO[:64]):
        assert secret.hex().upper().encode() not in written


def _structure(data: CardData) -> dict[str, list[tuple[int, int]]]:
    """Tags and lengths of what was read."""
    return {address: [(item.raw[0], len(item.raw)) for item in items] for address, items in data.items.items()}
