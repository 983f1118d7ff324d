"""The doctor blames the right part: service, driver, reader, card or keys, and no other."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from juying.card.access import Access
from juying.card.channel import Channel
from juying.card.doctor import Finding, Part, State, _examine, attached_readers, examine_card, examine_reader
from juying.card.pcsc import ReaderStatus
from juying.card.ssc import SscCard
from juying.card.virtual.card import Card, VirtualCard
from juying.card.virtual.faults import Fault, Mute
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.crypto.keys import CardKey, DemonstrationKeys, Keys, RawKeys
from juying.errors import ServiceUnavailable
from juying.text import Text

WITH_CARD = ReaderStatus("Reader A", card_present=True, atr=b"\x3b\x00")
EMPTY = ReaderStatus("Reader B", card_present=False)


def machine(*readers: ReaderStatus, wanted: str | None = None, attached: int | None = None) -> list[Finding]:
    return list(examine_reader(lambda: readers, wanted, attached))


def blamed(findings: Sequence[Finding]) -> Part | None:
    """The part at fault, which has to be the last."""
    faults = [finding for finding in findings if finding.state is State.FAULT]
    assert faults in ([], [findings[-1]])
    return faults[0].part if faults else None


def test_no_service() -> None:
    def readers() -> list[ReaderStatus]:
        raise ServiceUnavailable("没有运行", "not running")

    found = list(examine_reader(readers, None, None))
    assert blamed(found) is Part.SERVICE
    assert len(found) == 1


def test_a_reader_at_the_usb_that_the_service_does_not_see_lacks_its_driver() -> None:
    assert blamed(machine(attached=1)) is Part.DRIVER
    assert blamed(machine(attached=0)) is Part.READER
    assert blamed(machine(attached=None)) is Part.READER


def test_a_reader_of_another_name() -> None:
    assert str(Part.DRIVER.text) == "读卡器驱动 / reader driver"
    found = machine(WITH_CARD, wanted="HID")
    assert blamed(found) is Part.READER
    assert "Reader A" in found[-1].text.en


@pytest.mark.parametrize(
    ("reader", "word"),
    [
        (EMPTY, "insert"),
        (ReaderStatus("C", card_present=True, mute=True), "does not answer"),
        (ReaderStatus("C", card_present=True, held=True), "another program"),
    ],
)
def test_a_card_that_cannot_be_talked_to(reader: ReaderStatus, word: str) -> None:
    found = machine(reader)
    assert blamed(found) is Part.CARD
    assert word in found[-1].text.en


def test_all_is_well_up_to_the_card_in_the_reader_that_has_one() -> None:
    found = machine(EMPTY, WITH_CARD)
    assert blamed(found) is None
    assert [finding.part for finding in found] == [Part.SERVICE, Part.DRIVER, Part.READER]
    assert found[-1].text.en == "Reader A"
    assert blamed(machine(EMPTY, WITH_CARD, wanted="reader b")) is Part.CARD


class OtherKeys(RawKeys):
    """Keys of another city, under the name of this one."""

    title = Text("别处的密钥", "keys from elsewhere")

    def _city_key(self, key: CardKey) -> bytearray | None:
        return bytearray(range(16)) if key.name != "DF01/UK1" else None


class WithoutProof(OtherKeys):
    """The same, without the key by which cards prove themselves."""

    def _city_key(self, key: CardKey) -> bytearray | None:
        return None if key.name == "SSSE/IRK" else super()._city_key(key)


@pytest.fixture(params=["ssc-v1", "ssc-v2", "ssc-v3"])
def card(request: pytest.FixtureRequest) -> VirtualCard:
    return VirtualCard.blank(load_profile(request.param))


def examine(card: Card, keys: Keys | None) -> list[Finding]:
    return list(examine_card(lambda: LocalTransport(card), Access(keys=keys)))


def test_the_right_keys_fit(card: VirtualCard) -> None:
    found = examine(card, DemonstrationKeys())
    assert blamed(found) is None
    assert {finding.state for finding in found} == {State.GOOD}
    assert any("tries left for the PIN: 6" in finding.text.en for finding in found)


def test_no_keys_is_no_fault(card: VirtualCard) -> None:
    found = examine(card, None)
    assert blamed(found) is None
    assert found[-1].part is Part.KEYS
    assert found[-1].state is State.UNKNOWN


def test_other_keys_are_blamed_without_a_try_of_the_card(card: VirtualCard) -> None:
    found = examine(card, OtherKeys())
    assert blamed(found) is Part.KEYS
    assert "internal authentication" in found[-1].text.en
    assert any("does not have: DF01/UK1" in finding.text.en for finding in found)
    assert all(secret.tries == secret.limit for secret in card.memory.keys.values())


def test_without_that_proof_one_wrong_try_is_all_it_takes(card: VirtualCard) -> None:
    found = examine(card, WithoutProof())
    assert blamed(found) is Part.KEYS
    assert "RKSSSE" in found[-1].text.en
    assert sum(secret.limit - secret.tries for secret in card.memory.keys.values()) == 1


def test_a_profile_that_guards_no_file_has_nothing_more_to_try() -> None:
    profile = load_profile("ssc-v3")
    environment = profile.applications[0]
    files = tuple(file for file in environment.files if file.read == "free")
    open_profile = profile.model_copy(update={"applications": (environment.model_copy(update={"files": files}),)})
    card = SscCard(Channel(LocalTransport(VirtualCard.blank(profile))), open_profile, Access(DemonstrationKeys()))
    assert [finding.state for finding in _examine(card, Access(DemonstrationKeys()))] == [State.GOOD] * 3


def test_a_locked_pin_is_told(card: VirtualCard) -> None:
    card.memory.pin.tries = 0
    assert any("PIN is locked" in finding.text.en for finding in examine(card, None))


class NoVerify(Fault):
    """A card without VERIFY."""

    def answer(self, number: int, command: bytes) -> bytes:
        return b"\x6d\x00" if command[1] == 0x20 else super().answer(number, command)


def test_a_card_that_does_not_tell_about_its_pin(card: VirtualCard) -> None:
    found = examine(NoVerify(card), DemonstrationKeys())
    assert blamed(found) is None
    assert any("does not tell the tries" in finding.text.en for finding in found)


class ShortAtr(Fault):
    """A card whose answer to reset has no historical bytes."""

    atr = bytes.fromhex("3B00")


def test_a_card_whose_keys_cannot_be_made() -> None:
    found = examine(ShortAtr(VirtualCard.blank(load_profile("ssc-v2"))), DemonstrationKeys())
    assert blamed(found) is Part.CARD


def test_a_card_without_a_city(card: VirtualCard) -> None:
    card.memory.files["SSSE/EF05"][0][2:] = b"\xff" * 16
    assert blamed(examine(card, DemonstrationKeys())) is Part.CARD


def test_a_blocked_card_and_one_that_falls_silent(card: VirtualCard) -> None:
    assert blamed(examine(Mute(card, 2), DemonstrationKeys())) is Part.CARD
    card.block()
    assert blamed(examine(card, DemonstrationKeys())) is Part.CARD


def test_readers_at_the_usb_are_counted_where_the_system_tells(tmp_path: Path) -> None:
    for name, kind in (("1-1:1.0", "0b"), ("1-2:1.0", "03"), ("1-3:1.0", "0b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bInterfaceClass").write_text(f"{kind}\n", "ascii")
    assert attached_readers(tmp_path) == 2
    assert attached_readers(tmp_path / "nowhere") is None
