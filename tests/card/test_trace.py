"""Traces: written line by line, read strictly, replayed, and free of personal data."""

import json
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from juying.card import apdu
from juying.card.ssc import SscCard
from juying.card.trace import MAX_EXCHANGES, Recorded, Recorder, Replay, Trace
from juying.card.transport import Transport
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.codec.permit_slots import encode_slot
from juying.codec.profile import load_profile
from juying.codec.spec import File, FileKind, Profile, Record
from juying.errors import CardRemoved, DecodeError, InputError
from tests.card.scripted import FunctionCard, ScriptedCard
from tests.path.samples import EVERYTHING

HEADER = '{"atr": "3B021450", "protocol": "T=0"}\n'
SERIAL = bytes.fromhex("2A5C0F11")


def trace_of(*exchanges: tuple[str, str]) -> Trace:
    pairs = [Recorded(bytes.fromhex(command), bytes.fromhex(answer)) for command, answer in exchanges]
    return Trace(b"\x3b\x00", "T=1", False, tuple(pairs))


def replay(*exchanges: tuple[str, str]) -> Callable[[str], str]:
    """A replay that speaks hex."""
    transport = Replay(trace_of(*exchanges))
    return lambda command: transport.transmit(bytes.fromhex(command)).hex().upper()


# Recording


def test_file_format(tmp_path: Path) -> None:
    """The first line describes the card, each further line is one exchange in upper-case hexadecimal."""
    clock = count(0, 0.0125)
    card = ScriptedCard(("00a4000002df01", "6f0084"), ("00b0000002", "abcd9000"), atr=b"\x3b\x00", protocol="T=0")
    path = tmp_path / "card.trace"
    with Recorder(card, None, path, masked=False, clock=lambda: next(clock)) as recorder:
        assert (recorder.atr, recorder.protocol, recorder.name) == (b"\x3b\x00", "T=0", "scripted")
        recorder.transmit(bytes.fromhex("00A4000002DF01"))
        assert recorder.transmit(bytes.fromhex("00B0000002")) == bytes.fromhex("ABCD9000")
    assert card.closed == 1
    assert path.read_text("ascii").splitlines() == [
        '{"atr": "3B00", "protocol": "T=0"}',
        '{"command": "00A4000002DF01", "response": "6F0084", "ms": 12.5}',
        '{"command": "00B0000002", "response": "ABCD9000", "ms": 12.5}',
    ]


def test_masked_is_the_default_and_says_so(tmp_path: Path) -> None:
    card = ScriptedCard(("00b0000008", b"ERIKSSON".hex() + "9000"), atr=bytes.fromhex("3B6404") + SERIAL[1:])
    with Recorder(card, None, tmp_path / "t") as recorder:
        assert recorder.transmit(bytes.fromhex("00B0000008")) == b"ERIKSSON\x90\x00"
    trace = Trace.load(tmp_path / "t")
    assert trace.masked
    assert b"ERIKSSON" not in trace.exchanges[0].response
    assert SERIAL[1:] not in trace.atr


def test_only_the_owner_may_read_a_trace(tmp_path: Path) -> None:
    Recorder(ScriptedCard(), None, tmp_path / "t").close()
    mode = stat.S_IMODE((tmp_path / "t").stat().st_mode)
    assert mode == 0o600 or sys.platform == "win32"


def test_no_trace_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("precious")
    for path in (tmp_path / "t", tmp_path / "missing" / "t"):
        with pytest.raises(InputError, match="choose another name"):
            Recorder(ScriptedCard(), None, path)
    assert (tmp_path / "t").read_text() == "precious"


def test_every_line_is_on_the_disk_before_the_next_command(tmp_path: Path) -> None:
    """A program that dies in the middle leaves a trace that loads."""
    with Recorder(FunctionCard(lambda command: b"\x90\x00"), None, tmp_path / "t") as recorder:
        for done in range(3):
            assert len(Trace.load(tmp_path / "t").exchanges) == done
            recorder.transmit(bytes.fromhex("00440000"))


