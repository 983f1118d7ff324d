"""Fare policies: kinds, distances, and mistakes by name."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.errors import InputError
from juying.services.transit.fares import FarePolicy, part
from tests.transit_gate.gates import EXAMPLES, FARES, HERE, THERE


@pytest.mark.parametrize(
    ("kind", "local", "percent"),
    [
        *[(1, True, 100), (2, True, 50), (3, True, 0), (4, True, None), (5, True, None), (11, True, 0)],
        *[(1, False, 100), (2, False, 100), (3, False, None), (11, False, None)],
    ],
)
def test_what_each_kind_pays(kind: int, local: bool, percent: int | None) -> None:
    assert FARES.percent(kind, local=local) == percent


def test_without_rules_all_known_kinds_pay_the_whole_fare() -> None:
    plain = FarePolicy.from_dict({"flat": 200})
    assert [plain.percent(kind, local=local) for kind in (1, 5) for local in (True, False)] == [100] * 4
    assert plain.percent(6, local=True) is None
    assert (plain.full, plain.minimum, plain.distance(HERE, THERE)) == (None, None, None)


def test_distances_are_the_same_both_ways() -> None:
    assert FARES.distance(HERE, THERE) == FARES.distance(THERE, HERE) == 300
    assert FARES.distance(HERE, HERE) is None


@given(st.integers(0, 10_000), st.integers(0, 100))
def test_a_part_is_never_more_than_the_whole(fare: int, percent: int) -> None:
    assert 0 <= part(fare, percent) <= fare
    assert part(fare, 100) == fare


@pytest.mark.parametrize(
    ("table", "where", "told"),
    [
        ({"falt": 200}, "", "the nearest is flat"),
        ({"flat": 2.5}, "flat", "whole number of fen"),
        ({"flat": True}, "flat", "whole number of fen"),
        ({"full": -1}, "full", "whole number of fen"),
        ({"minimum": 1_000_001}, "minimum", "whole number of fen"),
        ({"kinds": 1}, "kinds", "table"),
        ({"kinds": {"norml": "free"}}, "", "the nearest is normal"),
        ({"kinds": {"0b": "free"}}, "", "kinds.0b"),
        ({"kinds": {"normal": "gratis"}}, "kinds.normal", "forbidden"),
        ({"kinds": {"normal": 50}}, "kinds.normal", "forbidden"),
        ({"foreign": {"normal": {"percentage": 50}}}, "", "the nearest is percent"),
        ({"foreign": {"normal": {"percent": 101}}}, "foreign.normal.percent", "0 to 100"),
        ({"foreign": {"normal": {"percent": True}}}, "foreign.normal.percent", "0 to 100"),
        ({"foreign": {"normal": {"percent": 0.5}}}, "foreign.normal.percent", "0 to 100"),
        ({"between": []}, "between", "table"),
        ({"between": {"01": 200}}, "between.01", "table"),
        ({"between": {"01": {"02": "200"}}}, "between.01.02", "fen"),
        ({"between": {"01": {"0": 200}}}, "between.01.0", "hex digits"),
        ({"between": {"": {"02": 200}}}, "between..02", "hex digits"),
        ({"between": {"01": {"02": 200}, "02": {"01": 100}}}, "between.02.01", "other direction"),
    ],
)
def test_mistakes(table: dict[str, Any], where: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        FarePolicy.from_dict(table)
    assert error.value.where == where


@given(
    st.recursive(
        st.integers() | st.text(max_size=4) | st.booleans(),
        lambda inner: st.dictionaries(
            st.sampled_from(["flat", "kinds", "foreign", "between", "normal", "percent", "01", "02", "x"]),
            inner,
            max_size=3,
        ),
    )
)
def test_any_document_is_a_policy_or_an_input_error(document: object) -> None:
    try:
        policy = FarePolicy.from_dict(document)
    except InputError:
        return
    assert policy.percent(99, local=True) in (None, *range(101))


def test_files(tmp_path: Path) -> None:
    policy = FarePolicy.load(EXAMPLES / "fares.toml")
    assert (policy.flat, policy.full, policy.distance(HERE, THERE)) == (200, 600, 300)
    path = tmp_path / "fares.toml"
    for content, told in (
        ("flat = ", "no TOML"),
        ("[kinds]\nnormal = 'gratis'", "kinds.normal: "),
        ("x = 1", "nearest"),
    ):
        path.write_text(content, "utf-8")
        with pytest.raises(InputError, match=told) as error:
            FarePolicy.load(path)
        assert error.value.where.startswith(str(path))
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="no TOML"):
        FarePolicy.load(path)
