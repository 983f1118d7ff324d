"""JSON with exact numbers, in UTF-8 or GBK, within bounds."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.errors import DecodeError
from juying.services.medical.wire import MAX_BODY, amounts_as_text, read_json, write_json


def test_numbers_stay_what_they_are() -> None:
    assert read_json(b'{"a": 0.1, "b": 12345678901234.56, "c": 3}') == {
        "a": Decimal("0.1"),
        "b": Decimal("12345678901234.56"),
        "c": Decimal(3),
    }
    assert write_json({"a": Decimal("0.10"), "b": [Decimal("1E+2"), "1", None, True, 7]}) == (
        '{"a":0.10,"b":[100,"1",null,true,7]}'
    )


def test_members_by_name_where_a_signature_wants_it() -> None:
    assert write_json({"b": {"z": 1, "a": []}, "a": "值"}, sort=True) == '{"a":"值","b":{"a":[],"z":1}}'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_error_texts_in_any_encoding(encoding: str) -> None:
    assert read_json('{"err_msg":"该人员未参保"}'.encode(encoding)) == {"err_msg": "该人员未参保"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"OK",
        b'{"a": NaN}',
        b'{"a": 1e99999999999999999999999}',
        b'{"a": 1, "a": 1}',
        b"[" * 200_000,
        b"\xff\xfe{}",
        b" " * MAX_BODY + b"{}",
    ],
)
def test_what_is_no_json_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        read_json(body)


@given(st.binary(max_size=200))
def test_nothing_but_a_decode_error_comes_out_of_rubbish(body: bytes) -> None:
    with suppress(DecodeError):
        read_json(body)


def test_amounts_as_text_for_gateways_that_read_binary_fractions() -> None:
    assert amounts_as_text({"a": [Decimal("0.10")], "b": "x", "c": 1}) == {"a": ["0.10"], "b": "x", "c": 1}
