"""A policy is data: strict to read, and it comes back as it was written."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.credential.claims import Tier
from juying.credential.policy import DEFAULT, Assurance, Policy, StaleStatus
from juying.errors import InputError
from juying.model import PermitCategory

STRICT = Policy(
    window=timedelta(seconds=15),
    clock_skew=timedelta(0),
    holder_skew=timedelta(seconds=5),
    assurance=Assurance.CHALLENGED,
    categories=frozenset({PermitCategory.A}),
    tiers=frozenset({Tier.FULL}),
    max_status_age=timedelta(hours=1),
    stale_status=StaleStatus.WARN,
)


def seconds(least: int, most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(least, most).map(lambda value: timedelta(seconds=value))


POLICIES = st.builds(
    Policy,
    window=seconds(15, 60),
    clock_skew=seconds(0, 3600),
    holder_skew=seconds(0, 60),
    assurance=st.sampled_from(Assurance),
    categories=st.frozensets(st.sampled_from(PermitCategory), min_size=1),
    tiers=st.frozensets(st.sampled_from(Tier), min_size=1),
    max_status_age=seconds(60, 366 * 86400),
    stale_status=st.sampled_from(StaleStatus),
)


@given(POLICIES)
def test_a_policy_comes_back_through_json(policy: Policy) -> None:
    assert Policy.from_dict(json.loads(json.dumps(policy.to_dict()))) == policy


def test_what_a_file_says() -> None:
    assert STRICT.to_dict() == {
        "window": 15,
        "clock_skew": 0,
        "holder_skew": 5,
        "assurance": "challenged",
        "categories": ["A"],
        "tiers": ["full"],
        "max_status_age": 3600,
        "stale_status": "warn",
    }
    assert Policy.from_dict({"tiers": ["full"]}) == replace(DEFAULT, tiers=frozenset({Tier.FULL}))
    assert Policy.from_dict({}) == DEFAULT == Policy()


def test_the_default_takes_every_genuine_credential_and_nothing_doubtful() -> None:
    assert DEFAULT.assurance is Assurance.BEARER
    assert (DEFAULT.categories, DEFAULT.tiers) == (set(PermitCategory), set(Tier))
    assert DEFAULT.stale_status is StaleStatus.REFUSE
    assert DEFAULT.window == timedelta(seconds=30)


def test_a_presentation_is_remembered_for_twice_the_time_it_can_be_shown() -> None:
    assert STRICT.tolerance == timedelta(seconds=20)
    assert STRICT.hold == timedelta(seconds=40)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window", timedelta(seconds=14)),
        ("window", timedelta(seconds=61)),
        ("clock_skew", timedelta(seconds=-1)),
        ("clock_skew", timedelta(hours=1, seconds=1)),
        ("holder_skew", timedelta(seconds=-1)),
        ("holder_skew", timedelta(seconds=61)),
        ("max_status_age", timedelta(0)),
        ("max_status_age", timedelta(days=367)),
        ("categories", frozenset()),
        ("tiers", frozenset()),
    ],
)
def test_a_value_out_of_range_is_refused(name: str, value: object) -> None:
    with pytest.raises(InputError) as error:
        replace(DEFAULT, **{name: value})
    assert name in error.value.text.zh
    assert name in error.value.text.en


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        "policy",
        {"windows": 30},
        {"window": "30"},
        {"window": 30.0},
        {"window": True},
        {"window": None},
        {"window": 10**30},
        {"window": -(10**30)},
        {"assurance": "HOLDER"},
        {"assurance": 2},
        {"assurance": ["holder"]},
        {"categories": "A"},
        {"categories": ["D"]},
        {"categories": [["A"]]},
        {"categories": []},
        {"tiers": {"full": True}},
        {"tiers": [2]},
        {"stale_status": "ignore"},
    ],
)
def test_what_is_not_a_policy_is_refused(document: object) -> None:
    with pytest.raises(InputError) as error:
        Policy.from_dict(document)
    assert error.value.text.zh
    assert error.value.text.en


def test_a_misspelt_member_is_told_its_nearest() -> None:
    with pytest.raises(InputError, match="stale_status"):
        Policy.from_dict({"stale_state": "refuse"})


def test_a_policy_file(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(STRICT.to_dict()), "utf-8")
    assert Policy.load(file) == Policy.load(str(file)) == STRICT


@pytest.mark.parametrize("text", ["", "{", '{"window": 30, "window": 60}', '{"window": 5}', " " * (1 << 20) + "{}"])
def test_a_bad_policy_file_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "policy.json"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError) as error:
        Policy.load(file)
    assert error.value.where == str(file)


def test_a_missing_policy_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        Policy.load(tmp_path / "policy.json")
    assert error.value.where == str(tmp_path / "policy.json")


def test_each_level_has_its_words() -> None:
    assert Assurance.BEARER < Assurance.HOLDER < Assurance.CHALLENGED
    assert len({level.text for level in Assurance}) == 3
