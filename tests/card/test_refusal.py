"""What people are told when a card refuses: the step, the rule, what is missing, and in both languages."""

import pytest

from juying.card import refusal
from juying.card.refusal import Act, impossible, is_refusal, lacking_key, refused, refused_key, refused_pin
from juying.codec.rules import access_rule
from juying.errors import CardError, StatusError
from juying.text import Text

STORE = Text("密钥库", "the key store")
NONE = lacking_key(STORE, "331000")


def said(rule: str, sw: int = 0x6982, **reasons: Text) -> Text:
    """The message for a read of DF01/EF06 under ``rule``; names of grants with ``_`` for ``:``."""
    why = {name.replace("_", ":"): text for name, text in reasons.items()}
    return refused(sw, Act.READ, "DF01/EF06", access_rule(rule), why, profile="ssc-v2", where="#1").text


@pytest.mark.parametrize("sw", [0x6982, 0x6983, 0x6984, 0x6985, 0x6987, 0x6988, 0x63C0, 0x63C2, 0x63CF, 0x9302, 0x9303])
def test_status_words_that_want_something_first(sw: int) -> None:
    assert is_refusal(sw)


@pytest.mark.parametrize("sw", [0x9000, 0x6A82, 0x6A83, 0x6700, 0x6981, 0x6986, 0x6300, 0x6381, 0x6F00, 0x9406])
def test_status_words_that_mean_something_else(sw: int) -> None:
    assert not is_refusal(sw)


def test_a_missing_key_is_named_with_the_city() -> None:
    assert said("key:UK7", key_UK7=NONE) == (
        "卡片返回 6982：DF01/EF06 的读取需要密钥 UK7；密钥库中没有城市 331000 的这个密钥",
        "the card answered 6982: read of DF01/EF06 needs UK7; the key store has none for city 331000",
    )


@pytest.mark.parametrize(
    ("rule", "zh", "en"),
    [
        ("pin", "需要个人密码", "needs the PIN"),
        ("pin or key:RK1", "需要个人密码或密钥 RK1", "needs the PIN or RK1"),
        ("pin and key:RK1", "需要密钥 RK1和个人密码", "needs RK1 and the PIN"),
        ("mac:STK", "需要密钥 STK 的校验码", "needs a MAC made with STK"),
        ("debit", "需要扣款命令", "needs the purse command"),
        ("free", "不需要密钥或密码", "needs neither key nor PIN"),
    ],
)
def test_every_kind_of_rule_has_words(rule: str, zh: str, en: str) -> None:
    text = said(rule)
    assert zh in text.zh
    assert en in text.en


def test_each_thing_that_is_missing_is_told_once() -> None:
    text = said("pin or key:RK1 or key:RK2", pin=refusal.NO_PIN, key_RK1=NONE, key_RK2=NONE)
    assert text.en.endswith("; no PIN was given; the key store has none for city 331000")
    assert text.zh.count("城市 331000") == 1


def test_what_nothing_allows_is_called_so() -> None:
    assert "the profile does not allow it" in said("never").en


def test_a_card_that_asks_for_more_than_its_profile_is_told() -> None:
    assert said("key:RK1").en.endswith("what profile ssc-v2 asks for was shown, this card may ask for more")


@pytest.mark.parametrize(
    ("sw", "en"),
    [(0x6988, "wrong MAC"), (0x6984, "challenge has expired"), (0x6985, "conditions of use"), (0x9302, "invalid MAC")],
)
def test_other_status_words_say_what_they_mean_first(sw: int, en: str) -> None:
    text = said("mac:STK", sw)
    assert en in text.en
    assert text.en.startswith(f"the card answered {sw:04X}: ")
    assert text.zh.startswith(f"卡片返回 {sw:04X}：")


def test_a_card_that_is_blocked_for_good_is_to_be_replaced() -> None:
    assert said("key:UK1", 0x9303).en.endswith("replace the card")


def test_before_the_card_was_asked_it_did_not_answer() -> None:
    rule = access_rule("key:UK7")
    error = impossible(Act.WRITE, "DF01/EF16", rule, {"key:UK7": NONE}, where="DF01/EF16", untouched=True)
    assert error.text == (
        "DF01/EF16 的写入需要密钥 UK7；密钥库中没有城市 331000 的这个密钥；未作任何改动",
        "write of DF01/EF16 needs UK7; the key store has none for city 331000; nothing was changed",
    )
    assert (error.sw, error.rule, error.missing, error.where) == (0x6982, "key:UK7", ("key:UK7",), "DF01/EF16")
    assert isinstance(error, StatusError)
    assert isinstance(error, CardError)
    assert "does not allow" in impossible(Act.WRITE, "DF01/EF16", access_rule("never"), {}, where="").text.en


@pytest.mark.parametrize(
    ("sw", "en"),
    [
        (0x63C2, "2 tries left, and it was not tried again"),
        (0x63C1, "1 try left"),
        (0x63C0, "the card has locked this key"),
        (0x6983, "the card has locked this key"),
        (0x6A88, "the card has no such key"),
        (0x6D00, "its authentication failed (6D00: "),
    ],
)
def test_what_a_card_says_to_a_key(sw: int, en: str) -> None:
    assert en in refused_key(sw).en
    assert refused_key(sw).zh != refused_key(sw).en


@pytest.mark.parametrize(
    ("sw", "en"),
    [
        (0x63C5, "the PIN was wrong, 5 tries left"),
        (0x63C1, "the PIN was wrong, 1 try left"),
        (0x63C0, "the PIN is locked"),
        (0x6983, "the PIN is locked"),
        (0x6400, "not entered in time"),
        (0x6401, "was cancelled"),
        (0x6985, "conditions of use"),
    ],
)
def test_what_card_or_keypad_say_to_a_pin(sw: int, en: str) -> None:
    assert en in refused_pin(sw).en
    assert refused_pin(sw).zh != refused_pin(sw).en
