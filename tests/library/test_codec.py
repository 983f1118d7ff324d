"""Messages of SIP2: bytes to values and back, and what is not taken."""

import json
import string
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.errors import DecodeError, FieldError, InputError
from juying.services.library.codec import MAX_FIELDS, MAX_MESSAGE, Sum, decode, encode
from juying.services.library.items import CheckoutAnswer, FeePaid, ItemInformationAnswer
from juying.services.library.kinds import (
    AMOUNT,
    LIMIT,
    MOMENT,
    OK,
    PERHAPS,
    STATUS,
    SUMMARY,
    SUPPORTED_MESSAGES,
    TEXT,
    YES_NO,
)
from juying.services.library.layout import LAYOUTS, Message
from juying.services.library.messages import (
    Login,
    LoginAnswer,
    PatronInformation,
    PatronInformationAnswer,
    PatronStatusAnswer,
    ResendAnswer,
    ResendRequest,
    SystemStatus,
    TerminalStatus,
)
from juying.services.library.patron import FLAGS, SUPPORTED, Flag, Summary
from juying.services.library.wire import BOOK, Checking, Summing, Terminator, Wire, checksum

STRICT = Wire(strict=True, receive_checksum=Checking.STRICT)
BARE = Wire(send_checksum=Checking.OFF)
NOON = datetime(2026, 11, 22, 12)
TRANSCRIPTS = json.loads(Path(__file__).with_name("transcripts.json").read_text("utf-8"))

RECORDED: list[dict[str, Any]] = [
    {"ok": True},
    {"institution": "UWOLS", "timeout": 600, "retries": 3, "online": True, "checkin_ok": False, "version": "2.00"},
    {"status": {Flag.RECALL_DENIED}, "name": "David J. Fiander", "valid": True, "pin_valid": True, "language": "019"},
    {"valid": True, "pin_valid": True, "fines": 1, "charged": 0, "phone": "(519) 555 1234", "charged_items": ()},
    {"valid": True, "pin_valid": False, "email": "djfiander@hotmail.com", "extra": (("AQ", "Beacock"),)},
    {"valid": False, "name": "", "status": set(FLAGS[:4]), "pin_valid": None},
    {"ok": True, "renewal_ok": False, "due": "20261206    072201", "item": "1565921879", "media_type": "001"},
    {"ok": True, "renewal_ok": True, "title": "Perl 5 desktop reference"},
    {"ok": True, "renewal_ok": True, "desensitise": False, "institution": "UWOLS"},
    {"charged": 2, "charged_items": ("1565921879", "1565921879")},
]
"""What stands in the answers of the transcripts, in their order."""


@pytest.mark.parametrize(("number", "transcript"), list(enumerate(TRANSCRIPTS)), ids=range(len(TRANSCRIPTS)))
def test_recorded_exchanges_decode_to_their_values(number: int, transcript: dict[str, str]) -> None:
    request = decode(bytes.fromhex(transcript["request"]), STRICT)
    answer = decode(bytes.fromhex(transcript["answer"]), STRICT)
    assert (request.checksum, answer.checksum) == (Sum.RIGHT, Sum.RIGHT)
    assert request.sequence == answer.sequence == number
    assert request.message.answer == answer.message.id
    assert encode(request.message, STRICT, number) == bytes.fromhex(transcript["request"])
    for name, value in RECORDED[number].items():
        told = getattr(answer.message, name)
        assert (told[:1] if name == "extra" else told) == value


def test_the_supported_messages_of_a_recorded_system() -> None:
    answer = decode(bytes.fromhex(TRANSCRIPTS[1]["answer"])).message
    assert isinstance(answer, SystemStatus)
    assert answer.supported == set(SUPPORTED) - {"37", "19"}
    assert encode(answer, BOOK, 1) == bytes.fromhex(TRANSCRIPTS[1]["answer"])


@pytest.mark.parametrize(
    ("data", "digits"),
    [
        (b"9300CNscclient|COclientpwd|CPtz-main|AY0AZ", b"F0C6"),
        (b"941AY0AZ", b"FDFD"),
        (b"9900802.00AY1AZ", b"FCA0"),
        (b"97AZ", b"FEF5"),
        (b"96AZ", b"FEF6"),
        (b"~" * 500, b"09E8"),
    ],
)
def test_the_checksum_is_the_sum_of_the_bytes(data: bytes, digits: bytes) -> None:
    assert checksum(data) == digits


