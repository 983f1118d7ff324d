"""Sites of a configuration: what they are made of, and what is refused."""

import tomllib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from juying.errors import InputError
from juying.services.library.adapter import library_adapter
from juying.services.library.patron import Flag
from juying.services.library.policy import DENYING, Debts, Pin
from juying.services.library.site import Question, Site, Tls, profiles, sites
from juying.services.library.wire import Checking, Summing, Terminator
from juying.services.sites import adapters, load_sites
from tests.library.test_connections import certificate

EXAMPLE = Path(__file__).parents[2] / "examples" / "library-sites.toml"
MINIMAL = {"host": "sip2.example", "port": 6001}


def test_tls_unless_the_file_says_that_there_is_none() -> None:
    assert Site.from_dict(MINIMAL, "x").tls == Tls(server_name="sip2.example")
    named = Site.from_dict({**MINIMAL, "server_name": "other.example", "ca_file": "ca.pem"}, "x")
    assert named.tls == Tls(server_name="other.example", ca_file="ca.pem")
    assert Site.from_dict({**MINIMAL, "tls": False}, "x").tls is None


@pytest.mark.parametrize("name", profiles())
def test_every_profile_makes_a_site(name: str) -> None:
    site = Site.from_dict({**MINIMAL, "profile": name}, "x")
    assert site.title == ("x", "x")
    assert set(profiles()[name]["note"]) == {"zh", "en"}


def test_a_profile_is_where_a_site_begins() -> None:
    site = Site.from_dict(
        {**MINIMAL, "profile": "dp2", "resend": True, "terminator": "LF", "policy": {"max_fee": "5"}}, "x"
    )
    assert (site.wire.checksum, site.wire.sequence) == (Summing.DP2, Checking.OFF)
    assert (site.question, site.resend, site.connections) == (Question.LONG, True, 1)
    assert site.wire.terminator is Terminator.LF
    assert (site.policy.debts, site.policy.max_fee) == (Debts.NEGATIVE, Decimal(5))


def test_a_policy_is_data() -> None:
    table = {
        "denying": ["card-lost"],
        "valid": False,
        "limits": False,
        "pin": "required",
        "max_fee": 20,
        "currency": "X",
    }
    policy = Site.from_dict({**MINIMAL, "policy": table}, "x").policy
    assert policy.denying == {Flag.CARD_LOST}
    assert (policy.valid, policy.limits, policy.pin, policy.max_fee) == (False, False, Pin.REQUIRED, 20)
    assert len(DENYING) == 9


