"""The signed list: published vectors, packing, sizes, and everything that a list may not be."""

import random
import zlib
from dataclasses import replace
from datetime import datetime, timedelta

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cbor
from juying.credential import status_list
from juying.credential.status_list import (
    MAX_ENTRIES,
    MAX_PACKED,
    MAX_TEXT,
    MAX_TOKEN,
    Status,
    from_text,
    pack,
    read_status_list,
    sign_status_list,
    to_text,
    unpack,
    verify_status_list,
)
from juying.credential.trust import KeyUse, TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.errors import DecodeError, InputError, JuyingError
from tests.credential.samples import NOW, OTHER_SIGNER, SIGNER, TRUST, claims, signed, trusted
from tests.credential.statuses import NUMBER, at, claims_set, forged, token, with_list

# draft-ietf-oauth-status-list, sections 4.2 and 4.3 and appendix "Test vectors for Status List encoding"
ONE_BIT = bytes([1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1])
TWO_BITS = bytes([1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3])
PLACES = [0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1000345]
APPENDIX = [
    (
        1,
        dict.fromkeys(PLACES, 1),
        "a2646269747301636c737458bd78daeddc010dc0200c0041a88249400ad2903e0f4bba00bd93f002beb7a2a2010000a91e0900000000"
        "000000000000000000000080729604000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "005c6f4800000000000000fc2c240000000000000000000000be1b12000000000000000000ecaa4b0000000000000000000000000000"
        "00009b0b0900000000000000000038de9400000000000000002a30cc010000000080642f0bd8011b",
    ),
    (
        2,
        dict(zip(PLACES, [1, 2, 1, 3, 1, 1, 2, 1, 1, 2, 3], strict=True)),
        "a2646269747302636c737459013d78daeddb310d00211000412ea1a04004fe5520ed357c28c81d3312b6df68bc65480000000000406e"
        "21010000000000000000000000000000000000000000000000000000000000000040795b020000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000080f4ba0400000000000000000000000000406d764a000000000000000000000000000000000000000000e09221"
        "01000000000000000000000000000000000000fc131200000000000000000000000000000000000000000000000000000000000000c0"
        "912e01000000000000000000000000000000000000c07d4b02000000000000000000000000000000a8614a0000000000000000000000"
        "406a1fcd60010c",
    ),
]


@pytest.mark.parametrize(
    ("bits", "values", "packed", "compressed"),
    [(1, ONE_BIT, "b9a3", "78dadbb918000217015d"), (2, TWO_BITS, "c944f9", "78da3be9f2130003df0207")],
)
def test_the_short_vectors_of_the_draft(bits: int, values: bytes, packed: str, compressed: str) -> None:
    assert pack(values, bits).hex() == packed
    assert unpack(bytes.fromhex(packed), bits) == values
    assert zlib.decompress(bytes.fromhex(compressed)).hex() == packed
    read = read_status_list(with_list(bits, bytes.fromhex(compressed)))
    assert [read.status(index) for index in range(len(values))] == [Status.of(value) for value in values]


@pytest.mark.parametrize(("bits", "values", "vector"), APPENDIX)
def test_the_long_vectors_of_the_draft(bits: int, values: dict[int, int], vector: str) -> None:
    """A million entries, as the draft compressed them."""
    published = cbor2.loads(bytes.fromhex(vector))
    assert published["bits"] == bits
    expected = bytearray(1 << 20)
    for place, value in values.items():
        expected[place] = value
    read = read_status_list(with_list(bits, published["lst"]))
    assert unpack(read.packed, bits) == expected
    assert read.packed == pack(bytes(expected), bits)


def test_the_token_is_a_cwt_as_the_draft_has_it() -> None:
    """Read with nothing but cbor2 and the numbers of the draft."""
    found = cbor2.loads(token(TWO_BITS, ttl=timedelta(hours=2), base="https://status.example/lists/"))
    assert found.tag == 18
    protected, unprotected, payload, signature = found.value
    assert cbor2.loads(protected) == {1: -7, 4: SIGNER.kid, 16: "application/statuslist+cwt"}
    assert (unprotected, len(signature)) == ({}, 64)
    issued = int((NOW - timedelta(hours=1)).timestamp())
    read = cbor2.loads(payload)
    lst = read[65533].pop("lst")
    assert read == {
        2: "https://status.example/lists/3",
        4: issued + 86_400,
        6: issued,
        65534: 7200,
        65533: {"bits": 2},
    }
    assert zlib.decompress(lst).hex() == "c944f9"


