"""The sealed permit: who has the city's key reads it, nobody else learns anything, and no copy or change opens."""

import zlib
from dataclasses import replace

import pytest

from juying.card.access import Access
from juying.card.contents import CardContents
from juying.card.permit_seal import PermitSeal
from juying.card.psam import PsamKeys
from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.card.virtual.psam import VirtualPsam
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import CardState, plan, write_card
from juying.codec.permit_slots import Form, PermitSlot, encode_slot
from juying.codec.profile import load_profile
from juying.codec.spec import KeyKind, Profile
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.errors import AccessRefused, CardRefused, DecodeError, InputError, KeyUseError
from tests.path.conftest import Insert
from tests.path.keyring import Asked, Ring
from tests.path.samples import RECORD, RENEWED, blank, contents, layout, memory_of, permit_on, seal_of

SLOTS = ("DF01/EF16", "DF01/EF17", "DF01/EF18", "DF01/EF19")
RKPERMIT = "DF01/RKPERMIT"
SEALED = ("ssc-v2", "ssc-v3")


class Rotated(DemonstrationKeys):
    """An office that has made a new permit-read key; the demonstration one is the version before."""

    def _city_key(self, key: CardKey) -> bytearray | None:
        city_key = super()._city_key(key)
        if city_key is not None and key.name == RKPERMIT and not key.previous:
            city_key[0] ^= 0x5A
        return city_key


class Unable(DemonstrationKeys):
    """A token that has the key and will not encipher with it."""

    def encipher(self, key: CardKey, data: bytes) -> bytes:
        raise KeyUseError("令牌不允许", "the token does not allow it")


def session(
    card: VirtualCard | Fault, keys: DemonstrationKeys | None = None, profile: Profile | None = None
) -> SscCard:
    return SscCard.open(LocalTransport(card), profile, Access(keys=keys or DemonstrationKeys()))


def written(profile: str = "ssc-v3", *records: bytes, form: str = "sealed") -> VirtualCard:
    card = blank(profile)
    for record in records or (RECORD,):
        write_card(session(card, profile=layout(profile, form)), contents(record))
    return card


def raw(card: VirtualCard, slot: int = 0) -> bytes:
    first, second = SLOTS[2 * slot : 2 * slot + 2]
    return bytes(card.memory.files[first][0] + card.memory.files[second][0])


def put(card: VirtualCard, content: bytes, slot: int = 0) -> None:
    first, second = SLOTS[2 * slot : 2 * slot + 2]
    card.memory.files[first][0][:] = content[:296].ljust(296, b"\xff")
    card.memory.files[second][0][:] = content[296:].ljust(296, b"\xff")


def with_checksum(content: bytes) -> bytes:
    length = int.from_bytes(content[8:10])
    checksum = zlib.crc32(content[16 : 16 + length], zlib.crc32(content[:12]))
    return content[:12] + checksum.to_bytes(4) + content[16:]


def pieces(record: bytes) -> set[bytes]:
    return {record[start : start + 4] for start in range(len(record) - 3)}


def shows(card: VirtualCard, record: bytes) -> bool:
    """Whether any four bytes of ``record`` stand in the permit container."""
    found = raw(card) + raw(card, 1)
    return any(piece in found for piece in pieces(record))


# Who sees what


@pytest.mark.parametrize("profile", SEALED)
def test_without_the_key_a_card_says_no_more_than_that_there_is_a_permit(profile: str, insert: Insert) -> None:
    card = written(profile)
    with insert(card) as transport:
        reader = SscCard.open(transport, access=Access(keys=Ring(set())))
        permit = reader.read().permit
        assert permit is not None
        with pytest.raises(AccessRefused) as refused:
            reader.open_permit(permit)
    assert (permit.form, permit.sequence, len(permit.record)) == (Form.SEALED, 1, 428)
    assert refused.value.text == (
        "密封的工作许可需要密钥 RKPERMIT；密钥库中没有城市 331000 的这个密钥",
        "a sealed permit needs RKPERMIT; the key store has none for city 331000",
    )
    assert (refused.value.rule, refused.value.missing) == ("key:RKPERMIT", ("key:RKPERMIT",))
    assert not shows(card, RECORD)
    assert shows(written(profile, form="open"), RECORD), "and this is how it would be noticed"


def test_neither_length_nor_repetition_tells_anything() -> None:
    """All records are equally long, and the same one looks different on the same card."""
    sizes = {len(session(written("ssc-v3", bytes(size))).read_slots()[0].record) for size in (1, 200, 320, 399)}
    assert sizes == {428}
    first, second = raw(written()), raw(written())
    assert first[:12] == second[:12]
    assert not pieces(first[16:444]) & pieces(second[16:444])