@pytest.mark.parametrize(
    ("changes", "place", "reason"),
    [
        ({"hots": "x"}, "", "the nearest is host"),
        ({"profile": "dp3"}, "profile", "the nearest is dp2"),
        ({"profile": 2}, "profile", "the nearest is"),
        ({"port": "6001"}, "port", "has to be a whole number"),
        ({"port": True}, "port", "has to be a whole number"),
        ({"port": 0}, "port", "has to be 1 to 65535"),
        ({"connections": 101}, "connections", "has to be 1 to 100"),
        ({"keep_alive": "long"}, "keep_alive", "has to be a number"),
        ({"strict": 1}, "strict", "has to be true or false"),
        ({"charset": "klingon"}, "charset", "character set is unknown"),
        ({"terminator": "VT"}, "terminator", "has to be one of CR, CRLF, LF"),
        ({"send_checksum": "maybe"}, "send_checksum", "has to be one of strict, warn, off"),
        ({"reader_number": "phone"}, "reader_number", "has to be one of card_number"),
        ({"question": "64"}, "question", "has to be one of 63, 23, either"),
        ({"title": {"zh": "馆"}}, "", "title.en is missing"),
        ({"title": {"zh": "馆", "en": 1}}, "title", "has to be a string"),
        ({"tls": False, "ca_file": "x"}, "", "ca_file belongs to TLS"),
        ({"policy": 1}, "", "policy has to be a table"),
        ({"policy": {"max_fees": 1}}, "", "the nearest is max_fee"),
        ({"policy": {"max_fee": 1.5}}, "policy.max_fee", "an amount"),
        ({"policy": {"max_fee": "-1"}}, "policy.max_fee", "an amount"),
        ({"policy": {"max_fee": "much"}}, "policy.max_fee", "an amount"),
        ({"policy": {"denying": "card-lost"}}, "policy.denying", "has to be a list"),
        ({"policy": {"denying": ["lost"]}}, "policy.denying", "has to be one of borrowing-denied"),
        ({"policy": {"limits": "yes"}}, "policy.limits", "has to be true or false"),
        ({"policy": {"pin": "never"}}, "policy.pin", "has to be one of if-sent, required, ignored"),
        ({"resilience": {"timeout": 0}}, "resilience.timeout", "has to be"),
        ({"login": "t", "password_env": "JUYING_NO_SUCH"}, "password_env", "environment variable JUYING_NO_SUCH"),
        ({"host": ""}, "host", "neither the name of a host nor"),
        ({"host": "a..b"}, "host", "neither the name of a host nor"),
        ({"host": "a b"}, "host", "neither the name of a host nor"),
        ({"host": "https://a.example"}, "host", "neither the name of a host nor"),
        ({"server_name": ""}, "server_name", "neither the name of a host nor"),
        ({"language": "zh"}, "language", "has to have three characters"),
        ({"institution": "a|b"}, "institution", "SIP2 cannot carry it"),
        ({"location": "一楼", "charset": "cp850"}, "location", "SIP2 cannot carry it"),
        ({"login": "t", "password_env": "JUYING_BAR"}, "password_env", "SIP2 cannot carry it"),
        ({"terminal_password_env": "JUYING_BAR"}, "terminal_password_env", "SIP2 cannot carry it"),
        ({"branches": 1}, "", "branches has to be a table"),
        ({"branches": {"b": {"locaton": "x"}}}, "", "the nearest is location"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    changes: dict[str, Any], place: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUYING_BAR", "open|sesame")
    with pytest.raises(InputError) as caught:
        sites({"x": {**MINIMAL, **changes}})
    assert "sesame" not in str(caught.value)
    assert reason in caught.value.text.en
    if place:
        assert caught.value.where == f"library.x.{place}"
    else:
        assert "library.x" in str(caught.value)


def test_a_site_needs_an_address() -> None:
    with pytest.raises(InputError, match=r"the member library\.x\.host is missing"):
        sites({"x": {"port": 1}})
    with pytest.raises(InputError, match="there is no library"):
        sites({})


def test_a_branch_changes_what_is_different_there() -> None:
    table = {
        **MINIMAL,
        "title": "main",
        "login": "main",
        "policy": {"max_fee": "50", "limits": False},
        "branches": {"quay": {"title": "quay", "location": "Q", "policy": {"max_fee": "5"}}, "park": {}},
    }
    main, quay, park = sites({"town": table})
    assert (main.name, quay.name, park.name) == ("town", "town.quay", "town.park")
    assert (main.location, quay.location, quay.login, quay.host) == ("", "Q", "main", "sip2.example")
    assert (quay.policy.max_fee, quay.policy.limits, park.policy.max_fee) == (5, False, 50)
    assert (quay.title.en, park.title.en) == ("quay", "town.park")


def test_passwords_are_not_shown(site: Callable[..., Site]) -> None:
    assert site().password == "open sesame"
    assert "sesame" not in repr(site())


def test_the_example_is_a_whole_city(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """24 libraries with their systems, and bookbars below them, from one file, each an adapter of its own."""
    monkeypatch.chdir(tmp_path)
    Path(certificate(tmp_path, "library.university.example")[0]).rename("campus-ca.pem")
    for variable in ("JUYING_LIBRARY_CITY", "JUYING_LIBRARY_DISTRICTS"):
        monkeypatch.setenv(variable, "invented")
    tables = load_sites(EXAMPLE)
    found = library_adapter(tables["library"])
    names = [adapter.name for adapter in found]
    assert len(names) == len(set(names))
    assert sum(name.count(".") == 1 for name in names) == 24
    assert sum(name.count(".") == 2 for name in names) >= 4
    assert {each.site.profile for each in found} >= {"dp2", "interlib", "evergreen", "koha", "book", "ceridwen"}
    assert all(each.site.host.endswith(".example") for each in found)
    assert names == [adapter.name for adapter in adapters(tables, "library")]
    for name in ("library.taizhou", "library.taizhou.hehe-campus"):
        assert [adapter.name for adapter in adapters(tables, name)] == [name]
    with pytest.raises(InputError, match=r"the nearest is library\.taizhou\.hehe-campus"):
        adapters(tables, "library.taizhou.hehe-campsu")
    assert tomllib.loads(EXAMPLE.read_text("utf-8")) == tables
