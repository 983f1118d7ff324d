"""The signed trust list: the root's signature and nothing else makes it good, and each attack is named."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from juying.codec import cose, signed_file
from juying.credential import trust_file
from juying.credential.issue import issue
from juying.credential.trust import FILE_TYPE, MAX_FILE, MAX_SAME_KID, Edition, KeyUse, TrustedKey, TrustList
from juying.credential.trust_file import Content
from juying.credential.trust_root import Root
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.errors import DecodeError, InputError, KeyUseError
from juying.model import PermitCategory
from juying.text import Text
from tests.credential.samples import NOW, OTHER_SIGNER, SIGNER, TRUST, FixedKid, claims, trusted
from tests.credential.trusting import (
    DAY,
    OTHER_ROOT,
    OTHER_ROOT_SIGNER,
    ROOT,
    ROOT_SIGNER,
    SECOND,
    document,
    edition,
    sign_anything,
    signed_list,
)

LIMITED = trusted(
    OTHER_SIGNER,
    verify_until=NOW + timedelta(days=1000),
    categories={PermitCategory.A, PermitCategory.C},
    use={KeyUse.STATUS},
    demonstration=True,
    region="",
)


def load(data: bytes, *roots: Root) -> TrustList:
    return TrustList.from_signed(data, roots or (ROOT,))


# Round trips


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_list_survives_its_signature_whatever_the_root(algorithm: Algorithm) -> None:
    signer = SoftwareSigner.generate(algorithm)
    root = Root.of(signer, Text("根", "root"))
    listed = load(TrustList([trusted(), LIMITED], edition=edition(7)).signed(signer), ROOT, root)
    assert list(listed) == [trusted(), LIMITED]
    assert (listed.edition, listed.root) == (edition(7), root)


@pytest.mark.parametrize("algorithm", Algorithm)
def test_issuing_keys_of_every_algorithm_can_be_listed(algorithm: Algorithm) -> None:
    signer = SoftwareSigner.generate(algorithm)
    (key,) = load(signed_list(1, trusted(signer)))
    assert (key.key.algorithm, key.key.public_key) == (algorithm, signer.public_key)


def test_json_and_signed_form_say_the_same(tmp_path: Path) -> None:
    source, again = tmp_path / "list.json", tmp_path / "again.json"
    TrustList([trusted(), LIMITED], edition=edition()).save(source)
    data = TrustList.load(source).signed(ROOT_SIGNER)
    load(data).save(again)
    assert list(TrustList.load(again)) == list(TrustList.load(source)) == [trusted(), LIMITED]
    assert TrustList.load(again).edition == edition()
    assert TrustList.load(again).signed(ROOT_SIGNER) == data  # there is one encoding


moments = st.integers(0, 200 * 365).map(lambda days: NOW.replace(year=1970, month=1, day=1) + timedelta(days=days))
lines = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=30)


@st.composite
def listed_keys(draw: st.DrawFn) -> TrustedKey:
    not_before, not_after, verify_until = sorted(draw(st.tuples(moments, moments, moments)))
    return trusted(
        draw(st.sampled_from([SIGNER, OTHER_SIGNER])),
        issuer=Text(draw(lines), draw(lines)),
        region=draw(st.sampled_from(["", "330000", "331000", "331002"])),
        not_before=not_before,
        not_after=not_after,
        verify_until=verify_until,
        categories=draw(st.sets(st.sampled_from(PermitCategory), min_size=1)),
        use=draw(st.sets(st.sampled_from(KeyUse), min_size=1)),
        demonstration=draw(st.booleans()),
    )


@given(listed_keys(), st.integers(1, 2**32 - 1))
def test_every_list_survives(key: TrustedKey, number: int) -> None:
    listed = load(TrustList([key], edition=edition(number)).signed(ROOT_SIGNER))
    assert (list(listed), listed.edition) == ([key], edition(number))


def test_openssl_verifies_the_signature_of_the_root(tmp_path: Path) -> None:
    """An independent program, over a Sig_structure put together here, finds the root's signature right."""
    protected, unprotected, payload, signature = cbor2.loads(signed_list()).value
    assert unprotected == {}
    assert cbor2.loads(protected) == {1: -7, 4: ROOT_SIGNER.kid, 16: FILE_TYPE}
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), ROOT_SIGNER.public_key)
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    files = {
        "root.pem": pem,
        "message": cbor2.dumps(["Signature1", protected, b"", payload]),
        "signature": encode_dss_signature(r, s),
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = ["openssl", "dgst", "-sha256", "-verify", "root.pem", "-signature", "signature", "message"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "Verified OK"), done.stderr


def test_a_list_for_the_whole_country_fits() -> None:
    """340 cities, each with the keys of 20 quarters; entries of one public key differ in their kid."""
    keys = [replace(trusted(), kid=number.to_bytes(4)) for number in range(340 * 20)]
    data = TrustList(keys, edition=edition()).signed(ROOT_SIGNER)
    assert len(data) < MAX_FILE
    assert len(load(data)) == len(keys)


# Attacks on the signature


def test_attack_list_signed_by_another_root() -> None:
    with pytest.raises(InputError, match="another root key"):
        load(signed_list(signer=OTHER_ROOT_SIGNER))


def test_attack_another_root_under_the_kid_of_ours() -> None:
    forger = FixedKid(OTHER_ROOT_SIGNER, ROOT_SIGNER.kid)
    data = TrustList([trusted()], edition=edition()).signed(forger)
    with pytest.raises(InputError, match="signature of the trust list is wrong"):
        load(data)


def test_attack_an_issuing_key_signs_a_list() -> None:
    """A stolen issuing key cannot add keys: it is no root, even where the terminal has it in its list."""
    with pytest.raises(InputError, match="another root key"):
        load(signed_list(1, LIMITED, signer=SIGNER), ROOT)


def test_attack_algorithm_swapped_in_the_header() -> None:
    payload = cbor2.dumps(document(), canonical=True)
    with pytest.raises(InputError, match="another algorithm"):
        load(sign_anything(payload, algorithm=-8))
    assert load(sign_anything(payload, algorithm=-9)).edition == edition()  # ESP256 is the same algorithm


@pytest.mark.parametrize("position", [0, 40, 100, -1], ids=["tag", "header", "payload", "signature"])
def test_attack_a_byte_changed(position: int) -> None:
    data = bytearray(signed_list())
    data[position] ^= 1
    with pytest.raises(InputError):
        load(bytes(data))


def test_attack_a_credential_posing_as_a_list() -> None:
    """Nothing that a key signs as a credential can be taken for a list, and the other way round."""
    payload = cbor2.dumps(document(), canonical=True)
    protected = cose.protected_header(-7, ROOT_SIGNER.kid)
    credential = cose.encode(protected, payload, ROOT_SIGNER.sign(cose.to_be_signed(protected, payload)))
    with pytest.raises(DecodeError):
        load(credential)
    with pytest.raises(DecodeError, match="another kind"):
        load(sign_anything(payload, "application/statuslist+cwt"))
    assert verify(signed_list(), TRUST, now=NOW).verdict is Verdict.MALFORMED


def test_attack_the_signature_left_out(tmp_path: Path) -> None:
    """Where a root is asked for, an unsigned list is none; where none is, a signed one asks for it."""
    TrustList([trusted()], edition=edition()).save(tmp_path / "list")
    with pytest.raises(InputError, match="not signed by a root key"):
        TrustList.load(tmp_path / "list", [ROOT])
    (tmp_path / "list").write_bytes(signed_list())
    with pytest.raises(InputError, match="--root") as caught:
        TrustList.load(tmp_path / "list")
    assert caught.value.where == str(tmp_path / "list")
    assert len(TrustList.load(tmp_path / "list", [OTHER_ROOT, ROOT])) == 1


def test_roots_that_share_a_kid_are_all_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.credential.trust_root.key_id", lambda key: ROOT_SIGNER.kid)
    assert load(signed_list(), OTHER_ROOT, ROOT).root == ROOT


def test_an_unverified_list_names_no_root() -> None:
    listed = TrustList.unverified(signed_list(signer=OTHER_ROOT_SIGNER))
    assert (len(listed), listed.root, listed.edition) == (1, None, edition())


# Attacks that need the root's signature: what it signs is read strictly all the same


def test_attack_duplicate_keys_in_the_cbor() -> None:
    payload = b"\xa3\x64keys\x80\x64keys\x80\x67version\x01"
    with pytest.raises(DecodeError, match="canonical"):
        load(sign_anything(payload))


def test_attack_trailing_bytes() -> None:
    with pytest.raises(DecodeError):
        load(signed_list() + b"\x00")
    with pytest.raises(DecodeError):
        load(sign_anything(cbor2.dumps(document(), canonical=True) + b"\x00"))


def test_attack_deep_nesting() -> None:
    for payload in (b"\x81" * 100_000 + b"\x80", b"\xa1\x64keys" + b"\x81" * 20 + b"\x80"):
        with pytest.raises(DecodeError):
            load(sign_anything(payload))
    with pytest.raises(DecodeError):
        load(b"\xd2" + b"\x81" * 100_000)


def test_attack_oversize(tmp_path: Path) -> None:
    data = sign_anything(bytes(MAX_FILE))
    with pytest.raises(DecodeError, match="longer"):
        load(data)
    (tmp_path / "list").write_bytes(data)
    with pytest.raises(InputError, match="larger than 4 MiB"):
        TrustList.load(tmp_path / "list", [ROOT])


def test_attack_non_shortest_integer() -> None:
    payload = cbor2.dumps(document(), canonical=True)
    assert payload.endswith(b"\x67version\x01")
    with pytest.raises(DecodeError, match="canonical"):
        load(sign_anything(payload[:-1] + b"\x18\x01"))


def change(name: str, value: object, place: str = "key") -> Callable[[Any], None]:
    def spoil(content: Any) -> None:
        {"key": content["keys"][0], "edition": content["edition"], "list": content}[place][name] = value

    return spoil


HUGE = 2**63
WRONG: dict[str, tuple[Callable[[Any], Any], str]] = {
    "no edition": (lambda content: content.pop("edition"), "needs an edition"),
    "edition a number": (change("edition", 7, "list"), "edition has to be an object"),
    "edition without number": (lambda content: content["edition"].pop("number"), "edition.number is missing"),
    "edition zero": (change("number", 0, "edition"), "edition: .*1 to 4294967295"),
    "edition true": (change("number", True, "edition"), "edition.number has to be a whole number"),
    "edition huge": (change("number", HUGE, "edition"), "1 to 4294967295"),
    "next update first": (change("next_update", 0, "edition"), "end before it begins"),
    "time of issue a text": (change("issued_at", "2026-01-01T00:00:00Z", "edition"), "edition.issued_at has to be"),
    "version true": (change("version", True, "list"), "version has to be 1"),
    "another version": (change("version", 2, "list"), "version has to be 1"),
    "unknown member": (change("comment", "x", "list"), "comment: unknown member"),
    "number as a name": (lambda content: content.update({1: 2}), "1: unknown member"),
    "kid as text": (change("kid", "01020304"), r"keys\[0\].kid"),
    "key as text": (change("public_key", "02" * 33), r"keys\[0\].public_key"),
    "algorithm by name": (change("algorithm", "ES256"), r"keys\[0\].algorithm"),
    "algorithm unknown": (change("algorithm", -36), r"keys\[0\].algorithm"),
    "algorithm huge": (change("algorithm", HUGE), r"keys\[0\].algorithm"),
    "time as text": (change("not_before", "2026-01-01T00:00:00Z"), r"keys\[0\].not_before"),
    "time huge": (change("not_after", HUGE), r"keys\[0\].not_after"),
    "time negative": (change("not_before", -1), r"keys\[0\].not_before"),
    "verified for a shorter time than signed": (change("verify_until", 1), r"keys\[0\]: .*end before it begins"),
    "a class that is none": (change("categories", ["D"]), r"keys\[0\].categories knows only A, B, C"),
    "a class twice": (change("categories", ["A", "A"]), "each once"),
    "a class in a list": (change("categories", [["A"]]), "knows only"),
    "no classes": (change("categories", []), "must not be empty"),
    "classes as text": (change("categories", "ABC"), "categories has to be an array"),
    "a use that is none": (change("use", ["everything"]), "knows only credential, status"),
    "no use": (change("use", []), "must not be empty"),
    "region of five digits": (change("region", "33100"), r"keys\[0\].region: .*six digits"),
    "region a number": (change("region", 331000), r"keys\[0\]: region has to be a string"),
    "issuer that draws on the screen": (change("issuer", {"zh": "x\x1b[2J", "en": "x"}), r"keys\[0\].issuer.zh: "),
    "issuer empty": (change("issuer", {"zh": " ", "en": ""}), r"keys\[0\].issuer.zh: "),
}


@pytest.mark.parametrize(("spoil", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_signed_list_is_read_strictly(spoil: Callable[[Any], Any], message: str) -> None:
    content = document()
    spoil(content)
    with pytest.raises(InputError, match=message):
        load(sign_anything(cbor2.dumps(content, canonical=True)))


def test_a_list_signed_without_an_edition_is_refused() -> None:
    """It could never be told from an older or a newer one."""
    with pytest.raises(InputError, match="needs an edition"):
        load(sign_anything(trust_file.encode(Content((trusted(),)))))


def test_attack_kid_collision_in_a_list() -> None:
    """Keys may share a kid, up to four, and the right one is found; a fifth is refused, and a key twice too."""
    others = [replace(trusted(SoftwareSigner.generate()), kid=SIGNER.kid) for _ in range(MAX_SAME_KID)]
    listed = load(signed_list(1, *others[1:], trusted()))
    assert verify(issue(claims(), SIGNER), listed, now=NOW).verdict is Verdict.VALID
    content = document(1, *others)
    content["keys"].append(document()["keys"][0])
    with pytest.raises(InputError, match="more than 4 keys"):
        load(sign_anything(cbor2.dumps(content, canonical=True)))
    content["keys"] = document()["keys"] * 2
    with pytest.raises(InputError, match="a key twice"):
        load(sign_anything(cbor2.dumps(content, canonical=True)))


def test_attack_the_root_key_as_an_issuing_key() -> None:
    with pytest.raises(InputError, match="root key stands among the issuing keys"):
        signed_list(1, trusted(ROOT_SIGNER))
    content = document()
    content["keys"][0].update(kid=ROOT_SIGNER.kid, public_key=ROOT_SIGNER.public_key)
    with pytest.raises(InputError, match="root key stands among the issuing keys"):
        load(sign_anything(cbor2.dumps(content, canonical=True)))


@given(st.binary(max_size=200))
def test_no_payload_escapes_the_one_error(payload: bytes) -> None:
    with pytest.raises(InputError):
        load(sign_anything(payload))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["list", "edition", "key"]), st.data(), values)
def test_no_value_of_any_member_escapes_the_one_error(place: str, data: st.DataObject, value: object) -> None:
    content = document(1, LIMITED)
    members = {"list": content, "edition": content["edition"], "key": content["keys"][0]}[place]
    members[data.draw(st.sampled_from(sorted(members)))] = value
    try:
        listed = load(sign_anything(cbor2.dumps(content, canonical=True)))
    except InputError:
        return
    assert listed.edition


# The life of a key


def test_a_lost_issuing_key_is_dropped_by_the_next_edition() -> None:
    credential = issue(claims(), SIGNER)
    before, after = load(signed_list(1, trusted(), LIMITED)), load(signed_list(2, LIMITED))
    assert verify(credential, before, now=NOW).verdict is Verdict.VALID
    assert verify(credential, after, now=NOW).verdict is Verdict.UNKNOWN_KID


@pytest.mark.parametrize(
    ("start", "end"), [(-100, -3), (-1, 100)], ids=["expired before the credential", "begins after the credential"]
)
def test_attack_expired_or_future_issuing_key(start: int, end: int) -> None:
    key = trusted(not_before=NOW + start * DAY, not_after=NOW + end * DAY)
    result = verify(issue(claims(), SIGNER), load(signed_list(1, key)), now=NOW)
    assert result.verdict is Verdict.BAD_ISSUER_SIG


# Signing


def test_a_list_without_an_edition_is_not_signed() -> None:
    with pytest.raises(InputError, match="needs an edition"):
        TRUST.signed(ROOT_SIGNER)


def test_a_list_that_is_too_large_is_not_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.credential.trust.MAX_FILE", len(signed_list()))
    assert signed_list()
    with pytest.raises(InputError, match="is larger than"):
        signed_list(1, trusted(), LIMITED)


def test_fractions_of_a_second_are_not_signed() -> None:
    with pytest.raises(InputError, match="whole seconds"):
        signed_list(1, trusted(not_after=NOW + timedelta(microseconds=1)))
    odd = Edition(1, NOW + timedelta(microseconds=1), NOW + DAY)
    with pytest.raises(InputError, match="whole seconds"):
        TrustList(edition=odd).signed(ROOT_SIGNER)


def test_a_root_key_that_signs_wrongly_is_found_out_at_once() -> None:
    class Broken:
        algorithm, kid, public_key = ROOT_SIGNER.algorithm, ROOT_SIGNER.kid, ROOT_SIGNER.public_key

        def sign(self, message: bytes) -> bytes:
            return OTHER_ROOT_SIGNER.sign(message)

    with pytest.raises(KeyUseError, match="own signature is wrong"):
        TrustList([trusted()], edition=edition()).signed(Broken())


def test_overdue_is_counted_from_the_next_update() -> None:
    listed = load(signed_list(days=3))
    due = NOW + 2 * DAY
    assert [listed.overdue(due + late) for late in (-SECOND, 0 * DAY, 5 * DAY)] == [0 * DAY, 0 * DAY, 5 * DAY]
    assert TRUST.overdue(NOW) == 0 * DAY


@pytest.mark.parametrize("number", [0, -1, 2**32])
def test_an_edition_has_a_number_in_range(number: int) -> None:
    with pytest.raises(InputError, match="1 to 4294967295"):
        edition(number)


def test_an_edition_needs_time_zones() -> None:
    with pytest.raises(InputError, match="time zones"):
        Edition(1, NOW.replace(tzinfo=None), NOW.replace(tzinfo=None))


def test_signed_lists_are_signed_files() -> None:
    assert signed_list().startswith(signed_file.FIRST_BYTE)