@given(st.binary(max_size=700))
def test_bytes_and_checksum_add_up_to_zero(data: bytes) -> None:
    assert (sum(data) + int(checksum(data), 16)) % 65536 == 0


def test_requests_for_another_copy_are_constants() -> None:
    assert encode(ResendAnswer()) == b"97AZFEF5\r"
    assert encode(ResendRequest(), Wire(terminator=Terminator.CRLF)) == b"96AZFEF6\r\n"
    assert decode(b"96AZFEF6", STRICT).message == ResendRequest()


# every message, there and back

_safe = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="|"), max_size=40)
_moment = st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(
    lambda each: each.replace(microsecond=0)
)
_STRATEGIES: dict[int, st.SearchStrategy[Any]] = {
    id(TEXT): _safe,
    id(YES_NO): st.booleans(),
    id(OK): st.booleans(),
    id(PERHAPS): st.none() | st.booleans(),
    id(MOMENT): _moment | _moment.map(lambda each: each and each.replace(tzinfo=UTC)),
    id(STATUS): st.frozensets(st.sampled_from(FLAGS)),
    id(SUMMARY): st.none() | st.sampled_from(Summary),
    id(SUPPORTED_MESSAGES): st.frozensets(st.sampled_from(SUPPORTED)),
    id(LIMIT): st.none() | st.integers(0, 9999),
    id(AMOUNT): st.none() | st.decimals(-99999, 99999, places=2),
}


def _values(kind: Any, width: int) -> st.SearchStrategy[Any]:
    if id(kind) in _STRATEGIES:
        return _STRATEGIES[id(kind)]
    if kind.empty is None:
        return st.none() | st.integers(0, 10**width - 1)
    return st.text(string.ascii_letters + string.digits, min_size=width, max_size=width)


@st.composite
def any_message(draw: st.DrawFn) -> Message:
    layout = LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))]
    values = {each.name: draw(_values(each.kind, each.place.stop - each.place.start)) for each in layout.fixed}
    for each in layout.named:
        one = _values(each.kind, 4)
        if each.repeated:
            values[each.name] = tuple(draw(st.lists(one, max_size=3)))
        else:
            some = one.filter(lambda value: value is not None)
            values[each.name] = draw(some if each.required else st.none() | some)
    values["extra"] = tuple(draw(st.lists(st.tuples(st.just("ZZ") | st.just("x9"), _safe), max_size=2)))
    return layout.type(**values)


@given(any_message(), st.integers(0, 9), st.booleans())
def test_what_is_written_is_read(message: Message, digit: int, strict: bool) -> None:
    """An amount that is None is no amount: the field is not there."""
    received = decode(encode(message, BOOK, digit), STRICT if strict else BOOK)
    assert received == (message, digit, Sum.RIGHT, ())


@given(st.binary(max_size=300) | st.binary(max_size=100).map(lambda tail: b"64" + b" " * 59 + tail))
def test_nothing_but_decode_errors(data: bytes) -> None:
    for wire in (BOOK, STRICT, Wire(charset="gbk", checksum=Summing.DP2)):
        try:
            received = decode(data, wire)
        except DecodeError:
            continue
        assert received.message.id in LAYOUTS


# what is not sent


@pytest.mark.parametrize("value", ["R1|BLY", "R1\r", "R1\n63", "R1\0", "x" * 256, "\x7f"])
def test_a_value_that_would_be_something_else_is_refused(value: str) -> None:
    with pytest.raises(FieldError, match="nothing can be escaped") as caught:
        encode(Login(login="t", password=value))
    assert caught.value.field == "password"
    assert value not in str(caught.value)


def test_wide_spaces_are_no_control_characters() -> None:
    request = Login(login="t", password="　")
    assert decode(encode(request)).message == request


