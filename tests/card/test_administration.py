"""What the office does to a card: PIN, blocking, keys. Torn cards are in tests/path/test_torn_points.py."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from juying.card.access import Access
from juying.card.administration import (
    block_application,
    block_card,
    load_keys,
    pin_tries,
    reload_pin,
    unblock_application,
    unblock_pin,
)
from juying.card.apdu import Command
from juying.card.session import CardSession
from juying.card.ssc import SscCard
from juying.card.virtual.card import Card, Lifecycle, VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.crypto.keys import CardKey, DemonstrationKeys, Keys, RawKeys
from juying.errors import AccessRefused, CardRefused, FieldError, InputError, KeyUseError, StatusError
from juying.text import Text

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")


class OfficeKeys(RawKeys):
    """Keys of an office: its own, and of the main key the one before."""

    def __init__(self, lacking: str = "") -> None:
        super().__init__()
        self.lacking = lacking

    @property
    def title(self) -> Text:
        return Text("本机构密钥", "the office's keys")

    def _city_key(self, key: CardKey) -> bytearray | None:
        if key.name == self.lacking:
            return None
        demonstration = DemonstrationKeys().city_key(key)
        return bytearray(demonstration if key.previous else bytes(byte ^ 0x5A for byte in demonstration))


@pytest.fixture(params=PROFILES)
def card(request: pytest.FixtureRequest) -> VirtualCard:
    return VirtualCard.blank(load_profile(request.param))


def session(card: Card, keys: Keys | None = None) -> CardSession:
    access = Access(keys=keys or DemonstrationKeys())
    return SscCard.open(LocalTransport(card), access=access)


def verify(pin: str) -> Command:
    return Command(0x00, 0x20, 0x00, 0x00, bytes.fromhex(pin))


def tries_left(ssc: CardSession) -> int:
    return ssc.channel.transmit(Command(0x00, 0x20, 0x00, 0x00)).sw


def test_a_reloaded_pin_is_the_pin_and_has_all_tries(card: VirtualCard) -> None:
    ssc = session(card)
    while ssc.channel.transmit(verify("000000")).sw != 0x6983:
        pass
    reload_pin(ssc, "246810")
    assert ssc.channel.transmit(verify("246810")).sw == 0x9000
    reload_pin(ssc, "123456")  # an initial one is allowed to the office
    assert ssc.channel.transmit(verify("123456")).sw == 0x9000


@pytest.mark.parametrize("pin", ["12345", "1234567", "12345a", "１２３４５６", ""])
def test_a_pin_of_another_form_is_refused_before_the_card_is_asked(card: VirtualCard, pin: str) -> None:
    ssc = session(card)
    with pytest.raises(FieldError) as caught:
        reload_pin(ssc, pin)
    assert not pin or pin not in str(caught.value)


def test_unblocking_gives_the_tries_back_and_keeps_the_pin(card: VirtualCard) -> None:
    ssc = session(card)
    while ssc.channel.transmit(verify("000000")).sw != 0x6983:
        pass
    assert tries_left(ssc) == 0x6983
    unblock_pin(ssc)
    assert tries_left(ssc) == 0x63C0 | card.profile.security.pin_tries
    assert ssc.channel.transmit(verify("123456")).sw == 0x9000


def test_the_tries_of_a_pin_are_told_and_cost_none(card: VirtualCard) -> None:
    ssc = session(card)
    limit = card.profile.security.pin_tries
    assert pin_tries(ssc) == pin_tries(ssc) == limit
    for left in range(limit - 1, -1, -1):
        ssc.channel.transmit(verify("000000"))
        assert pin_tries(ssc) == left


def test_a_card_that_does_not_tell_its_tries_is_an_error(card: VirtualCard) -> None:
    ssc = session(card)
    pin_tries(ssc)
    ssc.channel.transmit(verify("123456"))
    with pytest.raises(StatusError) as caught:
        pin_tries(ssc)
    assert (caught.value.sw, caught.value.where) == (0x9000, "VERIFY PIN")


def test_a_blocked_application_works_again_after_unblocking(card: VirtualCard) -> None:
    ssc = session(card)
    file = card.profile.file("DF01/EF05")
    block_application(ssc, "DF01")
    with pytest.raises(StatusError) as caught:
        ssc.read_record(file, 1)
    assert caught.value.sw == 0x6283
    assert ssc.read_record(card.profile.file("SSSE/EF05"), 1) is not None
    unblock_application(ssc, "DF01")
    assert ssc.read_record(file, 1) is not None


def test_an_application_that_is_not_blocked_cannot_be_unblocked(card: VirtualCard) -> None:
    with pytest.raises(AccessRefused) as caught:
        unblock_application(session(card), "DF01")
    assert caught.value.sw == 0x6985


def test_blocked_for_ever_is_for_ever(card: VirtualCard) -> None:
    ssc = session(card)
    block_application(ssc, "DF01", for_ever=True)
    with pytest.raises(StatusError) as caught:
        unblock_application(ssc, "DF01")
    assert caught.value.sw == 0x9303


def test_a_blocked_card_is_blocked_for_everybody(card: VirtualCard) -> None:
    block_card(session(card))
    assert card.state is Lifecycle.BLOCKED


def test_an_unknown_application_is_named(card: VirtualCard) -> None:
    with pytest.raises(InputError, match="DF99"):
        block_application(session(card), "DF99")


def test_without_the_key_the_error_names_it_and_the_card_is_not_asked(card: VirtualCard) -> None:
    ssc = session(card, OfficeKeys(lacking="SSSE/PUK"))
    changes = card.memory.changes
    with pytest.raises(
        AccessRefused, match=r"UNBLOCK PIN needs a MAC made with PUK; the office's keys has none"
    ) as caught:
        unblock_pin(ssc)
    assert caught.value.missing == ("mac:PUK",)
    assert card.memory.changes == changes


def test_with_a_wrong_key_the_card_refuses_and_nothing_changes(card: VirtualCard) -> None:
    acts: list[Callable[[CardSession], object]] = [
        unblock_pin,
        block_card,
        lambda ssc: reload_pin(ssc, "246810"),
        lambda ssc: block_application(ssc, "DF01"),
    ]
    for act in acts:
        with pytest.raises(AccessRefused, match="未作任何改动") as caught:
            act(session(card, OfficeKeys()))
        assert caught.value.sw == 0x6988
    assert card.state is not Lifecycle.BLOCKED
    ssc = session(card)
    assert ssc.channel.transmit(verify("123456")).sw == 0x9000
    assert ssc.read_record(card.profile.file("DF01/EF05"), 1) is not None


def has_keys(card: VirtualCard, keys: RawKeys) -> bool:
    """Whether the card takes these keys for every file that can be read with one."""
    ssc = session(card, keys)
    writable = [
        (file, file.write) for file in card.profile.files if file.write.startswith("key:") and not file.optional
    ]
    ssc.check_writable(writable)
    try:
        for file in (file for file, _ in writable if file.records and file.kind == "linear"):
            number, record = len(file.slots), file.slots[-1]  # the first one of all is the card identifier
            ssc.write(file, record.write, Command(0x00, 0xDC, number, 0x04, record.blank), where=file.address)
        unblock_pin(ssc)
        block_application(ssc, "DF01")
        unblock_application(ssc, "DF01")
    except AccessRefused:
        return False
    return True


def test_keys_are_replaced_all_together(card: VirtualCard) -> None:
    on_card = sum(key.on_card for application in card.profile.applications for key in application.keys)
    heard: list[tuple[int, int]] = []
    assert has_keys(card, DemonstrationKeys())
    assert load_keys(session(card), OfficeKeys(), progress=lambda *at: heard.append(at)) == on_card
    assert heard == [(number, on_card) for number in range(1, on_card + 1)]
    assert has_keys(card, OfficeKeys())
    assert not has_keys(card, DemonstrationKeys())


def test_keys_of_an_application_that_the_card_does_not_have_are_left_out() -> None:
    whole = load_profile("ssc-v3")
    card = VirtualCard.blank(whole.model_copy(update={"applications": whole.applications[:2]}))
    assert load_keys(session(card), OfficeKeys()) == sum(
        key.on_card for application in whole.applications[:2] for key in application.keys
    )


def test_a_store_that_lacks_a_key_changes_nothing(card: VirtualCard) -> None:
    changes = card.memory.changes
    with pytest.raises(KeyUseError, match="lacks SSSE/IRK and 0 more"):
        load_keys(session(card), OfficeKeys(lacking="SSSE/IRK"))
    assert card.memory.changes == changes


def test_a_store_that_has_another_main_key_as_previous_one_changes_nothing(card: VirtualCard) -> None:
    class Strangers(OfficeKeys):
        def _city_key(self, key: CardKey) -> bytearray | None:
            return super()._city_key(replace(key, previous=False))

    before = {name: bytes(secret.value) for name, secret in card.memory.keys.items()}
    with pytest.raises(
        KeyUseError, match="the previous version of SSSE/MK in the office's keys has to be the main key"
    ):
        load_keys(session(card), Strangers())
    assert {name: bytes(secret.value) for name, secret in card.memory.keys.items()} == before


def test_a_card_that_names_no_city_gets_no_keys(card: VirtualCard) -> None:
    card.memory.files["SSSE/EF05"][0][2:] = b"\xff" * 16
    with pytest.raises(CardRefused, match="names no city"):
        load_keys(session(card), OfficeKeys())


def test_the_session_goes_on_with_the_new_keys(card: VirtualCard) -> None:
    ssc = session(card)
    load_keys(ssc, OfficeKeys())
    unblock_pin(ssc)


def test_a_card_with_other_keys_is_left_alone(card: VirtualCard) -> None:
    load_keys(session(card), OfficeKeys())
    with pytest.raises(AccessRefused):
        load_keys(session(card), DemonstrationKeys())
    assert has_keys(card, OfficeKeys())
