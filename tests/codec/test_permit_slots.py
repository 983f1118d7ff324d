"""The permit container: a renewal torn after any byte leaves the old permit, or, complete, the new one."""

import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec.permit_slots import (
    HEADER_LENGTH,
    PADDED_LENGTH,
    Form,
    PermitSlot,
    decode_header,
    decode_slot,
    encode_slot,
    live_slot,
    pad_record,
    seal_context,
    slot_files,
    slot_writes,
    unpad_record,
)
from juying.codec.profile import load_profile
from juying.credential.issue import MAX_BOUND, MAX_BYTES
from juying.errors import DecodeError, InputError

PLACES = slot_files(load_profile("ssc-v2"))
HALF = PLACES[0][0].size
ROOM = 2 * HALF - HEADER_LENGTH

Card = dict[str, bytearray]


def blank_card(filling: int = 0xFF) -> Card:
    return {file.address: bytearray([filling]) * file.size for place in PLACES for file in place}


def slots(card: Card) -> list[PermitSlot | None]:
    contents = (bytes(card[first.address] + card[second.address]) for first, second in PLACES)
    return [decode_slot(index, raw) for index, raw in enumerate(contents)]


def renewal(card: Card, record: bytes) -> Iterator[tuple[str, int, int]]:
    """The bytes that a renewal writes, in their order: file, offset, value."""
    live = live_slot(slots(card))
    target = PLACES[1 - live.index] if live else PLACES[0]
    for file, offset, data in slot_writes(target, encode_slot(record, live.sequence + 1 if live else 1)):
        assert offset + len(data) <= file.size
        for place, value in enumerate(data, offset):
            yield file.address, place, value


def renew(card: Card, record: bytes) -> None:
    for address, place, value in list(renewal(card, record)):
        card[address][place] = value


def tear_everywhere(card: Card, record: bytes) -> int:
    """Tear the renewal after every byte; the number of places. Leaves the card renewed."""
    old = live_slot(slots(card))
    steps = list(renewal(card, record))
    done = {address: bytearray(content) for address, content in card.items()}
    for address, place, value in steps:
        done[address][place] = value
    for address, place, value in steps:
        live = live_slot(slots(card))
        assert live == old or card == done, f"torn before {address} @{place}"
        # The next attempt finishes, wherever the first one stopped.
        if place % 16 == 0:
            second = {name: bytearray(content) for name, content in card.items()}
            renew(second, record)
            again = live_slot(slots(second))
            assert again is not None
            assert again.record == record
        card[address][place] = value
    new = live_slot(slots(card))
    assert card == done
    assert new is not None
    assert new.record == record
    assert new.sequence == (old.sequence + 1 if old else 1)
    assert old is None or new.index != old.index
    return len(steps)


