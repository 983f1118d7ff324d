"""The reader's own keypad: structures of PC/SC part 10 byte for byte, and a reader that plays its part."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.card import pin_pad
from juying.card.channel import Channel
from juying.card.pin import typed_pin
from juying.card.pin_pad import PinPad, get_feature_request, modify_structure, pad_or, parse_features, verify_structure
from juying.card.trace import Recorder, Trace
from juying.errors import CardError, DecodeError, TransportError
from tests.card.scripted import ScriptedCard

VERIFY_CODE, MODIFY_CODE = 0x42330006, 0x42330007
FEATURES = bytes.fromhex("06 04 42330006" + "07 04 42330007" + "0A 04 4233000A")

VERIFY_STRUCTURE = bytes.fromhex(
    "1E 1E"  # bTimeOut, bTimeOut2: 30 seconds
    "81"  # bmFormatString: bytes, offset 0, left, BCD
    "03"  # bmPINBlockString: three bytes, no length
    "00"  # bmPINLengthFormat
    "0606"  # wPINMaxExtraDigit: six to six digits
    "02"  # bEntryValidationCondition: confirming key
    "01"  # bNumberMessage
    "0408"  # wLangId, little-endian: Chinese
    "00"  # bMsgIndex
    "000000"  # bTeoPrologue
    "08000000"  # ulDataLength, little-endian
    "00 20 00 00 03 FFFFFF"
)
MODIFY_STRUCTURE = bytes.fromhex(
    "1E 1E 81 03 00"
    "00 04"  # bInsertionOffsetOld, bInsertionOffsetNew
    "0606"
    "03"  # bConfirmPIN: present PIN, new one twice
    "02 03"
    "0408"
    "00 01 02"  # bMsgIndex1 to 3
    "000000"
    "0C000000"
    "80 5E 01 00 07 FFFFFF FF FFFFFF"
)


class PadCard(ScriptedCard):
    """A card in a reader with a keypad that answers ``status`` to whatever is typed."""

    def __init__(self, features: bytes = FEATURES, status: str = "9000") -> None:
        super().__init__()
        self.features = features
        self.status = bytes.fromhex(status)
        self.asked: list[tuple[int, bytes]] = []

    def control(self, code: int, data: bytes) -> bytes:
        if code == get_feature_request():
            return self.features
        self.asked.append((code, data))
        return self.status


class DeafReader(PadCard):
    """A reader that knows no control commands."""

    def control(self, code: int, data: bytes) -> bytes:
        raise TransportError("不支持", "unsupported")


def test_the_structures_are_those_of_the_standard() -> None:
    assert verify_structure() == VERIFY_STRUCTURE
    assert modify_structure() == MODIFY_STRUCTURE


@pytest.mark.parametrize(("platform", "code"), [("linux", 0x42000D48), ("darwin", 0x42000D48), ("win32", 0x00313520)])
def test_the_control_code_is_that_of_the_system(platform: str, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert get_feature_request() == code


def test_the_pin_goes_from_the_keypad_to_the_card() -> None:
    card = PadCard()
    pad = PinPad.of(card)
    assert pad is not None
    assert pad.verify() == 0x9000
    assert pad.change(_nobody) == 0x9000
    assert card.asked == [(VERIFY_CODE, VERIFY_STRUCTURE), (MODIFY_CODE, MODIFY_STRUCTURE)]


@pytest.mark.parametrize("status", ["63C2", "6400", "6401", "6402", "6403", "6983"])
def test_the_answer_of_card_or_reader_is_handed_on(status: str) -> None:
    pad = PinPad.of(PadCard(status=status))
    assert pad is not None
    assert pad.verify() == int(status, 16)


@pytest.mark.parametrize("status", ["", "90"])
def test_an_answer_without_status_word_is_no_answer(status: str) -> None:
    pad = PinPad.of(PadCard(status=status))
    assert pad is not None
    with pytest.raises(DecodeError):
        pad.verify()


def test_a_keypad_that_cannot_change_a_pin_says_so() -> None:
    pad = PinPad.of(PadCard(FEATURES[:6]))
    assert pad is not None
    with pytest.raises(CardError, match="cannot change"):
        pad.change(_nobody)


def _nobody() -> str:
    raise AssertionError("the reader asks for the new PIN")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(ScriptedCard, id="no control commands at all"),
        pytest.param(DeafReader, id="this one unknown"),
        pytest.param(lambda: PadCard(b""), id="no features"),
        pytest.param(lambda: PadCard(FEATURES[6:]), id="other features"),
        pytest.param(lambda: PadCard(FEATURES[:5]), id="nonsense"),
    ],
)
def test_without_a_keypad_the_pin_is_typed(make: Callable[[], ScriptedCard]) -> None:
    card = make()
    card.script = [("0020000003135790", "9000")]
    assert PinPad.of(card) is None
    assert pad_or(typed_pin(lambda: "135790"))(Channel(card)).verify() == 0x9000


def test_with_a_keypad_nothing_is_typed_here_and_the_holder_is_told() -> None:
    card, told = PadCard(), []
    assert pad_or(typed_pin(_nobody), told.append)(Channel(card)).verify() == 0x9000
    assert card.asked
    assert told == [pin_pad.PLEASE]


def test_a_recorded_reader_keeps_its_keypad_and_the_trace_does_not_show_it(tmp_path: Path) -> None:
    card = PadCard()
    with Recorder(card, None, tmp_path / "t") as recorder:
        pad = PinPad.of(recorder)
        assert pad is not None
        assert pad.verify() == 0x9000
    assert Trace.load(tmp_path / "t").exchanges == ()
    with Recorder(ScriptedCard(), None, tmp_path / "u") as recorder:
        assert PinPad.of(recorder) is None


def test_features_are_listed_with_their_codes() -> None:
    assert parse_features(FEATURES) == {0x06: VERIFY_CODE, 0x07: MODIFY_CODE, 0x0A: 0x4233000A}
    assert parse_features(b"") == {}


@pytest.mark.parametrize("raw", [FEATURES[:7], FEATURES + b"\x01", bytes.fromhex("060342330006"), FEATURES * 100])
def test_a_list_of_another_shape_is_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_features(raw)


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_list_or_refused(raw: bytes) -> None:
    try:
        assert len(parse_features(raw)) <= 256
    except DecodeError:
        assert raw


def test_every_answer_of_a_keypad_has_its_words() -> None:
    assert set(pin_pad.ANSWERS) == {0x6400, 0x6401, 0x6402, 0x6403}
