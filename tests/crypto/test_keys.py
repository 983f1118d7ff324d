"""Keys behind the interface: what they do, what they refuse, and that none is ever shown."""

import dataclasses
import hashlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.crypto import authentication, key_load, seal
from juying.crypto.block import Cipher, check_value, encrypt_ecb
from juying.crypto.diversify import diversify
from juying.crypto.keys import CardKey, DemonstrationKeys, Keys, RawKeys
from juying.crypto.mac import mac4
from juying.errors import DecodeError, InputError, KeyUseError
from juying.text import Text

CITY_KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def a_key(cipher: Cipher, name: str = "DF01/UK7", **changes) -> CardKey:
    key = CardKey(name=name, cipher=cipher, city="331000", city_factor=b"331000sx", card_factor=bytes(range(8)))
    return dataclasses.replace(key, **changes)


class OneCity(RawKeys):
    """Has UK7 and UK8 of one city; remembers what it gave out, to see that it is wiped."""

    def __init__(self, secret: bytes = CITY_KEY) -> None:
        super().__init__()
        self.secret = secret
        self.given: list[bytearray] = []

    @property
    def title(self) -> Text:
        return Text("测试密钥", "test keys")

    def _city_key(self, key: CardKey) -> bytearray | None:
        if key.name not in {"DF01/UK7", "DF01/UK8"} or key.city != "331000":
            return None
        self.given.append(bytearray(self.secret))
        return self.given[-1]


@pytest.fixture(params=Cipher, ids=str)
def key(request) -> CardKey:
    return a_key(request.param)


@pytest.fixture
def keys() -> OneCity:
    return OneCity()


def card_secret(key: CardKey) -> bytes:
    return diversify(key.cipher, CITY_KEY, key.card_factor)


def test_every_operation_uses_the_key_of_the_card(keys, key):
    cipher, secret = key.cipher, card_secret(key)
    challenge, data = bytes(range(cipher.block)), bytes(range(16))
    assert keys.has(key)
    answer = authentication.external_answer(cipher, secret, challenge, bytes(8))
    assert keys.external_answer(key, challenge, bytes(8)) == answer
    assert keys.internal_answer(key, data) == authentication.internal_answer(cipher, secret, data)
    assert keys.mac(key, challenge, data) == mac4(cipher, secret, data, challenge)
    assert keys.encipher(key, data) == encrypt_ecb(cipher, secret, data)


def test_a_key_is_wrapped_for_its_card_under_another(keys, key):
    block = keys.wrap(key, bytes(8), a_key(key.cipher, "DF01/UK8", card_factor=bytes(8)))
    loaded = key_load.open_key_block(key.cipher, card_secret(key), block)
    assert loaded.key == diversify(key.cipher, CITY_KEY, bytes(8))


def test_the_check_value_is_that_of_the_city(keys, key):
    assert keys.check_value(key) == check_value(key.cipher, CITY_KEY)


@pytest.mark.parametrize(
    "use",
    [
        lambda keys, key: keys.external_answer(key, bytes(8), bytes(8)),
        lambda keys, key: keys.internal_answer(key, bytes(16)),
        lambda keys, key: keys.mac(key, bytes(8), b""),
        lambda keys, key: keys.encipher(key, bytes(16)),
        lambda keys, key: keys.wrap(key, bytes(8), key),
        lambda keys, key: keys.wrap(a_key(key.cipher), bytes(8), key),
        lambda keys, key: keys.check_value(key),
        lambda keys, key: keys.seal(key, b"", b""),
        lambda keys, key: keys.unseal(key, bytes(28), b""),
    ],
    ids=["external", "internal", "mac", "encipher", "wrap under", "wrap", "check value", "seal", "unseal"],
)
@pytest.mark.parametrize("missing", [{"name": "DF01/UK9"}, {"city": "310000"}], ids=["name", "city"])
def test_a_missing_key_is_named_with_its_city_and_cipher(keys, key, use, missing):
    missing = dataclasses.replace(key, **missing)
    assert not keys.has(missing)
    with pytest.raises(KeyUseError) as error:
        use(keys, missing)
    for text in error.value.text:
        assert missing.name in text
        assert missing.city in text
        assert missing.cipher.value in text
    assert error.value.text.zh.startswith("测试密钥")
    assert error.value.text.en.startswith("test keys")


def test_city_keys_are_wiped_after_use(keys, key):
    keys.has(key)
    keys.check_value(key)
    keys.encipher(key, bytes(16))
    keys.wrap(key, bytes(8), key)
    assert len(keys.given) == 4  # the key of the card was kept ready in between
    assert all(given == bytes(16) for given in keys.given)


def test_a_changed_city_key_counts_after_forget(keys, key):
    before = keys.encipher(key, bytes(16))
    keys.secret = bytes(16)
    assert keys.encipher(key, bytes(16)) == before
    keys.forget()
    assert keys.encipher(key, bytes(16)) == OneCity(bytes(16)).encipher(key, bytes(16)) != before


