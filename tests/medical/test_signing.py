"""The layers of signing against known values, and against openssl."""

from base64 import b64decode
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes

from juying.crypto.block import Cipher, encrypt_ecb
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.crypto.sm2 import Sm2PrivateKey, Sm2PublicKey
from juying.errors import DecodeError, InputError
from juying.services.medical.signing import (
    Cainfo,
    Csb,
    Layer,
    SealedEnvelope,
    XTif,
    csb_signature,
    envelope_key,
    joined,
    x_tif_signature,
)
from tests.crypto.conftest import OpenSsl

APP, SECRET = "DEMOAPPID0123456789ABCDEF", "DEMOSECRET0123456789"


def test_x_tif_signature() -> None:
    signature = "1110f10f76885fff4039393e372856dfc423c0260e72395dc2fd27040f1d8c58"
    assert x_tif_signature("1700000000", "demo-secret", "abc123") == signature
    layer = XTif(paasid="app", secret="demo-secret", upper=True, clock=lambda: 1700000000.9, nonce=lambda: "abc123")
    assert layer.headers("1101") == {
        "x-tif-paasid": "app",
        "x-tif-timestamp": "1700000000",
        "x-tif-nonce": "abc123",
        "x-tif-signature": signature.upper(),
    }
    assert "demo-secret" not in repr(layer)


def test_an_x_tif_nonce_is_never_the_same() -> None:
    layer = XTif(paasid="app", secret="s")
    assert layer.headers("1101")["x-tif-nonce"] != layer.headers("1101")["x-tif-nonce"]


def test_csb_signature() -> None:
    parameters = {
        "_api_version": "1.0.0",
        "_api_name": "demo",
        "_api_access_key": "ak",
        "_api_timestamp": "1700000000000",
    }
    assert csb_signature(parameters, "sk") == "Fp4lsZCzjEMdJ5rqh24DqtA8ObQ="
    layer = Csb(api_name="demo", access_key="ak", secret="sk", clock=lambda: 1700000000.0)
    assert layer.headers("1101") == {**parameters, "_api_signature": "Fp4lsZCzjEMdJ5rqh24DqtA8ObQ="}
    named = Csb(api_name="nhsa-{infno}", access_key="ak", secret="sk")
    assert named.headers("2207")["_api_name"] == "nhsa-2207"
    assert "sk" not in repr(layer)


def test_layers_do_nothing_where_they_have_nothing_to_do() -> None:
    document: dict[str, object] = {"infno": "1101"}
    assert (Layer().seal(document), Layer().headers("1101"), Layer().open(document)) == (document, {}, document)


def test_the_published_values_of_sm3_and_sm4() -> None:
    digest = hashes.Hash(hashes.SM3())
    digest.update(b"abc")
    assert digest.finalize().hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    block = bytes.fromhex("0123456789abcdeffedcba9876543210")
    assert encrypt_ecb(Cipher.SM4, block, block).hex() == "681edf34d206965e86b3e94f536e4246"


def test_the_key_of_a_sealed_envelope() -> None:
    assert envelope_key(APP, SECRET) == "B9E0192A025E9FF0"
    with pytest.raises(InputError):
        envelope_key("TOOSHORT", SECRET)


def sealed(own: Sm2PrivateKey, other: Sm2PrivateKey, **changes: object) -> SealedEnvelope:
    settings = {"app_id": APP, "secret": SECRET, "key": own, "platform_key": Sm2PublicKey(other.public_key)}
    return SealedEnvelope(**{**settings, **changes})


def test_a_sealed_envelope_is_opened_by_the_other_side_only() -> None:
    ours, theirs = Sm2PrivateKey.generate(), Sm2PrivateKey.generate()
    site, platform = sealed(ours, theirs, clock=lambda: 1700000000.0), sealed(theirs, ours)
    document = site.seal({"a": "1"})
    assert document["encData"] == "A438B739648EA357F90A1A605C68B1DC"
    assert document["timestamp"] == "1700000000000"
    assert platform.open(document) == {"a": "1"}
    assert SECRET not in repr(site)
    with pytest.raises(DecodeError, match="signature"):
        site.open(document)  # signed by us, not by the platform
    lower = sealed(ours, theirs, upper=False, app_field="appCode").seal({"a": "1"})
    assert lower["encData"] == "a438b739648ea357f90a1a605c68b1dc"
    assert lower["appCode"] == APP
    assert platform.open(lower) == {"a": "1"}


def test_the_signature_of_a_sealed_envelope_is_what_openssl_verifies(tmp_path: Path) -> None:
    """The identifier is the secret, and the text has the data as compact JSON, sorted."""
    openssl, ours = OpenSsl(tmp_path), Sm2PrivateKey.generate()
    SoftwareSigner(ours).save(tmp_path / "key.pem")
    document = sealed(ours, ours, clock=lambda: 1700000000.0).seal({"b": Decimal("1.10"), "a": {"d": [], "c": "值"}})
    text = (
        f'appId={APP}&data={{"a":{{"c":"值","d":[]}},"b":1.10}}&encType=SM4&signType=SM2'
        f"&timestamp=1700000000000&version=1.0.0&key={SECRET}"
    )
    signature = b64decode(str(document["signData"]))
    identifier = f"distid:{SECRET}"
    assert openssl.verifies("key.pem", Algorithm.SM2, signature, text.encode(), sm2_id=identifier)
    assert not openssl.verifies("key.pem", Algorithm.SM2, signature, text.encode())


def test_what_is_no_sealed_envelope_is_a_decode_error() -> None:
    ours, theirs = Sm2PrivateKey.generate(), Sm2PrivateKey.generate()
    site, good = sealed(ours, theirs), sealed(theirs, ours).seal({"a": "1"})
    assert site.open(good) == {"a": "1"}
    for bad in (
        [],
        {},
        {**good, "encData": 1},
        {**good, "encData": "zz"},
        {**good, "encData": ""},
        {**good, "encData": "00" * 15},
        {**good, "encData": "00" * 16},
        {**good, "signData": "!"},
        {**good, "signData": good["signData"][:-4]},
        {**good, "timestamp": "1"},
    ):
        with pytest.raises(DecodeError):
            site.open(bad)


def test_empty_members_are_not_signed() -> None:
    assert joined({"b": "2", "a": 1, "c": "", "d": None, "e": {}, "f": []}) == "a=1&b=2"


@pytest.mark.parametrize(
    ("scope", "text"),
    [("envelope", "infno=1101&msgid=M1&signtype=SM2"), ("input", '{"data":{"a":"1","b":2}}')],
)
def test_cainfo_covers_what_the_site_says(tmp_path: Path, scope: str, text: str) -> None:
    openssl, key = OpenSsl(tmp_path), Sm2PrivateKey.generate()
    SoftwareSigner(key).save(tmp_path / "key.pem")
    document = Cainfo(key=key, scope=scope).seal(
        {"msgid": "M1", "infno": "1101", "dev_no": "", "input": {"data": {"b": 2, "a": "1"}}}
    )
    assert document["signtype"] == "SM2"
    assert openssl.verifies("key.pem", Algorithm.SM2, b64decode(str(document["cainfo"])), text.encode())


def test_cainfo_signs_an_input_that_is_text_already() -> None:
    key = Sm2PrivateKey.generate()
    document = Cainfo(key=key, scope="input").seal({"input": '{"data":{}}'})
    assert Sm2PublicKey(key.public_key).verify(b64decode(str(document["cainfo"])), b'{"data":{}}')