def test_a_pulled_card_is_no_exchange(tmp_path: Path) -> None:
    def pulled(command: bytes) -> bytes:
        raise CardRemoved("卡片已取出", "the card was pulled")

    with Recorder(FunctionCard(pulled), None, tmp_path / "t") as recorder, pytest.raises(CardRemoved):
        recorder.transmit(bytes.fromhex("00440000"))
    assert Trace.load(tmp_path / "t").exchanges == ()


class FullDisk:
    """A file on a disk without space, from the given number of writes on."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, line: str) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(28, "No space left on device")

    def flush(self) -> None:
        pass

    def close(self) -> None:
        if self.room <= 0:
            raise OSError(28, "No space left on device")


@pytest.mark.parametrize("room", [0, 1, 2])
def test_full_disk_does_not_disturb_the_card(tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command still reaches the card; closing closes it, and then tells that the trace is incomplete."""
    monkeypatch.setattr("builtins.open", lambda *args, **options: FullDisk(room))
    card = ScriptedCard(("00440000", "9000"), ("00440000", "9000"))
    recorder = Recorder(card, None, tmp_path / "t")
    monkeypatch.undo()
    for _ in range(2):
        assert recorder.transmit(bytes.fromhex("00440000")) == b"\x90\x00"
    with pytest.raises(InputError, match="trace is incomplete"):
        recorder.close()
    assert card.closed == 1


# Loading


def load(tmp_path: Path, content: str | bytes) -> Trace:
    path = tmp_path / "t"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return Trace.load(path)


def test_load(tmp_path: Path) -> None:
    trace = load(
        tmp_path, HEADER + '{"command": "00A4", "response": "9000", "ms": 3.1}\n{"response":"","command":""}\r\n'
    )
    assert (trace.atr, trace.protocol, trace.masked) == (bytes.fromhex("3B021450"), "T=0", False)
    assert trace.exchanges == (Recorded(b"\x00\xa4", b"\x90\x00", 3.1), Recorded(b"", b"", 0.0))
    assert repr(trace.exchanges[0]) == "Recorded(2 bytes, 2 bytes, 3.1 ms)"


@pytest.mark.parametrize(
    ("tail", "exchanges"),
    [
        ("", 1),
        ('{"command": "00', 1),
        ("[", 1),
        ("5", 1),
        ("[" * 5000, 1),
        ('{"command": "00B0", "response": "6D00"}', 2),
    ],
)
def test_torn_last_line(tmp_path: Path, tail: str, exchanges: int) -> None:
    """Half a line at the end is what a crash leaves: it is passed over; a whole one without line end counts."""
    trace = load(tmp_path, HEADER + '{"command": "00A4", "response": "9000"}\n' + tail)
    assert len(trace.exchanges) == exchanges


LINE = '{"command": "00A4", "response": "9000"}\n'


