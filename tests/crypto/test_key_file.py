"""The key file: what it keeps, what it refuses, and what nobody learns from it."""

import json
import stat
import subprocess
import sys
import traceback
import unicodedata
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from juying.crypto import strict
from juying.crypto.block import Cipher
from juying.crypto.block import check_value as block_check_value
from juying.crypto.diversify import city_factor, diversify
from juying.crypto.key_file import Cost, KeyFile
from juying.crypto.key_set import KeyKind, KeySet, KeyState, StoredKey
from juying.crypto.keys import CardKey
from juying.crypto.signing import Algorithm, SoftwareSigner, VerifyKey
from juying.crypto.software_keys import SoftwareKeys
from juying.errors import InputError, KeyUseError
from juying.text import Text

PHRASE = "ein langer Satz 聚英"
CHEAP = Cost(n=2, r=1)
SECRET = bytes.fromhex("0123456789ABCDEF1032547698BADCFE")
OTHER = bytes.fromhex("FEDCBA98765432100F1E2D3C4B5A6978")
CITY = "331000"


def of_cards(
    name: str = "DF01/UK7", material: bytes = SECRET, city: str = CITY, kind: KeyKind = KeyKind.TDES
) -> StoredKey:
    return StoredKey.symmetric(name, kind, bytearray(material), city=city)