def test_only_the_keys_of_the_last_cards_are_kept(keys, key):
    cards = [dataclasses.replace(key, card_factor=number.to_bytes(8)) for number in range(40)]
    expected = [keys.encipher(card, bytes(16)) for card in cards]
    assert len(set(expected)) == 40
    assert len(keys._ready) == RawKeys._KEPT
    assert [keys.encipher(card, bytes(16)) for card in cards] == expected


def test_threads_share_one_store(keys, key):
    cards = [dataclasses.replace(key, card_factor=number.to_bytes(8)) for number in range(40)]
    expected = {card: OneCity().encipher(card, bytes(16)) for card in cards}
    wrong = []

    def work() -> None:
        wrong.extend(card for card in cards if keys.encipher(card, bytes(16)) != expected[card])

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_wrong_lengths_are_bad_input_and_change_nothing(keys, key):
    before = keys.encipher(key, bytes(16))
    with pytest.raises(InputError):
        keys.external_answer(key, bytes(4), bytes(8))
    with pytest.raises(InputError):
        keys.encipher(key, bytes(15))
    with pytest.raises(InputError):
        keys.wrap(key, bytes(7), key)
    assert keys.encipher(key, bytes(16)) == before


@given(cipher=st.sampled_from(Cipher), plain=st.binary(max_size=600), context=st.binary(max_size=40))
def test_a_seal_opens_with_key_and_context(cipher, plain, context):
    keys, key = OneCity(), a_key(cipher)
    sealed = keys.seal(key, plain, context)
    assert len(sealed) == len(plain) + seal.OVERHEAD
    assert keys.unseal(key, sealed, context) == plain


def test_a_seal_hides_and_is_never_the_same_twice(keys, key):
    plain = b"ERIKSSON ANNA MARIA" * 3
    sealed = {keys.seal(key, plain, b"") for _ in range(20)}
    assert len(sealed) == 20
    assert not any(plain[:8] in one for one in sealed)


def test_every_changed_bit_is_noticed(keys, key):
    sealed = keys.seal(key, b"permit", b"card 1")
    for place in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(DecodeError):
            keys.unseal(key, bytes(changed), b"card 1")


def test_another_key_context_or_length_is_told_the_same_way(keys, key):
    sealed = keys.seal(key, b"permit", b"card 1")
    texts = set()
    for other, content, context in [
        (a_key(key.cipher, card_factor=bytes(8)), sealed, b"card 1"),
        (dataclasses.replace(key, cipher=next(cipher for cipher in Cipher if cipher != key.cipher)), sealed, b"card 1"),
        (key, sealed, b"card 2"),
        (key, sealed[:-1], b"card 1"),
        (key, sealed[:27], b"card 1"),
        (key, b"", b"card 1"),
    ]:
        with pytest.raises(DecodeError) as error:
            keys.unseal(other, content, context)
        texts.add(str(error.value))
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("cipher", "sealed"),
    [
        (Cipher.TDES, "6022C9F0BCDF5C77BB9D56AD1D5A7107A1AAA7C2647BE1B6A35D911E79701B2E0DA40FC7D89ECC"),
        (Cipher.SM4, "D1908631900F3849012985157E384B1EE4A462BEBA3322320C2AE16D616597D21050FC49EE9BA2"),
    ],
)
def test_what_was_sealed_once_opens_forever(cipher, sealed):
    # ours: cards in people's pockets hold this form
    assert OneCity().unseal(a_key(cipher), bytes.fromhex(sealed), b"331000D156000005") == b"work permit"


def test_demonstration_keys_are_the_documented_sentence():
    key = a_key(Cipher.SM4)
    secret = hashlib.sha256(b"juying demonstration key DF01/UK7 sm4 331000").digest()[:16]
    keys = DemonstrationKeys()
    assert keys.city_key(key) == secret
    assert keys.card_key(key) == diversify(Cipher.SM4, secret, key.card_factor)
    assert keys.check_value(key) == check_value(Cipher.SM4, secret)
    assert keys.has(a_key(Cipher.TDES, "any", city="999999"))
    assert "公开" in keys.title.zh


def test_demonstration_keys_differ_by_name_cipher_city_and_card():
    keys = DemonstrationKeys()
    key = a_key(Cipher.SM4)
    others = [{"name": "DF01/UK8"}, {"cipher": Cipher.TDES}, {"city": "310000"}, {"card_factor": bytes(8)}]
    made = {keys.card_key(key)} | {keys.card_key(dataclasses.replace(key, **other)) for other in others}
    assert len(made) == 5


def test_no_key_is_ever_shown(keys, key):
    keys.encipher(key, bytes(16))
    secrets = [CITY_KEY, card_secret(key)]
    shown = repr(keys) + repr(key) + repr(keys._ready)
    for secret in secrets:
        assert secret.hex() not in shown.lower()
        assert repr(secret) not in shown


def test_raw_keys_are_keys():
    keys: Keys = OneCity()
    assert isinstance(keys, RawKeys)