def test_a_character_that_the_site_does_not_have_is_refused() -> None:
    with pytest.raises(FieldError, match="it lacks"):
        encode(Login(login="张三", password=""), Wire(charset="cp850"))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"version": "2.0"}, "version"),
        ({"version": "2|00"}, "version"),
        ({"print_width": 1000}, "print_width"),
        ({"status": 12}, "status"),
    ],
)
def test_a_fixed_field_has_to_be_filled(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(FieldError) as caught:
        encode(TerminalStatus(**changes))
    assert caught.value.field == name


def test_extra_fields_need_codes() -> None:
    with pytest.raises(FieldError, match="invalid code"):
        encode(Login(login="", password="", extra=(("|A", ""),)))


def test_a_message_has_its_fields_and_no_others() -> None:
    with pytest.raises(TypeError, match=r"Login: missing or unknown: password, pasword"):
        Login(login="", pasword="")


def test_messages_are_frozen_and_can_be_changed_by_copy() -> None:
    status = TerminalStatus()
    with pytest.raises(AttributeError):
        status.status = 1
    assert replace(status, status=1) == TerminalStatus(status=1) != status


def test_nothing_personal_is_shown() -> None:
    message = decode(bytes.fromhex(TRANSCRIPTS[3]["answer"])).message
    shown = repr(message)
    for secret in ("Fiander", "djfiander", "Meadowvale", "519", "1964"):
        assert secret not in shown
    assert "institution='UWOLS'" in shown
    assert "open sesame" not in repr(Login(login="t", password="open sesame"))


# what is taken, and what is noted


def book(text: str, *, digit: str = "AY3") -> bytes:
    data = f"{text}{digit}AZ".encode()
    return data + checksum(data)


STATUS_24 = f"24{' ' * 14}01920261122    120000"


def noted(data: bytes, wire: Wire = BOOK) -> list[str]:
    return [problem.en for problem in decode(data, wire).problems]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"\x00\x00" + book("941"), "there are other bytes before the message"),
        (book(f"{STATUS_24}AOx|AAx|AE"), "the last field does not end"),
        (book(f"{STATUS_24}AOx|AAx|"), "the field AE is missing"),
        (book(f"{STATUS_24}AOx|AAx|AE|BLX|"), "the value of valid is not as it should be"),
        (book(f"{STATUS_24}AOx|AAx|AE|BLY|BLN|"), "a field stands twice"),
        (book(f"{STATUS_24}AOx|AAx|AE|!|"), "a field has no code"),
        (book(f"24{' ' * 14}01920261399    120000AOx|AAx|AE|"), "the value of date is not as it should be"),
        (book(f"24{' ' * 14}0192026112     120000AOx|AAx|AE|"), "the value of date is not as it should be"),
        (book(f"{STATUS_24}AOx|AAx|AE|BV12元|"), "the value of fee is not as it should be"),
        (book("941", digit="AYx"), "the sequence number is no digit"),
        (b"941AY0AZFDFE", "the checksum is wrong"),
        (b"941AY0AZ", "the checksum is wrong"),
        (b"941AY0", "there is no checksum"),
        (b"941", "there is no checksum"),
        (b"941AY0AZfdfd", "the checksum has not four upper-case hexadecimal digits"),
        (f"{STATUS_24}AOx|AAx|AE\xe9|".encode("latin-1"), "some bytes are no utf-8"),
    ],
)
def test_deviations_are_noted_or_refused(data: bytes, problem: str) -> None:
    assert problem in noted(data)
    with pytest.raises(DecodeError):
        decode(data, replace(STRICT, receive_checksum=Checking.WARN))


