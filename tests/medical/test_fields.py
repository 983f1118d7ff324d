"""Fields: what is written is exact and within the table, what is read may differ as sites differ."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.errors import DecodeError, InputError
from juying.services.medical.fields import (
    MAX_ROWS,
    Amount,
    Chars,
    Day,
    Kind,
    Moment,
    One,
    Raw,
    Record,
    Rows,
    members_of,
)
from juying.services.medical.transactions import TRANSACTIONS
from juying.services.medical.wire import parse, write_json

TEXT, CODE, MONEY = Chars(6, "代码"), Chars(6, "代码", digits=2), Amount(16, 2, "金额")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Row(Record):
    a: Annotated[str, Chars(3, "甲")]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Sample(Record):
    name: Annotated[str, Chars(5, "名称")]
    money: Annotated[Decimal | None, Amount(16, 2, "金额")] = None
    born: Annotated[date | None, Day("出生日期")] = None
    at: Annotated[datetime | None, Moment("时间")] = None
    one: Annotated[Row | None, One(Row, "一条")] = None
    rows: Annotated[tuple[Row, ...], Rows(Row, "多条")] = ()
    raw: Annotated[object, Raw("原样")] = None


@pytest.mark.parametrize(
    ("given_value", "read"),
    [
        ("310", "310"),
        (" 310 ", "310"),
        (Decimal(310), "310"),
        (Decimal("310.0"), "310"),
        (Decimal("3.10"), "3.1"),
        (Decimal("1E+3"), "1000"),
        (True, "1"),
        (False, "0"),
        ("", None),
        (None, None),
    ],
)
def test_text_is_read_from_whatever_it_comes_as(given_value: object, read: str | None) -> None:
    assert TEXT.read(given_value, "x") == read


def test_codes_get_their_zeros_back() -> None:
    assert CODE.read("8", "x") == "08"
    assert CODE.read(Decimal(1), "x") == "01"
    assert CODE.read("990102", "x") == "990102"
    assert CODE.read("A", "x") == "A"


@pytest.mark.parametrize(
    ("given_value", "read"),
    [
        (Decimal("12.3"), "12.30"),
        (Decimal("12.3400"), "12.34"),
        (Decimal("0.333"), "0.333"),
        (Decimal("-5"), "-5.00"),
        ("1234.50", "1234.50"),
        (" 7 ", "7.00"),
        ("+0.10", "0.10"),
        (Decimal("99999999999999.99"), "99999999999999.99"),
        (Decimal("0.1234567890123456789012345678"), "0.1234567890123456789012345678"),
    ],
)
def test_amounts_are_read_exactly(given_value: object, read: str) -> None:
    assert str(MONEY.read(given_value, "x")) == read


@pytest.mark.parametrize("nothing", [None, "", "  "])
@pytest.mark.parametrize("kind", [TEXT, MONEY, Day("日"), Moment("时")])
def test_nothing_is_nothing(kind: Kind, nothing: object) -> None:
    assert kind.read(nothing, "x") is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TEXT, ["a"]),
        (TEXT, {}),
        (TEXT, Decimal("1E+999999")),
        (TEXT, Decimal("1E-999999")),
        (TEXT, "x" * 40_001),
        (MONEY, "1,234.50"),
        (MONEY, "1e3"),
        (MONEY, "NaN"),
        (MONEY, "１２"),
        (MONEY, True),
        (MONEY, []),
        (MONEY, Decimal("100000000000000")),
        (MONEY, Decimal("1E-40")),
        (MONEY, Decimal("NaN")),
        (Day("日"), "yesterday"),
        (Day("日"), "2026-02-30"),
        (Day("日"), "0000-00-00"),
        (Day("日"), "9999-12-31T23:59:59-23:00"),
        (Day("日"), "2026-1"),
        (Day("日"), True),
        (Day("日"), Decimal("1E+40")),
        (Moment("时"), "2026-01-01 25:00:00"),
        (Moment("时"), "2026-01-01 10:00:00+99:99"),
        (One(Row, "一"), [{"a": "1"}, {"a": "2"}]),
        (One(Row, "一"), "text"),
        (Rows(Row, "多"), [{}]),
        (Rows(Row, "多"), Decimal(3)),
        (Rows(Row, "多"), [{"a": "1"}] * (MAX_ROWS + 1)),
    ],
)
def test_what_makes_no_sense_is_a_decode_error_that_repeats_nothing(kind: Kind, value: object) -> None:
    with pytest.raises(DecodeError) as caught:
        kind.read(value, "place")
    assert "place" in str(caught.value)
    assert "yesterday" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "1974-08-12",
        "19740812",
        "1974/8/12",
        "1974-08-12 00:00:00",
        "1974-08-12 00:00:00.0",
        "1974-08-12T00:00",
        "1974-08-12T00:00:00+08:00",
        "1974-08-11T16:00:00Z",
        "1974-08-11T12:00:00-0400",
        "19740812000000",
        "19740812000000000",
        "145468800000",
        Decimal(145468800000),
        Decimal(19740812),
    ],
)
def test_a_day_is_read_from_every_form_that_was_seen(text: object) -> None:
    assert Day("出生日期").read(text, "brdy") == date(1974, 8, 12)


def test_a_day_before_1970_in_milliseconds() -> None:
    assert Day("出生日期").read(Decimal("-315648000000"), "brdy") == date(1960, 1, 1)


def test_moments_are_chinas_and_go_out_so() -> None:
    moment = Moment("时间")
    read = moment.read("2026-12-01 12:30:45", "x")
    assert read == datetime(2026, 12, 1, 4, 30, 45, tzinfo=UTC)
    assert moment.write(datetime(2026, 12, 1, 4, 30, 45, tzinfo=UTC), "x") == "2026-12-01 12:30:45"
    with pytest.raises(InputError):
        moment.write(datetime(2026, 12, 1), "x")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (TEXT, "1234567"),
        (MONEY, Decimal("0.001")),
        (MONEY, Decimal("1E+14")),
        (MONEY, Decimal("NaN")),
        (MONEY, Decimal("Infinity")),
        (MONEY, Decimal("0.00" + "0" * 30 + "1")),
    ],
)
def test_what_the_table_has_no_room_for_is_not_sent(kind: Kind, value: object) -> None:
    with pytest.raises(InputError):
        kind.write(value, "x")


@given(st.decimals(min_value=Decimal("-9e13"), max_value=Decimal("9e13"), places=2))
def test_amounts_survive_writing_and_reading_digit_by_digit(amount: Decimal) -> None:
    text = write_json({"a": MONEY.write(amount, "a")})
    read = parse(text)
    assert isinstance(read, dict)
    assert str(MONEY.read(read["a"], "a")) == str(amount.quantize(Decimal("0.01")))


SAMPLE = {
    "name": "a",
    "money": Decimal("1.10"),
    "born": "1974-08-12",
    "at": "2026-12-01 12:00:00",
    "one": {"a": "1"},
    "rows": [{"a": "1", "b": Decimal(2)}],
    "raw": {"x": []},
    "new": [Decimal(1)],
}


def test_a_record_is_written_as_it_was_read_with_what_nobody_knows() -> None:
    sample = Sample.read(SAMPLE)
    assert sample.extra == {"new": [Decimal(1)]}
    assert sample.rows[0].extra == {"b": Decimal(2)}
    assert sample.write() == SAMPLE


def test_records_say_which_members_they_have_and_not_what_is_in_them() -> None:
    sample = Sample.read({**SAMPLE, "name": "ANNA"})
    assert repr(sample) == "Sample(name, money, born, at, one, rows, raw, new)"
    assert "ANNA" not in repr((sample, sample.rows))


def test_a_member_that_has_to_be_there() -> None:
    with pytest.raises(DecodeError, match=r"one\.a"):
        Sample.read({"name": "x", "one": {}})
    with pytest.raises(DecodeError, match="name"):
        Sample.read({"name": "  "})
    with pytest.raises(DecodeError, match="Sample"):
        Sample.read([])
    with pytest.raises(InputError, match=r"rows\[0\]\.a"):
        Sample(name="x", rows=(Row(a=""),)).write()
    with pytest.raises(InputError, match="name"):
        Sample(name="too long").write()


JSON = st.recursive(
    st.none() | st.booleans() | st.text() | st.decimals(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*members_of(Sample), "q"]), inner),
    max_leaves=20,
)


@given(JSON)
def test_nothing_but_a_decode_error_comes_out_of_rubbish(value: object) -> None:
    try:
        sample = Sample.read(value)
    except DecodeError:
        return
    assert sample.name


def test_every_member_of_every_message_has_a_title_and_a_length() -> None:
    for transaction in TRANSACTIONS.values():
        for record in (transaction.question, transaction.answer):
            for name, member in members_of(record).items():
                assert member.kind.title, (record, name)