def test_the_key_reference_is_no_part_of_the_secret() -> None:
    """Anybody reads it: it must not be what the seal's key is made of, and differs from card to card."""
    seal = seal_of("ssc-v3")
    other = PermitSeal.of(seal.keys, replace(seal.key, card_factor=bytes(8)), bytes(16))
    assert seal.reference != other.reference
    for profile in SEALED:
        seal = seal_of(profile)
        secret = seal.keys.encipher(seal.key, b"juying seal key ")
        assert seal.reference.to_bytes(2) not in (secret[:2], secret[8:10])
    assert "33100" not in repr(seal)


@pytest.mark.parametrize("profile", SEALED)
def test_a_terminal_whose_key_is_in_a_psam_opens_it(profile: str, insert: Insert) -> None:
    psam = PsamKeys.open(LocalTransport(VirtualPsam.demonstration([load_profile(profile)])))
    with insert(written(profile)) as transport:
        assert permit_on(SscCard.open(transport, access=Access(keys=psam))) == RECORD


@pytest.mark.parametrize("profile", SEALED)
def test_another_key_is_told_from_a_changed_record(profile: str) -> None:
    with pytest.raises(DecodeError, match=f"its key is not {RKPERMIT} of the key store for city 331000"):
        permit_on(session(written(profile), Ring(wrong={RKPERMIT})))


# What does not open


def test_no_changed_byte_opens() -> None:
    """Anywhere in header and record, with the checksum made good."""
    card = written()
    reader, good = session(card), raw(card)[:444]
    for place in range(444):
        if place in (0, 1, 2, *range(12, 16)):  # the mark, the version, the checksum
            continue
        changed = bytearray(good)
        changed[place] ^= 0x01
        put(card, with_checksum(bytes(changed)))
        try:
            slot = reader.read_slots()[0]
            record = reader.open_permit(slot) if slot is not None else None
        except DecodeError:
            record = None
        assert record != RECORD, f"byte {place}"


def test_a_copy_on_another_card_does_not_open() -> None:
    copy = blank("ssc-v3")
    other = VirtualCard.blank(load_profile("ssc-v3"), serial=b"\x99\x11\x01\x46")
    for card in (copy, other):
        put(card, raw(written()))
    assert permit_on(session(copy)) == RECORD, "the same card as far as anybody can tell"
    with pytest.raises(DecodeError, match="copied from another card"):
        permit_on(session(other))
    twin = blank("ssc-v3")  # the same keys, but another serial number in its identifier
    put(twin, raw(written()))
    twin.memory.files["SSSE/EF05"][0][13] ^= 0x01
    with pytest.raises(DecodeError, match="changed or comes from elsewhere"):
        permit_on(session(twin))


def test_a_card_that_is_given_its_check_code_later_still_opens() -> None:
    card = written()
    card.memory.files["SSSE/EF05"][0][14:] = bytes.fromhex("A1B2C3D4")
    assert permit_on(session(card)) == RECORD


def test_an_old_record_behind_a_new_header_does_not_open() -> None:
    card = written("ssc-v3", RECORD, RENEWED)
    old = raw(card, 0)[:444]
    put(card, with_checksum(old[:4] + (9).to_bytes(4) + old[8:]))
    with pytest.raises(DecodeError, match="changed or comes from elsewhere"):
        permit_on(session(card))


@pytest.mark.parametrize("record", [b"", b"x", bytes(27), bytes(28), bytes(428), bytes(576)])
def test_nonsense_behind_the_right_key_reference_does_not_open(record: bytes) -> None:
    seal = seal_of("ssc-v3")
    with pytest.raises(DecodeError, match="changed"):
        seal.open(PermitSlot(0, Form.SEALED, 1, seal.reference, record))


def test_what_was_sealed_without_padding_is_an_error() -> None:
    seal = seal_of("ssc-v3")
    for plain in (bytes(400), b"\x80", RECORD):
        context = b"JY\x01\x01" + (1).to_bytes(4) + (len(plain) + 28).to_bytes(2) + seal.reference.to_bytes(2)
        sealed = seal.keys.seal(seal.key, plain, context + seal.identifier)
        with pytest.raises(DecodeError, match="padding"):
            seal.open(PermitSlot(0, Form.SEALED, 1, seal.reference, sealed))


# Writing


@pytest.mark.parametrize("profile", SEALED)
def test_a_store_without_the_key_writes_nothing_and_says_so(profile: str, insert: Insert) -> None:
    everything_else = {f"{a.name}/{key.name}" for a in load_profile(profile).applications for key in a.keys} - {
        RKPERMIT
    }
    card = blank(profile)
    before = memory_of(card)
    with insert(card) as transport, pytest.raises(AccessRefused) as refused:
        write_card(SscCard.open(transport, access=Access(keys=Ring(everything_else))), contents())
    assert refused.value.text.en == (
        "a sealed permit needs RKPERMIT; the key store has none for city 331000; nothing was changed"
    )
    assert memory_of(card) == before
    with insert(card) as transport:
        session = SscCard.open(transport, layout(profile, "open"), Access(keys=Ring(everything_else)))
        assert write_card(session, contents()).writes
        assert permit_on(session) == RECORD, "a profile may leave it open"