@pytest.mark.parametrize(
    ("content", "line", "problem"),
    [
        ("", 1, "empty"),
        ('{"atr": "3B"', 1, "empty"),
        ("\n", 1, "not valid JSON"),
        ("[]\n", 1, "a JSON object with atr, masked, protocol"),
        ('{"atr": "3B"}\n', 1, "a JSON object"),
        ('{"atr": "3B", "protocol": "T=1", "reader": "x"}\n', 1, "a JSON object"),
        ('{"atr": "3B", "protocol": "T=2"}\n', 1, "protocol"),
        ('{"atr": "3B", "protocol": "T=1", "masked": 1}\n', 1, "masked"),
        ('{"atr": 3, "protocol": "T=1"}\n', 1, "atr must be hexadecimal"),
        ('{"atr": "' + "00" * 34 + '", "protocol": "T=1"}\n', 1, "33 bytes"),
        (HEADER + LINE + '{"command": "00A4"}\n', 3, "a JSON object with command, ms, response"),
        (HEADER + LINE + LINE + "{}\n" + LINE, 4, "a JSON object"),
        (HEADER + LINE + '{"command": "00A4", "response": "9000", "note": ""}\n', 3, "a JSON object"),
        (HEADER + '{"command": "00A", "response": "9000"}\n', 2, "command must be hexadecimal"),
        (HEADER + '{"command": "00 A4", "response": "9000"}\n', 2, "command must be hexadecimal"),
        (HEADER + '{"command": "00A4", "response": "SECRET"}\n', 2, "response must be hexadecimal"),
        (HEADER + '{"command": "00A4", "response": null}\n', 2, "response must be hexadecimal"),
        (HEADER + '{"command": "' + "00" * 65545 + '", "response": ""}\n', 2, "65544 bytes at most"),
        (HEADER + '{"command": "", "response": "", "ms": -1}\n', 2, "ms must be"),
        (HEADER + '{"command": "", "response": "", "ms": NaN}\n', 2, "ms must be"),
        (HEADER + '{"command": "", "response": "", "ms": Infinity}\n', 2, "ms must be"),
        (HEADER + '{"command": "", "response": "", "ms": 1' + "0" * 400 + "}\n", 2, "ms must be"),
        (HEADER + '{"command": "", "response": "", "ms": true}\n', 2, "ms must be"),
        (HEADER + '{"command": "", "response": "", "ms": "1"}\n', 2, "ms must be"),
        (HEADER + LINE + "{" + " " * 300_000 + "}\n", 3, "too long"),
        (HEADER + "[" * 100_000 + "\n", 2, "not valid JSON"),
        (HEADER + LINE + "\udcff\n", 3, "not valid JSON"),
    ],
)
def test_bad_traces_are_refused_with_file_and_line(tmp_path: Path, content: str, line: int, problem: str) -> None:
    with pytest.raises(DecodeError, match=problem) as caught:
        load(tmp_path, content.encode("utf-8", "surrogateescape"))
    assert caught.value.where == f"{tmp_path / 't'}:{line}"
    assert "SECRET" not in str(caught.value)


def test_limits_of_the_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DecodeError, match="too large"):
        load(tmp_path, HEADER + "\n" * (MAX_EXCHANGES + 1))
    monkeypatch.setattr("juying.card.trace.MAX_FILE", 50)
    with pytest.raises(DecodeError, match="too large"):
        load(tmp_path, HEADER + LINE)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Replay(tmp_path / "t")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda raw: HEADER.encode() + raw))
def test_any_file_loads_or_is_refused(tmp_path: Path, content: bytes) -> None:
    try:
        trace = load(tmp_path, content)
    except DecodeError:
        return
    assert trace.protocol == "T=0"


# Replay