def noise(length: int, seed: int) -> bytes:
    return b"".join(zlib.crc32(bytes([i % 256, seed])).to_bytes(4, "big") for i in range(length // 4 + 1))[:length]


@pytest.mark.parametrize("filling", [0xFF, 0x00, 0x4A])
def test_tear_after_every_byte(filling: int) -> None:
    """The first write on a blank card, then renewals that grow, shrink, stay the same and fill everything."""
    card = blank_card(filling)
    lengths = [200, 250, 250, HALF - HEADER_LENGTH, HALF - HEADER_LENGTH + 1, ROOM, 40, ROOM, 1, 300]
    for seed, length in enumerate(lengths):
        assert tear_everywhere(card, noise(length, seed)) == HEADER_LENGTH + length


def test_tear_of_the_same_record_written_again() -> None:
    """Bodies that are equal byte by byte: only the sequence number and the checksum tell old from new."""
    card = blank_card()
    record = noise(220, 7)
    for _ in range(4):
        tear_everywhere(card, record)


def test_tear_among_many_sequence_numbers() -> None:
    """Sequence numbers whose bytes carry over while the header is half written."""
    card = blank_card()
    first = encode_slot(noise(60, 1), 0x00FFFFFE)
    for file, offset, data in slot_writes(PLACES[0], first):
        card[file.address][offset : offset + len(data)] = data
    for seed in range(4):
        tear_everywhere(card, noise(60, seed))


def test_header_is_written_last_and_records_use_the_second_file_when_long() -> None:
    first, second = PLACES[0]
    short = list(slot_writes(PLACES[0], encode_slot(bytes(10), 1)))
    assert [(file.address, offset, len(data)) for file, offset, data in short] == [
        (first.address, HEADER_LENGTH, 10),
        (first.address, 0, HEADER_LENGTH),
    ]
    long = list(slot_writes(PLACES[0], encode_slot(bytes(ROOM), 1)))
    assert [(file.address, offset, len(data)) for file, offset, data in long] == [
        (second.address, 0, HALF),
        (first.address, HEADER_LENGTH, HALF - HEADER_LENGTH),
        (first.address, 0, HEADER_LENGTH),
    ]
    with pytest.raises(InputError, match="592 bytes"):
        list(slot_writes(PLACES[0], encode_slot(bytes(ROOM + 1), 1)))


@given(
    record=st.binary(min_size=1, max_size=ROOM),
    sequence=st.integers(1, 2**32 - 1),
    form=st.sampled_from(Form),
    key=st.integers(0, 0xFFFF),
    rest=st.binary(max_size=20),
)
def test_round_trip(record: bytes, sequence: int, form: Form, key: int, rest: bytes) -> None:
    slot = decode_slot(1, encode_slot(record, sequence, form, key) + rest)
    assert slot == PermitSlot(1, form, sequence, key, record)


@given(st.binary(max_size=80))
def test_any_bytes_are_no_slot(raw: bytes) -> None:
    """Only what checks out is a slot."""
    for data in (raw, b"JY" + raw, b"JY\x01\x00" + raw):
        slot = decode_slot(0, data)
        assert slot is None or data.startswith(encode_slot(slot.record, slot.sequence, slot.form, slot.key_reference))


def test_every_damaged_byte_is_noticed() -> None:
    """One byte changed or missing anywhere: there is no slot."""
    content = encode_slot(noise(50, 3), 5, Form.SEALED, 9)
    for place in range(len(content)):
        for change in (0x01, 0xFF):
            damaged = bytearray(content)
            damaged[place] ^= change
            assert decode_slot(0, bytes(damaged)) is None
    for length in range(len(content)):
        assert decode_slot(0, content[:length]) is None


@pytest.mark.parametrize(("place", "value"), [(2, 0), (2, 2), (3, 2), (3, 0xFF)])
def test_intact_slot_of_unknown_version_or_form_says_update(place: int, value: int) -> None:
    """A later program may have written it: reading on with the other slot could show a permit that is over."""
    content = bytearray(encode_slot(b"record", 1))
    content[place] = value
    assert decode_slot(0, bytes(content)) is None  # the checksum does not hold: torn
    content[12:16] = zlib.crc32(content[16:], zlib.crc32(content[:12])).to_bytes(4, "big")
    header = decode_header(bytes(content))
    assert header is not None
    assert header.length == 6
    with pytest.raises(DecodeError, match="update the software"):
        decode_slot(0, bytes(content))


def test_live_slot() -> None:
    older, newer = PermitSlot(0, Form.OPEN, 7, 0, b"a"), PermitSlot(1, Form.OPEN, 8, 0, b"b")
    assert live_slot([None, None]) is None is live_slot([])
    assert live_slot([older, None]) is older
    assert live_slot([older, newer]) is live_slot([newer, older]) is newer


@pytest.mark.parametrize(("record", "sequence"), [(b"", 1), (bytes(0x10000), 1), (b"a", 0), (b"a", 2**32)])
def test_what_the_header_cannot_tell_is_refused(record: bytes, sequence: int) -> None:
    with pytest.raises(InputError):
        encode_slot(record, sequence)


def test_places() -> None:
    """Two slots of two files each since the second generation, none before."""
    addresses = [[file.address for file in place] for place in PLACES]
    assert addresses == [["DF01/EF16", "DF01/EF17"], ["DF01/EF18", "DF01/EF19"]]
    assert [len(slot_files(load_profile(name))) for name in ("ssc-v1", "ssc-v2", "ssc-v3")] == [0, 2, 2]
    assert "record" not in repr(PermitSlot(0, Form.OPEN, 1, 0, b"record"))


def test_every_credential_can_be_padded_and_then_sealed_in_a_slot() -> None:
    assert MAX_BOUND < MAX_BYTES < PADDED_LENGTH
    assert PADDED_LENGTH + 28 <= ROOM, "the seal adds 28 bytes"


@given(st.binary(max_size=PADDED_LENGTH - 1))
def test_padding_comes_off_again(record: bytes) -> None:
    padded = pad_record(record)
    assert len(padded) == PADDED_LENGTH
    assert unpad_record(padded) == record


@pytest.mark.parametrize(
    "padded", [b"", bytes(400), b"\x80" + bytes(398), b"\x80" + bytes(400), b"\x80" + bytes(398) + b"\x01"]
)
def test_what_is_no_padding_is_refused(padded: bytes) -> None:
    with pytest.raises(DecodeError, match="padding"):
        unpad_record(padded)


def test_a_record_too_long_to_be_padded_is_refused() -> None:
    with pytest.raises(InputError, match="more than 399 bytes"):
        pad_record(bytes(400))


def test_a_seal_is_bound_to_the_header_as_it_is_written_and_to_the_card() -> None:
    content = encode_slot(bytes(428), 7, Form.SEALED, 0x1234)
    assert seal_context(428, 7, 0x1234, b"card") == content[:12] + b"card"
    others = {
        (428, 8, 0x1234, b"card"),
        (427, 7, 0x1234, b"card"),
        (428, 7, 0x1235, b"card"),
        (428, 7, 0x1234, b"cars"),
    }
    assert len({seal_context(*one) for one in others}) == 4