def card_key(name: str = "DF01/UK7", cipher: Cipher = Cipher.TDES, city: str = CITY) -> CardKey:
    factor = city_factor("city-sx", city)
    return CardKey(name=name, cipher=cipher, city=city, city_factor=factor, card_factor=bytes(range(8)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one key for cards and one that signs."""
    where = tmp_path / "office.keys"
    with KeyFile.create(where, PHRASE, KeySet([of_cards(), StoredKey.generate("issuer", KeyKind.ES256)]), cost=CHEAP):
        return where


# What it keeps.


@pytest.mark.parametrize("kind", KeyKind)
def test_every_kind_of_key_comes_back_as_it_was(kind: KeyKind, tmp_path: Path) -> None:
    key = StoredKey.generate("a", kind)
    material = bytes(key.material)
    with KeyFile.create(tmp_path / "f", PHRASE, KeySet([key]), cost=CHEAP):
        pass
    with KeyFile.open(tmp_path / "f", PHRASE) as file:
        (found,) = file.keys
        assert bytes(found.material) == material
        for name in ("name", "kind", "city", "version", "state", "created", "check_value", "public_key"):
            assert getattr(found, name) == getattr(key, name)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_signing_keys_sign_as_before_they_were_stored(algorithm: Algorithm, tmp_path: Path) -> None:
    original = SoftwareSigner.generate(algorithm)
    original.save(tmp_path / "k.pem")
    from juying.crypto import pem

    key = StoredKey.signing("issuer", pem.decode((tmp_path / "k.pem").read_bytes(), None))
    with KeyFile.create(tmp_path / "f", PHRASE, KeySet([key]), cost=CHEAP):
        pass
    with SoftwareKeys.open(tmp_path / "f", PHRASE) as keys:
        signer = keys.signer("issuer")
        assert (signer.public_key, signer.algorithm, signer.kid) == (
            original.public_key,
            algorithm,
            key.check_value,
        )
        assert VerifyKey(original.public_key, algorithm).verify(signer.sign(b"permit"), b"permit")


def test_the_file_is_private_and_a_change_replaces_it_as_a_whole(path: Path) -> None:
    before = path.read_bytes()
    with KeyFile.edit(path, PHRASE) as file:
        file.keys.add(of_cards("DF01/UK8", OTHER))
    after = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {entry.name for entry in path.parent.iterdir()} == {"office.keys", ".office.keys.lock"}
    nonces = [json.loads(data.partition(b"\n")[0])["nonce"] for data in (before, after)]
    assert nonces[0] != nonces[1]
    with KeyFile.open(path, PHRASE) as file:
        assert [key.name for key in file.keys] == ["DF01/UK7", "issuer", "DF01/UK8"]


def test_nothing_of_a_key_is_in_the_file_in_the_clear(path: Path) -> None:
    data = path.read_bytes()
    for secret in (SECRET, SECRET.hex().encode(), b"UK7", CITY.encode(), b"issuer"):
        assert secret not in data


def test_the_pass_phrase_may_be_typed_composed_or_decomposed(tmp_path: Path) -> None:
    phrase = "Schlüssel für Tāizhōu"
    with KeyFile.create(tmp_path / "f", unicodedata.normalize("NFD", phrase), KeySet(), cost=CHEAP):
        pass
    with KeyFile.open(tmp_path / "f", unicodedata.normalize("NFC", phrase)) as file:
        assert len(file.keys) == 0


def test_the_default_cost_is_that_of_the_documentation() -> None:
    assert (Cost().n * Cost().r * 128, Cost().p) == (32 << 20, 1)


# What it refuses.


def test_an_existing_file_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(InputError, match="never overwritten"):
        KeyFile.create(path, PHRASE, KeySet(), cost=CHEAP)
    assert path.read_bytes() == before


def test_a_short_pass_phrase_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="8 characters at least"):
        KeyFile.create(tmp_path / "f", "1234567", KeySet())
    assert not list(tmp_path.iterdir())


def test_a_wrong_pass_phrase_and_a_damaged_file_are_told_with_the_same_words(path: Path) -> None:
    with pytest.raises(KeyUseError) as wrong:
        KeyFile.open(path, PHRASE + "!")
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(KeyUseError) as damaged:
        KeyFile.open(path, PHRASE)
    assert wrong.value.text == damaged.value.text
    assert wrong.value.text.en == "wrong pass phrase or damaged key store"


def test_no_bit_of_the_file_can_be_changed(path: Path) -> None:
    data = path.read_bytes()
    for position in range(len(data)):
        altered = bytearray(data)
        altered[position] ^= 1 << (position % 8)
        path.write_bytes(altered)
        with pytest.raises(KeyUseError):
            KeyFile.open(path, PHRASE)


def test_no_part_of_the_file_can_be_missing_or_added(path: Path) -> None:
    data = path.read_bytes()
    for altered in (*(data[:end] for end in range(len(data))), data + b"\0", b"\n" + data, data * 2):
        path.write_bytes(altered)
        with pytest.raises(KeyUseError):
            KeyFile.open(path, PHRASE)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "others-keys"},
        {"n": 3},
        {"n": 1},
        {"n": -2},
        {"n": 1 << 40},
        {"n": True},
        {"n": 2.0},
        {"r": 0},
        {"r": 33},
        {"p": 0},
        {"p": 17},
        {"salt": "00"},
        {"salt": "zz" * 16},
        {"nonce": "00" * 11},
        {"more": 1},
    ],
    ids=str,
)
def test_a_header_out_of_range_is_refused_before_it_costs_anything(
    path: Path, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    header, _, rest = path.read_bytes().partition(b"\n")
    path.write_bytes(strict.write({**json.loads(header), **changes}) + b"\n" + rest)
    monkeypatch.setattr("hashlib.scrypt", None)
    with pytest.raises(KeyUseError, match="this is no key store"):
        KeyFile.open(path, PHRASE)


def test_a_newer_version_asks_for_an_update(path: Path) -> None:
    header, _, rest = path.read_bytes().partition(b"\n")
    path.write_bytes(strict.write({**json.loads(header), "version": 2}) + b"\n" + rest)
    with pytest.raises(KeyUseError, match="update"):
        KeyFile.open(path, PHRASE)


def test_a_file_larger_than_any_store_is_not_read_to_the_end(tmp_path: Path) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte, all of it a hole
    with pytest.raises(KeyUseError, match="no key store"):
        KeyFile.open(huge, PHRASE)


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(KeyUseError, match="cannot be read"):
        KeyFile.open(tmp_path / "none", PHRASE)


@settings(max_examples=50)
@given(data=st.binary(max_size=400))
def test_no_bytes_crash_the_reader(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(data)
    with pytest.raises(KeyUseError):
        KeyFile.open(path, PHRASE)


DESCRIPTION = {
    "name": "a",
    "kind": "3des",
    "city": "",
    "version": 1,
    "state": "current",
    "created": "2026-07-01T00:00:00+00:00",
    "check_value": "",
    "public_key": "",
}


@pytest.mark.parametrize(
    "contents",
    [
        b"\n",
        b"{}\n",
        b"[1]\n",
        b"[" * 100_000 + b"\n",
        strict.write([{**DESCRIPTION, "more": 1}]) + b"\n" + SECRET,
        strict.write([{**DESCRIPTION, "kind": "des"}]) + b"\n" + SECRET,
        strict.write([{**DESCRIPTION, "state": "lost"}]) + b"\n" + SECRET,
        strict.write([{**DESCRIPTION, "created": "2026-07-01"}]) + b"\n" + SECRET,
        strict.write([{**DESCRIPTION, "created": "soon"}]) + b"\n" + SECRET,
        strict.write([{**DESCRIPTION, "check_value": "zz"}]) + b"\n" + SECRET,
        strict.write([{**DESCRIPTION, "version": "1"}]) + b"\n" + SECRET,
        strict.write([{**DESCRIPTION, "version": 0}]) + b"\n" + SECRET,
        strict.write([{**DESCRIPTION, "name": ""}]) + b"\n" + SECRET,
        strict.write([DESCRIPTION]) + b"\n" + SECRET[:-1],
        strict.write([DESCRIPTION]) + b"\n" + SECRET + b"\0",
        strict.write([DESCRIPTION, DESCRIPTION]) + b"\n" + SECRET + SECRET,
        b'[{"name":"a","name":"a"}]\n',
    ],
    ids=range(17),
)
def test_contents_that_another_program_wrote_are_refused(
    path: Path, contents: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # written under the right pass phrase
    file = KeyFile.open(path, PHRASE)
    monkeypatch.setattr("juying.crypto.key_file._plain", lambda _: bytearray(contents))
    file._save()
    with pytest.raises(KeyUseError, match="make no sense"):
        KeyFile.open(path, PHRASE)


# One writer at a time, and power that fails.

CHILD = """
import sys
from juying.crypto.key_file import KeyFile
from juying.crypto.key_set import KeyKind, StoredKey
with KeyFile.edit(sys.argv[1], {phrase!r}) as file:
    file.keys.add(StoredKey.generate("DF01/UK9", KeyKind.TDES))
    {action}
"""


def child(path: Path, action: str) -> "subprocess.Popen[str]":
    code = CHILD.format(phrase=PHRASE, action=action)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_two_writers_at_once_do_not_lose_each_others_keys(path: Path) -> None:
    other = child(path, "print('in', flush=True); sys.stdin.readline()")
    assert other.stdout is not None
    assert other.stdout.readline() == "in\n"
    with pytest.raises(InputError, match="wait until it ends"), KeyFile.edit(path, PHRASE):
        pass
    with KeyFile.open(path, PHRASE) as file:  # readers do not wait
        assert len(file.keys) == 2
    other.communicate("\n", timeout=60)
    assert other.returncode == 0
    with KeyFile.edit(path, PHRASE) as file:
        file.keys.add(of_cards("DF01/UK8", OTHER))
    with KeyFile.open(path, PHRASE) as file:
        assert [key.name for key in file.keys] == ["DF01/UK7", "issuer", "DF01/UK9", "DF01/UK8"]


@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.replace"])
def test_a_process_killed_while_saving_leaves_the_old_store_and_no_lock(path: Path, call: str) -> None:
    before = path.read_bytes()
    module, _, name = call.rpartition(".")
    killed = child(path, f"import os, pathlib; setattr({module}, {name!r}, lambda *_: os._exit(9))")
    killed.communicate(timeout=60)
    assert killed.returncode == 9
    assert path.read_bytes() == before
    for left in path.parent.iterdir():
        assert SECRET not in left.read_bytes()
        assert stat.S_IMODE(left.stat().st_mode) == 0o600 or left.name.endswith(".lock")
    with KeyFile.edit(path, PHRASE) as file:
        file.keys.add(of_cards("DF01/UK8", OTHER))
    with KeyFile.open(path, PHRASE) as file:
        assert len(file.keys) == 3


def test_a_change_that_fails_changes_nothing(path: Path) -> None:
    before = path.read_bytes()

    def add_two() -> None:
        with KeyFile.edit(path, PHRASE) as file:
            file.keys.add(of_cards("DF01/UK8", OTHER))
            file.keys.add(of_cards())

    with pytest.raises(InputError, match="in the store"):
        add_two()
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be locked"):
        KeyFile.create(tmp_path / "none" / "f", PHRASE, KeySet(), cost=CHEAP)


# What nobody learns.


def test_keys_are_in_no_repr_error_or_traceback(path: Path) -> None:
    file = KeyFile.open(path, PHRASE)
    keys = SoftwareKeys(file.keys, Text("库", "store"))
    shown = [repr(thing) for thing in (file, file.keys, keys, *file.keys, file._lock)]
    with pytest.raises(InputError) as twice:
        file.keys.add(of_cards())
    shown += traceback.format_exception(twice.value)
    with pytest.raises(KeyUseError) as wrong:
        KeyFile.open(path, PHRASE + "x")
    shown += traceback.format_exception(wrong.value)
    text = "".join(shown).lower()
    for secret in (SECRET.hex(), repr(SECRET)[2:-1].lower(), PHRASE.lower(), bytes(file._lock.key).hex()):
        assert secret not in text


def test_closing_overwrites_every_key(path: Path) -> None:
    with KeyFile.open(path, PHRASE) as file:
        materials = [key.material for key in file.keys]
        unlocked = file._lock.key
        assert SECRET in materials
    assert not any(map(any, [*materials, unlocked]))
    assert len(file.keys) == 0


# Keys and their versions.


@pytest.mark.parametrize(
    ("name", "kind", "city", "material"),
    [
        ("", KeyKind.TDES, CITY, SECRET),
        ("a b", KeyKind.TDES, CITY, SECRET),
        ("x" * 65, KeyKind.TDES, CITY, SECRET),
        ("a", KeyKind.TDES, "3310", SECRET),
        ("a", KeyKind.TDES, "３３１０００", SECRET),
        ("a", KeyKind.TRANSPORT, CITY, SECRET * 2),
        ("a", KeyKind.TDES, CITY, SECRET[:8]),
        ("a", KeyKind.SM4, CITY, SECRET * 2),
        ("a", KeyKind.SM4, CITY, bytes(16)),
        ("a", KeyKind.TDES, CITY, SECRET[:8] * 2),
        ("a", KeyKind.TDES, CITY, SECRET[:8] + bytes(byte ^ 1 for byte in SECRET[:8])),
        ("a", KeyKind.ES256, "", SECRET * 2),
    ],
)
def test_impossible_and_weak_keys_are_refused(name: str, kind: KeyKind, city: str, material: bytes) -> None:
    with pytest.raises(InputError) as refused:
        StoredKey.symmetric(name, kind, bytearray(material), city=city)
    assert material.hex() not in str(refused.value).lower()


def test_check_values_are_those_of_the_cipher() -> None:
    assert of_cards().check_value == block_check_value(Cipher.TDES, SECRET)
    assert of_cards(kind=KeyKind.SM4).check_value == block_check_value(Cipher.SM4, SECRET)
    # FIPS 197, AES-256 under a key of zeros but for the first bit (NIST's known answers, VarKey256)
    key = bytearray(32)
    key[0] = 0x80
    assert StoredKey.symmetric("t", KeyKind.TRANSPORT, key).check_value == bytes.fromhex("E35A6D")


def test_a_key_of_another_curve_is_refused() -> None:
    with pytest.raises(KeyUseError, match="P-256 or SM2"):
        StoredKey.signing("a", ec.generate_private_key(ec.SECP384R1()))


def test_kinds_are_found_by_name_in_any_case() -> None:
    assert KeyKind.named("es256") is KeyKind.ES256
    assert KeyKind.named("SM4") is KeyKind.SM4
    with pytest.raises(InputError, match="3des, sm4"):
        KeyKind.named("des")


def test_a_rotated_key_stays_as_previous_until_it_is_dropped() -> None:
    with KeySet([of_cards()]) as keys:
        old = keys.find("DF01/UK7")
        new = keys.rotate(old)
        assert (new.version, new.state) == (2, KeyState.CURRENT)
        previous = keys.find("DF01/UK7", state=KeyState.PREVIOUS)
        assert bytes(previous.material) == SECRET
        assert keys.find("DF01/UK7") is new
        with pytest.raises(InputError, match="drop it first"):
            keys.rotate(new)
        assert keys.drop_previous(new)
        assert not keys.drop_previous(new)
        assert not any(previous.material)
        assert keys.rotate(new).version == 3


def test_the_next_version_has_to_be_another_key() -> None:
    with KeySet([of_cards()]) as keys:
        with pytest.raises(InputError, match="the same key"):
            keys.add(of_cards(), new_version=True)
        assert [key.version for key in keys] == [1]


def test_a_key_is_found_by_name_and_where_that_is_not_enough_by_kind_and_city() -> None:
    keys = KeySet([of_cards(), of_cards(kind=KeyKind.SM4), of_cards(city="", material=OTHER)])
    assert keys.find("DF01/UK7", kind=KeyKind.SM4).kind is KeyKind.SM4
    assert keys.find("DF01/UK7", kind=KeyKind.TDES, city="").city == ""
    with pytest.raises(KeyUseError, match="several"):
        keys.find("DF01/UK7")
    with pytest.raises(KeyUseError, match="no such key"):
        keys.find("DF01/UK8")


def test_there_is_a_limit() -> None:
    key = of_cards()
    keys = KeySet()
    keys._keys = [key] * 4096
    with pytest.raises(InputError, match="4096"):
        keys.add(of_cards("DF01/UK8", OTHER))


def test_only_signing_keys_sign() -> None:
    with pytest.raises(KeyUseError, match="not for signing"):
        of_cards().signer()


# At work.


def test_the_citys_own_key_goes_before_the_root_key_and_a_root_key_serves_every_city() -> None:
    with SoftwareKeys(KeySet([of_cards(), of_cards(city="", material=OTHER)]), Text("库", "store")) as keys:
        assert keys.check_value(card_key()) == block_check_value(Cipher.TDES, SECRET)
        elsewhere = diversify(Cipher.TDES, OTHER, city_factor("city-sx", "310000"))
        assert keys.check_value(card_key(city="310000")) == block_check_value(Cipher.TDES, elsewhere)
        assert keys.has(card_key(city="310000"))


def test_a_key_that_is_missing_is_named_with_its_city_and_cipher() -> None:
    keys = SoftwareKeys(KeySet([of_cards()]), Text("密钥库 f ", "the key store f"))
    for missing in (card_key("DF01/UK8"), card_key(cipher=Cipher.SM4), card_key(city="310000")):
        assert not keys.has(missing)
        with pytest.raises(KeyUseError) as refused:
            keys.mac(missing, bytes(8), b"")
        for part in ("the key store f", missing.name, missing.city, missing.cipher.value):
            assert part in str(refused.value)


def test_the_view_of_previous_versions_serves_cards_from_before_a_rotation() -> None:
    stored = KeySet([of_cards(), of_cards("DF01/UK8", OTHER)])
    keys = SoftwareKeys(stored, Text("库", "store"))
    before = keys.encipher(card_key(), bytes(8)), keys.encipher(card_key("DF01/UK8"), bytes(8))
    stored.rotate(stored.find("DF01/UK7"))
    keys.forget()
    old = keys.previous()
    assert keys.encipher(card_key(), bytes(8)) != before[0]
    assert (old.encipher(card_key(), bytes(8)), old.encipher(card_key("DF01/UK8"), bytes(8))) == before
    assert "previous" in old.title.en


def test_a_missing_signing_key_is_named(path: Path) -> None:
    with SoftwareKeys.open(path, PHRASE) as keys:
        for name in ("nobody", "DF01/UK7"):
            with pytest.raises(KeyUseError, match=name):
                keys.signer(name)


def test_a_closed_store_has_no_keys(path: Path) -> None:
    with SoftwareKeys.open(path, PHRASE) as keys:
        assert keys.has(card_key())
        keys.mac(card_key(), bytes(8), b"x")
    with pytest.raises(KeyUseError):
        keys.mac(card_key(), bytes(8), b"x")


def test_moments_are_kept_in_universal_time(path: Path) -> None:
    with KeyFile.open(path, PHRASE) as file:
        for key in file.keys:
            assert key.created.tzinfo is UTC
            assert key.created <= datetime.now(UTC)