def test_replay_is_a_transport(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text(HEADER + LINE)
    transport: Transport = Replay(path)
    assert (transport.atr, transport.protocol, transport.name) == (bytes.fromhex("3B021450"), "T=0", str(path))
    assert transport.transmit(b"\x00\xa4") == b"\x90\x00"
    transport.close()
    assert Replay(trace_of()).name == "replay"


def test_exact_matches_play_in_order_and_then_again() -> None:
    """The next one not yet played; when all are played, the last one (the newest state of the card)."""
    say = replay(("00B2010400", "AA9000"), ("00B2010400", "BB9000"))
    assert [say("00B2010400") for _ in range(3)] == ["AA9000", "BB9000", "BB9000"]


def test_same_command_in_several_files() -> None:
    """READ RECORD 1 means another record after each SELECT, in whatever order the player selects."""
    say = replay(
        ("00A4000002EF05", "9000"),
        ("00B2010400", "059000"),
        ("00A4000002EF06", "9000"),
        ("00B2010400", "069000"),
        ("00A4000002EF05", "9000"),
        ("00B2010400", "F59000"),
    )
    assert [say("00A4000002EF06"), say("00B2010400")] == ["9000", "069000"]
    assert [say("00A4000002EF05"), say("00B2010400"), say("00B2010400")] == ["9000", "F59000", "F59000"]
    assert [say("00A4000002EF05"), say("00B2010400")] == ["9000", "059000"]
    assert [say("00A4000002EF06"), say("00B2010400")] == ["9000", "069000"]


def test_exact_match_elsewhere_is_better_than_none() -> None:
    say = replay(("00A4000002EF05", "9000"), ("00B2010400", "059000"), ("00A4000002EF06", "9000"))
    assert [say("00A4000002EF06"), say("00B2010400")] == ["9000", "059000"]


def test_match_that_ignores_le() -> None:
    """With or without Le, and in short or extended form; an exact match elsewhere comes first."""
    say = replay(("00A40400021122", "6F9000"), ("00B2010412", "AA9000"), ("00B2010400", "6C12"))
    assert say("00A4040002112200") == "6F9000"
    assert say("00A404000000021122") == "6F9000"
    assert say("00B2010400") == "6C12"
    assert say("00B2010412") == "AA9000"
    assert say("00B2010410") in ("AA9000", "6C12")


def test_pins_and_cryptograms_are_no_part_of_the_match() -> None:
    """A trace holds none of them; the answers to several keys come in their order."""
    say = replay(("0020000003000000", "9000"), ("0082000A10" + "00" * 16, "9000"), ("0082000410" + "00" * 16, "63C2"))
    assert say("0020000003123456") == "9000"
    assert say("0082000410" + "5A" * 16) == "63C2"
    assert say("0082000A10" + "A5" * 16) == "9000"
    assert say("008200FF10" + "A5" * 16) == "6D00"
    assert say("002000000412345678") == "6D00"


@pytest.mark.parametrize(
    ("command", "answer"),
    [("00A4000002EF09", "6A82"), ("00B2020400", "6D00"), ("00B2", "6D00"), ("", "6D00"), ("00A4FF", "6A82")],
)
def test_what_was_not_recorded(command: str, answer: str) -> None:
    assert replay(("00B2010400", "9000"), ("00", "9000"))(command) == answer


# A whole card, recorded masked and read again


@pytest.fixture(params=["ssc-v1", "ssc-v2", "ssc-v3"])
def profile(request: pytest.FixtureRequest) -> Profile:
    return load_profile(request.param)


@dataclass
class Personal:
    """A personal value, and the record or row in which it stands at ``offset``."""

    whole: bytes
    offset: int
    value: bytes


def fill(card: VirtualCard, profile: Profile) -> list[Personal]:
    """Write a vector into every record, row and file of the card; the personal values among them."""
    personal = []
    memory = card.memory.files
    for file in profile.files:
        if file.address not in memory:
            continue
        if file.kind is FileKind.CYCLIC:
            row = file.vectors[0].hex
            memory[file.address].append(bytearray(row))
            personal += [Personal(row, 0, row)] if any(spec.personal for spec in (file, *file.records)) else []
        elif file.kind is FileKind.TRANSPARENT:
            content = transparent_content(file)
            memory[file.address][0][: len(content)] = content
            pieces = [content[at : at + 12] for at in range(16, len(content) - 12, 12)] if file.personal else []
            personal += [Personal(content, 0, piece) for piece in pieces]
        else:
            for number, record in enumerate(file.slots):
                raw = next((entry.hex for entry in record.vectors if entry.hex[2:].strip(b"\xff")), record.blank)
                raw = raw.replace(b"UTO", b"DEU")  # the masked one is UTO
                if record.field == "card.identifier":  # it names the city whose keys the card has
                    raw = bytes(memory[file.address][number])
                memory[file.address][number][:] = raw
                personal += [Personal(raw, at, value) for at, value in values(record, raw, 2, file.personal)]
    return personal


def transparent_content(file: File) -> bytes:
    body = bytes(7 * at % 251 + 1 for at in range(250))
    if file.content == "photo":
        return len(body).to_bytes(2) + body
    return encode_slot(body, 1) if file.content == "permit-slot" else body


def values(record: Record, raw: bytes, start: int, marked: bool) -> Iterator[tuple[int, bytes]]:
    """The personal values in a record and where they stand, without padding and blanks."""
    marked = marked or record.personal
    for part in record.parts:
        yield from values(part, raw, start + 2, marked)
        start += 2 + part.length
    core = raw[start : start + record.length].rstrip(b"\0 \xff")
    if core and marked and not record.parts:
        yield start, core


def read_everything(transport: Transport) -> tuple[Any, list[int]]:
    """Read the card as our own reader does, and every transparent file; the shape of what came."""
    card = SscCard.open(transport, access=EVERYTHING)
    data = card.read(photo=True, everything=True)
    lengths = [len(card.read_binary(file, 0, file.size)) for file in card.profile.files if file.size]
    return data, lengths


@pytest.fixture
def full_card(profile: Profile) -> tuple[VirtualCard, list[Personal]]:
    card = VirtualCard.blank(profile, serial=SERIAL)
    return card, fill(card, profile)


def test_no_personal_value_gets_into_a_masked_trace(
    full_card: tuple[VirtualCard, list[Personal]], tmp_path: Path
) -> None:
    """Every personal record of the profile, read by the reader, against what an unmasked trace of the same shows.

    None of the values stands in its place; those too long to occur by chance stand nowhere in the file.
    """
    card, personal = full_card
    with (
        Recorder(LocalTransport(card), None, tmp_path / "plain", masked=False) as plain,
        Recorder(plain, None, tmp_path / "masked") as masked,
    ):
        read_everything(masked)
    plain_trace, trace = Trace.load(tmp_path / "plain"), Trace.load(tmp_path / "masked")
    shown = {
        before.response[:-2]: after.response[:-2]
        for before, after in zip(plain_trace.exchanges, trace.exchanges, strict=True)
    }
    in_place = [entry for entry in personal if entry.whole in shown]
    assert len(in_place) > 30
    assert [entry for entry in in_place if shown[entry.whole].startswith(entry.value, entry.offset)] == []
    written = (tmp_path / "masked").read_text().upper()
    long = [entry for entry in personal if len(entry.value) >= 8]
    assert len(long) > 50
    assert [entry for entry in long if entry.value.hex().upper() in written] == []
    assert SERIAL.hex().upper() not in written


def test_masked_trace_replays_like_the_card(full_card: tuple[VirtualCard, list[Personal]], tmp_path: Path) -> None:
    """Same profile, same records, same fields: the values differ where they are personal, and all decode."""
    card, _ = full_card
    with Recorder(LocalTransport(card), None, tmp_path / "t") as recorder:
        real, real_lengths = read_everything(recorder)
    shown, lengths = read_everything(Replay(tmp_path / "t"))
    assert shown.profile == real.profile
    assert lengths == real_lengths
    assert shown.values.keys() == real.values.keys()
    assert [problem.where for problem in shown.problems] == [problem.where for problem in real.problems]
    assert {name: [item.raw[:2] for item in items] for name, items in shown.items.items()} == {
        name: [item.raw[:2] for item in items] for name, items in real.items.items()
    }
    for field in ("card.version", "card.issued_on", "card.expires_on", "card.institution"):
        assert shown.values[field] == real.values[field]
    for field in ("card.number", "card.identifier", "holder.registered_name", "holder.birth_date"):
        assert shown.values[field] != real.values[field]
        assert type(shown.values[field]) is type(real.values[field])
    assert len(shown.values["holder.photo"]) == 250 if "holder.photo" in real.values else True


def test_written_and_read_back_values_agree_in_the_trace(tmp_path: Path) -> None:
    """The pseudonym of what was written is the pseudonym of what is read."""
    profile = load_profile("ssc-v2")
    name = profile.file("SSSE/EF06").slots[1].encode("ERIKSSON ANNA MARIA")
    with Recorder(LocalTransport(VirtualCard.blank(profile)), profile, tmp_path / "t") as recorder:
        card, file = SscCard.open(recorder), profile.file("SSSE/EF06")
        card.write(file, file.write, apdu.update_record(2, name), where="test")
        assert card.read_record(file, 2) == name
    exchanges = [json.loads(line) for line in (tmp_path / "t").read_text().splitlines()[1:]]
    written = next(entry["command"][10:] for entry in exchanges if entry["command"].startswith("00DC"))
    read = next(entry["response"] for entry in exchanges if entry["response"].startswith("091E"))
    assert read == written + "9000"
    assert b"ERIKSSON".hex().upper() not in written
