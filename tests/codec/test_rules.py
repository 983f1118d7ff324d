"""An access rule lets in who holds what it asks for, and nobody else."""

import pytest

from juying.codec.profile import load_profile, profile_names
from juying.codec.rules import AccessRule, access_rule


@pytest.mark.parametrize(
    ("text", "enough", "too_little"),
    [
        ("free", [set(), {"pin"}], []),
        ("never", [], [set(), {"pin", "key:UK1", "debit"}]),
        ("debit", [{"debit"}], [set(), {"pin", "key:UK1"}]),
        ("pin", [{"pin"}], [set(), {"key:pin"}]),
        ("key:UK1", [{"key:UK1"}], [set(), {"pin"}, {"key:UK2"}, {"mac:UK1"}]),
        ("pin or key:RK1", [{"pin"}, {"key:RK1"}], [set(), {"key:RK2"}]),
        ("pin and key:RK1", [{"pin", "key:RK1"}], [{"pin"}, {"key:RK1"}]),
        ("key:UK1 and mac:STK", [{"key:UK1", "mac:STK"}], [{"key:UK1"}, {"mac:STK"}]),
    ],
)
def test_who_is_let_in(text: str, enough: list[set[str]], too_little: list[set[str]]) -> None:
    rule = access_rule(text)
    assert all(rule.allows(held) for held in enough)
    assert not any(rule.allows(held) for held in too_little)


def test_a_rule_names_its_keys_in_order() -> None:
    assert access_rule("key:UK1 and mac:STK").keys == ("UK1", "STK")
    assert access_rule("pin or key:RK1").keys == ("RK1",)
    assert access_rule("free").keys == ()


def test_every_rule_of_every_profile_can_be_asked() -> None:
    rules: set[AccessRule] = set()
    for name in profile_names():
        for file in load_profile(name).files:
            rules |= {access_rule(stored.read) for stored in (file, *file.records)}
            rules |= {access_rule(stored.write) for stored in (file, *file.records)}
    assert any(rule.allows(set()) for rule in rules)
    assert any(not rule.alternatives or rule.text == "debit" for rule in rules)