@given(st.sampled_from([1, 2, 4, 8]), st.data())
def test_what_was_packed_is_unpacked(bits: int, data: st.DataObject) -> None:
    values = bytes(data.draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=70)))
    packed = pack(values, bits)
    assert len(packed) == -(-len(values) * bits // 8)
    unpacked = unpack(packed, bits)
    assert unpacked[: len(values)] == values
    assert not any(unpacked[len(values) :])


@given(st.lists(st.sampled_from(Status), min_size=1, max_size=50))
def test_every_status_is_read_back_at_its_place(statuses: list[Status]) -> None:
    read = read_status_list(token(bytes(statuses)))
    assert [read.status(index) for index in range(len(statuses))] == statuses


def test_no_entry_is_no_status() -> None:
    read = read_status_list(token(bytes(8)))
    assert len(read) == 8
    assert (read.status(7), read.status(8), read.status(-1)) == (Status.VALID, None, None)


def test_a_value_that_we_never_write_counts_as_revoked() -> None:
    """Number 3 is for applications; whatever it meant elsewhere, it is no yes."""
    assert read_status_list(token(b"\x03")).status(0) is Status.INVALID
    assert read_status_list(with_list(8, zlib.compress(b"\xff\x00\x02"))).status(0) is Status.INVALID


def test_a_value_too_large_for_its_bits_is_not_packed() -> None:
    with pytest.raises(InputError, match="more than 2 bits"):
        pack(b"\x04")


@pytest.mark.parametrize(
    ("entries", "most"), [(20_000, 600), (100_000, 2_000), (1_000_000, 16_500)], ids=["20 k", "100 k", "1 M"]
)
def test_a_list_with_one_percent_revoked_is_small(entries: int, most: int) -> None:
    """Section 1.3 of the design: 542 B, 1765 B, 15.6 kB."""
    statuses = bytearray(entries)
    for place in random.Random(4).sample(range(entries), entries // 100):
        statuses[place] = Status.INVALID
    found = token(bytes(statuses))
    assert most * 0.7 < len(found) < most
    assert read_status_list(found).packed == pack(bytes(statuses))


@pytest.mark.parametrize("algorithm", Algorithm)
def test_every_algorithm_signs_lists(algorithm: Algorithm) -> None:
    signer = SoftwareSigner.generate(algorithm)
    content, key = verify_status_list(token(signer=signer), TrustList([trusted(signer)]), now=NOW)
    assert (content.number, key.key.algorithm) == (NUMBER, algorithm)


def test_a_list_as_text_is_the_same_list() -> None:
    text = to_text(token())
    assert text.startswith("JYS1:")
    assert from_text(text) == token()


def test_a_large_list_has_no_text() -> None:
    noise = bytes(random.Random(1).choices(range(3), k=20_000))
    with pytest.raises(InputError, match="one QR code"):
        to_text(token(noise))


@pytest.mark.parametrize("text", ["", "JY1:00", "jys1:00", " JYS1:00", "JYS1:0" + "0" * MAX_TEXT, "JYS1:::::"])
def test_other_text_is_no_list(text: str) -> None:
    with pytest.raises(DecodeError):
        from_text(text)


# What cannot be signed


@pytest.mark.parametrize(
    "changes",
    [
        {"number": -1},
        {"number": 2**32},
        {"base": "https://status.example/list"},
        {"base": "状态/"},
        {"base": "a b/"},
        {"base": "x" * 200 + "/"},
        {"ttl": timedelta(0)},
        {"ttl": timedelta(hours=25)},
    ],
)
def test_a_useless_list_is_not_signed(changes: dict[str, object]) -> None:
    with pytest.raises(InputError):
        token(**changes)


def test_a_list_too_large_to_read_is_not_signed() -> None:
    with pytest.raises(InputError, match="too large"):
        token(bytes(MAX_ENTRIES + 4))
    assert len(read_status_list(token(bytes(MAX_ENTRIES)))) == MAX_ENTRIES


# Hostile tokens


def refused(data: bytes, trust: TrustList = TRUST) -> str:
    with pytest.raises(InputError) as caught:
        verify_status_list(data, trust, now=NOW)
    return caught.value.text.en


def test_bomb() -> None:
    """A kilobyte that would unpack to a megabyte is fine; one that goes over the limit never comes into being."""
    assert len(read_status_list(with_list(2, zlib.compress(bytes(1 << 20), 9)))) == 1 << 22
    assert "larger than" in refused(with_list(2, zlib.compress(bytes(MAX_PACKED + 1), 9)))
    assert "larger than" in refused(with_list(2, zlib.compress(bytes(100 * MAX_PACKED), 9)))


def test_a_bomb_of_a_stranger_is_not_even_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The signature comes first."""
    monkeypatch.setattr(status_list, "_decompress", None)
    bomb = forged(claims_set(status_list={"bits": 2, "lst": zlib.compress(bytes(1 << 26))}), signer=OTHER_SIGNER)
    assert "not in the trust list" in refused(bomb)
    assert "wrong" in refused(bomb[:-1] + bytes([bomb[-1] ^ 1]), TrustList([trusted(OTHER_SIGNER)]))


@pytest.mark.parametrize("bits", [0, 3, 16, -2, True, 2.0, "2", None])
def test_wrong_bits(bits: object) -> None:
    with pytest.raises(DecodeError):
        read_status_list(with_list(bits, zlib.compress(b"")) if type(bits) is not float else _with_float())


def _with_float() -> bytes:
    claims = cbor2.dumps(claims_set(status_list={"bits": 2.0, "lst": zlib.compress(b"")}), canonical=True)
    return forged(cbor2.loads(claims))


@pytest.mark.parametrize(
    "lst",
    [
        b"",
        b"no zlib",
        zlib.compress(bytes(100))[:-1],
        zlib.compress(bytes(100)) + b"\0",
        zlib.compress(bytes(100)) * 2,
        zlib.compress(bytes(100))[:-4] + bytes(4),
        zlib.compress(bytes(100), wbits=-15),
        "text",
        7,
        None,
    ],
    ids=["empty", "noise", "cut", "trailing byte", "two streams", "checksum", "no header", "text", "number", "null"],
)
def test_wrong_stream(lst: object) -> None:
    with pytest.raises(DecodeError):
        read_status_list(with_list(2, lst))


@pytest.mark.parametrize(
    "sub",
    [
        "",
        "3",
        "juying:status/",
        "juying:status/03",
        "juying:status/3x",
        "juying:status/4294967296",
        "juying:status/99999999999",
        "juying:status/-3",
        "juying:status/３",
        "juying:\nstatus/3",
        "x" * 200 + "/3",
        3,
        None,
        b"juying:status/3",
    ],
)
def test_wrong_sub(sub: object) -> None:
    with pytest.raises(DecodeError):
        read_status_list(forged(claims_set(sub=sub)))


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": 2**40},
        {"iat": -1},
        {"iat": "now"},
        {"iat": True},
        {"iat": None},
        {"exp": None},
        {"exp": int(NOW.timestamp()) - 3600},
        {"exp": 1},
        {"ttl": 0},
        {"ttl": -1},
        {"ttl": None},
        {"ttl": 2**64 - 1},
        {"status_list": None},
        {"status_list": []},
        {"status_list": {"bits": 2}},
        {"status_list": {"lst": zlib.compress(b"")}},
        {"status_list": {"bits": 2, "lst": zlib.compress(b""), "aggregation_uri": "x"}},
        {"more": 1},
    ],
)
def test_wrong_claims(changes: dict[str, object]) -> None:
    with pytest.raises(DecodeError):
        read_status_list(forged(claims_set(**changes)))


@pytest.mark.parametrize("claims", [[], "text", 7, None, {}, {"2": 1}])
def test_no_claims_at_all(claims: object) -> None:
    with pytest.raises(DecodeError):
        read_status_list(forged(claims))


def test_trailing_bytes_and_cut_ones() -> None:
    good = token()
    for bad in (b"", good + b"\0", good[:-1], good[1:], b"\0" + good, bytes(MAX_TOKEN + 1)):
        with pytest.raises(DecodeError):
            read_status_list(bad)


def test_too_long() -> None:
    padded = forged(claims_set(sub="x" * MAX_TOKEN + "/3"))
    with pytest.raises(DecodeError, match=str(MAX_TOKEN - 1)):
        read_status_list(padded)


def test_another_kind_of_token() -> None:
    """Neither does a credential count as a list, nor a list as a credential."""
    credential = signed(claims().encode())
    with pytest.raises(DecodeError):
        read_status_list(credential)
    with pytest.raises(DecodeError):
        read_status_list(forged(claims_set(), file_type="application/cwt"))
    assert verify(token(), TRUST, now=NOW).verdict is Verdict.MALFORMED


@given(st.binary(max_size=200))
def test_noise_is_refused_with_one_kind_of_error(noise: bytes) -> None:
    for data in (noise, b"\xd2" + noise, b"\xd2\x84" + noise):
        with pytest.raises(DecodeError):
            read_status_list(data)


@given(st.integers(0, 10**9), st.integers(1, 255))
def test_no_changed_byte_passes(at_byte: int, change: int) -> None:
    data = bytearray(token(TWO_BITS))
    data[at_byte % len(data)] ^= change
    with pytest.raises(JuyingError):
        verify_status_list(bytes(data), TRUST, now=NOW)


# Whose list, and when


def test_other_key() -> None:
    assert "not in the trust list" in refused(token(signer=OTHER_SIGNER))


def test_a_key_for_credentials_only() -> None:
    """Who issues permits cannot bring revoked ones back, if the trust list says so."""
    trust = TrustList([trusted(use=[KeyUse.CREDENTIAL])])
    assert "may not sign lists" in refused(token(), trust)
    trust = TrustList([trusted(use=[KeyUse.STATUS])])
    assert verify_status_list(token(), trust, now=NOW)[0].number == NUMBER


def test_algorithm_swapped_in_the_header() -> None:
    assert "may not sign lists" in refused(forged(claims_set(), algorithm=-8))


def test_a_second_key_of_the_same_kid_is_tried() -> None:
    colliding = replace(trusted(OTHER_SIGNER), kid=SIGNER.kid)
    _, key = verify_status_list(token(), TrustList([colliding, trusted()]), now=NOW)
    assert key.key.public_key == SIGNER.public_key


def test_signed_outside_of_the_signing_period() -> None:
    trust = TrustList([trusted(not_before=NOW - timedelta(minutes=30))])
    assert "signing period" in refused(token(), trust)


def test_a_key_whose_signatures_no_longer_count() -> None:
    end = NOW - timedelta(minutes=30)
    trust = TrustList([trusted(not_after=end, verify_until=end)])
    assert "no longer count" in refused(token(), trust)


def test_from_the_future() -> None:
    skew = status_list.CLOCK_SKEW
    verify_status_list(at(NOW + skew), TRUST, now=NOW)
    assert "future" in refused(at(NOW + skew + timedelta(seconds=1)))


def test_an_expired_list_still_counts_against_the_revoked() -> None:
    """What it says about the others is for `StatusAnswer.expired`."""
    content, _ = verify_status_list(at(NOW - timedelta(days=20), b"\x01"), TRUST, now=NOW)
    assert content.expires_at < NOW
    assert content.status(0) is Status.INVALID


def test_times_are_cut_to_the_second() -> None:
    moment = datetime.fromisoformat("2026-11-30T12:00:00.900000+08:00")
    assert read_status_list(at(moment)).issued_at == moment.replace(microsecond=0)


def test_statuses_have_words_in_both_languages() -> None:
    assert all(status.text.zh and status.text.en for status in Status)


def test_the_encoding_is_the_only_one() -> None:
    """Another order of the same claims is another list, and not ours."""
    claims = claims_set()
    payload = cbor2.dumps(dict(sorted(claims.items(), reverse=True)))
    assert cbor2.loads(payload) == claims
    assert payload != cbor.encode(claims)
    with pytest.raises(DecodeError):
        status_list._parse_claims(payload)


def test_a_signer_without_a_number_in_its_uri_is_impossible() -> None:
    assert read_status_list(sign_status_list(b"", SIGNER, number=0, issued_at=NOW, base="a:")).uri == "a:0"