def test_a_key_that_cannot_be_used_writes_nothing() -> None:
    card = blank("ssc-v3")
    before = memory_of(card)
    with pytest.raises(KeyUseError, match="the token does not allow it"):
        write_card(session(card, Unable()), contents())
    assert memory_of(card) == before


def test_a_profile_without_such_a_key_cannot_open_what_is_sealed() -> None:
    whole = layout("ssc-v3", "open")
    applications = tuple(
        entry.model_copy(update={"keys": tuple(key for key in entry.keys if key.kind is not KeyKind.SEAL)})
        for entry in whole.applications
    )
    card = written()
    with pytest.raises(AccessRefused, match="the profile has no such key"):
        permit_on(session(card, profile=whole.model_copy(update={"applications": applications})))


def test_a_plan_without_the_seal_is_refused() -> None:
    with pytest.raises(InputError, match="the card's seal is needed"):
        plan(load_profile("ssc-v3"), contents())


def test_a_plan_compares_what_is_under_the_seal() -> None:
    seal, profile = seal_of("ssc-v3"), load_profile("ssc-v3")
    wanted = CardContents({}, permit_record=RECORD)
    live = PermitSlot(1, Form.SEALED, 7, seal.reference, b"whatever it looks like")
    assert plan(profile, wanted, CardState({}, b"", (None, live), RECORD), seal).writes == ()
    for state in (
        CardState({}, b"", (None, live), RENEWED),
        CardState({}, b"", (None, live), None),
        CardState({}, b"", (None, replace(live, key_reference=1)), RECORD),
        CardState({}, b"", (None, replace(live, form=Form.OPEN, key_reference=0)), RECORD),
    ):
        writes = plan(profile, wanted, state, seal).writes
        assert {write.file.address for write in writes} == {"DF01/EF16", "DF01/EF17"}, "the slot that is not live"
        assert writes[-1].data[:8] == b"JY\x01\x01\x00\x00\x00\x08"


def test_a_card_with_another_identifier_is_not_sealed() -> None:
    card = blank("ssc-v3")
    other = bytes.fromhex("331000D15600000512345678FFFFFFFF")
    wanted = CardContents({**contents().values, "card.identifier": other}, permit_record=RECORD)
    with pytest.raises(CardRefused, match="another card identifier"):
        write_card(session(card), wanted)
    assert card.memory.changes == 0
    own = bytes(card.memory.files["SSSE/EF05"][0][2:14]) + bytes.fromhex("A1B2C3D4")
    write_card(session(card), CardContents({**wanted.values, "card.identifier": own}, permit_record=RECORD))
    assert permit_on(session(card)) == RECORD


def test_what_does_not_open_is_written_anew_in_the_other_slot() -> None:
    card = written()
    put(card, encode_slot(bytes(428), 5, Form.SEALED, 1))
    write_card(session(card), contents())
    live = session(card).read().permit
    assert live is not None
    assert (live.index, live.sequence, session(card).open_permit(live)) == (1, 6, RECORD)


def test_after_a_rotation_the_old_seal_opens_and_the_next_run_makes_a_new_one() -> None:
    card = written()
    assert permit_on(session(card, Rotated())) == RECORD
    assert len(write_card(session(card, Rotated()), contents()).writes) > 3
    assert write_card(session(card, Rotated()), contents()).writes == ()
    assert permit_on(session(card, Rotated())) == RECORD
    with pytest.raises(DecodeError, match="its key is not"):
        permit_on(session(card))


# From open to sealed, and back


@pytest.mark.parametrize("profile", SEALED)
def test_when_permits_become_sealed_nothing_open_is_left(profile: str, insert: Insert) -> None:
    card = written(profile, RECORD, RENEWED, form="open")
    assert shows(card, RECORD)
    assert shows(card, RENEWED)
    with insert(card) as transport:
        assert write_card(SscCard.open(transport), contents(RENEWED)).writes
        assert permit_on(SscCard.open(transport)) == RENEWED
        assert write_card(SscCard.open(transport), contents(RENEWED)).writes == ()
    assert not shows(card, RECORD)
    assert not shows(card, RENEWED)


def test_when_permits_become_open_everybody_reads_them() -> None:
    card = written()
    write_card(session(card, profile=layout("ssc-v3", "open")), contents())
    live = session(card, Ring(set())).read().permit
    assert live is not None
    assert (live.form, live.key_reference, live.record) == (Form.OPEN, 0, RECORD)


def test_opening_asks_the_card_for_nothing_that_was_not_read_anyway() -> None:
    card = Asked(written())
    reader = session(card)
    live = reader.read().permit
    count = len(card.commands)
    assert live is not None
    assert reader.open_permit(live) == RECORD
    assert len(card.commands) == count