@pytest.mark.parametrize(
    "data",
    [
        book(f"24{'N' * 14}01920261122    120000AOx|AAx|AE|"),
        book(f"24{' ' * 14}019202611220800120000AOx|AAx|AE|"),
        book(f"{STATUS_24}AOx|AAx|AE|BL1|"),
        book(f"64{' ' * 14}01920261122    120000{' ' * 24}AOx|AAx|AE|CB10|"),
    ],
)
def test_what_can_be_read_is_not_by_the_book(data: bytes) -> None:
    assert noted(data) == []
    with pytest.raises(DecodeError, match="not as it should be"):
        decode(data, STRICT)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "unknown id"),
        (b"95" + b"x" * 50, "unknown id"),
        (b"AB", "unknown id"),
        (b"24   ", "cut off"),
        (b"64" + b"x" * MAX_MESSAGE, "more than 65536 bytes"),
        (book(STATUS_24 + "AFx|" * (MAX_FIELDS + 1)), f"more than {MAX_FIELDS} fields"),
    ],
)
def test_what_is_no_message(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        decode(data)


def test_checksum_modes() -> None:
    wrong = b"941AY0AZ0000\r"
    assert decode(wrong, Wire(receive_checksum=Checking.OFF)).problems == ()
    assert noted(wrong) == ["the checksum is wrong"]
    with pytest.raises(DecodeError, match="the checksum is wrong"):
        decode(wrong, Wire(receive_checksum=Checking.STRICT))
    with pytest.raises(DecodeError, match="there is no checksum"):
        decode(b"941", Wire(receive_checksum=Checking.STRICT))
    assert noted(b"941", BARE) == []


def test_a_trailer_may_end_in_a_bar() -> None:
    assert decode(book("941") + b"|").checksum is Sum.RIGHT


def test_names_whose_bytes_hold_a_bar() -> None:
    """東珅瑋 in GBK: each character ends in the byte of the bar, and there are rarer ones that only GB18030 has."""
    for charset, name in (("gbk", "東珅瑋"), ("gb18030", "東珅瑋㛃𠮷")):
        wire = Wire(charset=charset, strict=True)
        answer = PatronStatusAnswer(
            status=frozenset(), language="019", date=NOON, institution="T", reader="R1", name=name, valid=True
        )
        data = encode(answer, wire, 1)
        assert data.count(b"|") > 4
        assert decode(data, wire) == (answer, 1, Sum.RIGHT, ())


def test_the_checksum_of_dp2() -> None:
    """UTF-16 units without the closing ``|AY4AZ``."""
    wire = Wire(checksum=Summing.DP2, receive_checksum=Checking.STRICT)
    body = f"{STATUS_24}AOx|AAx|AE样本|BLY"
    total = sum(int.from_bytes(body[at].encode("utf-16-le"), "little") for at in range(len(body)))
    data = f"{body}|AY4AZ{-total & 0xFFFF:04X}".encode()
    received = decode(data, wire)
    assert (received.sequence, received.problems) == (4, ())
    with pytest.raises(DecodeError):
        decode(data, STRICT)
    bare = f"{body}|AZ{-total & 0xFFFF:04X}".encode()
    assert decode(bare, wire).checksum is Sum.RIGHT


def test_values_have_types() -> None:
    text = f"64Y{' ' * 13}01920261122   Z120000    000100020003    0005AO|AA|AE|CB0010|BV-75.00|CC50|ASa|ASb|XOy|"
    answer = decode(book(text)).message
    assert isinstance(answer, PatronInformationAnswer)
    assert answer.status == {Flag.BORROWING_DENIED}
    assert answer.date == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert (answer.holds, answer.overdue, answer.charged, answer.recalls) == (None, 1, 2, None)
    assert (answer.charged_limit, answer.fee, answer.fee_limit) == (10, Decimal("-75.00"), 50)
    assert (answer.hold_items, answer.extra) == (("a", "b"), (("XO", "y"),))
    assert answer.valid is None


def test_magnetic_media_may_be_unknown() -> None:
    text = "121NUU20261122    120000AO|AA|AB|AJ|AH|"
    answer = decode(book(text)).message
    assert isinstance(answer, CheckoutAnswer)
    assert (answer.magnetic, answer.ok, answer.due) == (None, True, "")


def test_one_in_six_lists() -> None:
    request = PatronInformation(date=None, summary=Summary.CHARGED, institution="T", reader="R1")
    data = encode(request, BARE)
    assert data == b"63019" + b" " * 18 + b"  Y       AOT|AAR1|\r"
    assert decode(data, BARE).message == request
    twice = decode(data.replace(b"  Y  ", b"  YY "), BARE)
    assert twice.message.summary is Summary.CHARGED


def test_an_amount_that_is_missing_is_no_amount() -> None:
    text = encode(FeePaid(date=NOON, amount=Decimal("7.50"), institution="T", reader="R1"), BARE).decode()
    assert "BV7.50|" in text
    empty = decode(text.replace("BV7.50|", "BV |").encode(), BARE)
    assert (empty.message.amount, [problem.en for problem in empty.problems]) == (None, ["the field BV is missing"])
    assert isinstance(decode(book("18030001" + " " * 18 + "AB1|AJ|")).message, ItemInformationAnswer)


def test_an_answer_to_a_login() -> None:
    assert decode(b"940").message == LoginAnswer(ok=False)
    assert decode(b"94?").message == LoginAnswer(ok=None)


@pytest.mark.parametrize("charset", ["utf-16", "utf-7", "cp500", "no-such", "hex", "nul\0"])
def test_a_character_set_has_to_contain_ascii(charset: str) -> None:
    with pytest.raises(InputError, match="character set"):
        Wire(charset=charset)
