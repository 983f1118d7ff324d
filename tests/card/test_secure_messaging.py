"""Protected commands: the bytes, and a state that moves on after a whole cycle only."""

from collections.abc import Callable

import pytest

from juying.card.apdu import Command, Response, update_binary, update_record
from juying.card.secure_messaging import SecureMessaging, get_challenge, protect, with_secure_messaging
from juying.crypto.block import Cipher, decrypt_ecb, unpad
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.crypto.mac import fold, retail_mac, sm4_cbc_mac
from juying.errors import CardRemoved, InputError, ProtocolError, StatusError

KEYS = DemonstrationKeys()
RECORD = update_record(3, bytes.fromhex("280F") + b"+8657600000000\0")


def key(cipher: Cipher) -> CardKey:
    factor = bytes.fromhex("8603331099110145")
    return CardKey(name="DF01/STK", cipher=cipher, city="331000", city_factor=b"331000sx", card_factor=factor)


def challenge(cipher: Cipher) -> bytes:
    return bytes(range(0x41, 0x45 if cipher is Cipher.TDES else 0x51))


def expected_mac(cipher: Cipher, data: bytes) -> bytes:
    secret = KEYS.card_key(key(cipher))
    if cipher is Cipher.TDES:
        return retail_mac(secret, data, challenge(cipher) + bytes(4))[:4]
    return fold(sm4_cbc_mac(secret, data, challenge(cipher)))


@pytest.mark.parametrize("cipher", Cipher)
def test_a_mac_is_made_over_the_header_as_sent_and_the_data(cipher: Cipher) -> None:
    sent = protect(RECORD, KEYS, key(cipher), challenge(cipher), encipher=False).encode()
    assert sent[:5] == bytes((0x04, 0xDC, 0x03, 0x04, len(RECORD.data) + 4))
    assert sent[5:-4] == RECORD.data
    assert sent[-4:] == expected_mac(cipher, sent[:-4])


@pytest.mark.parametrize("cipher", Cipher)
def test_data_is_enciphered_with_its_length_before_the_mac_is_made(cipher: Cipher) -> None:
    sent = protect(RECORD, KEYS, key(cipher), challenge(cipher), encipher=True).encode()
    assert sent[:4] == bytes.fromhex("84DC0304")
    assert sent[4] == len(sent) - 5
    assert RECORD.data[:8] not in sent
    plain = unpad(decrypt_ecb(cipher, KEYS.card_key(key(cipher)), sent[5:-4]))
    assert plain == bytes((len(RECORD.data),)) + RECORD.data
    assert sent[-4:] == expected_mac(cipher, sent[:-4])


@pytest.mark.parametrize("cipher", Cipher)
@pytest.mark.parametrize("size", [0, 1, 7, 8, 15, 16, 200])
def test_data_of_any_length_comes_out_again(cipher: Cipher, size: int) -> None:
    data = bytes(range(size))
    sent = protect(Command(0, 0xD6, 0, 0, data), KEYS, key(cipher), challenge(cipher), encipher=True)
    plain = decrypt_ecb(cipher, KEYS.card_key(key(cipher)), sent.data[:-4])
    assert unpad(plain) == bytes((size,)) + data


def test_a_command_that_exists_in_protected_form_only_keeps_its_class_and_its_le() -> None:
    sent = protect(Command(0x84, 0x24, 0x00, 0x01, b"", 8), KEYS, key(Cipher.SM4), bytes(16), encipher=False)
    assert (sent.header, len(sent.data), sent.le) == ("84240001", 4, 8)


@pytest.mark.parametrize(("size", "encipher"), [(252, False), (255, False), (247, True), (256, True), (300, True)])
def test_what_does_not_fit_is_bad_input_and_not_sent(size: int, encipher: bool) -> None:
    with pytest.raises(InputError, match="more than 255"):
        protect(update_binary(0, bytes(size)), KEYS, key(Cipher.SM4), bytes(16), encipher=encipher)


@pytest.mark.parametrize(("size", "encipher"), [(251, False), (238, True)])
def test_what_just_fits_is_sent(size: int, encipher: bool) -> None:
    sent = protect(update_binary(0, bytes(size)), KEYS, key(Cipher.SM4), bytes(16), encipher=encipher)
    assert len(sent.data) in (244, 255)


# The layer


class Below:
    """What is under the layer: numbers its challenges, and answers protected commands with the next of ``answers``."""

    def __init__(self, *answers: int | Exception, challenge_sw: int = 0x9000, length: int = 16) -> None:
        self.answers = list(answers)
        self.challenge_sw = challenge_sw
        self.length = length
        self.given: list[bytes] = []
        self.sent: list[Command] = []

    def __call__(self, command: Command) -> Response:
        if command.ins == 0x84:
            assert command == get_challenge(16)
            self.given.append(bytes((len(self.given) + 1,)) * self.length)
            return Response(self.given[-1] if self.challenge_sw == 0x9000 else b"", self.challenge_sw)
        self.sent.append(command)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Response(b"", answer)


def layer(below: Callable[[Command], Response]) -> SecureMessaging:
    return with_secure_messaging(below, KEYS, key(Cipher.SM4))


def protected_with(sent: Command, given: bytes) -> bool:
    return sent == protect(RECORD, KEYS, key(Cipher.SM4), given, encipher=False)


def test_every_command_follows_a_challenge_of_its_own() -> None:
    below = Below(0x9000, 0x9000)
    messaging = layer(below)
    assert (messaging(RECORD).sw, messaging(RECORD).sw) == (0x9000, 0x9000)
    assert len(below.given) == 2
    assert all(map(protected_with, below.sent, below.given))
    assert messaging.accepted == 2


@pytest.mark.parametrize("sw", [0x6988, 0x6982, 0x6A84, 0x6581, 0x9302])
def test_a_command_that_the_card_looked_into_has_used_up_its_challenge(sw: int) -> None:
    below = Below(sw, 0x9000)
    messaging = layer(below)
    assert messaging(RECORD).sw == sw
    assert messaging.accepted == 0
    assert messaging(RECORD).sw == 0x9000
    assert len(below.given) == 2
    assert messaging.accepted == 1


@pytest.mark.parametrize("sw", [0x6C10, 0x6700, 0x6E00, 0x6D00])
def test_a_command_that_the_card_never_took_leaves_it_the_challenge(sw: int) -> None:
    below = Below(sw, sw, 0x9000, 0x9000)
    messaging = layer(below)
    assert [messaging(RECORD).sw for _ in range(4)] == [sw, sw, 0x9000, 0x9000]
    assert len(below.given) == 2
    assert protected_with(below.sent[2], below.given[0])
    assert protected_with(below.sent[3], below.given[1])
    assert messaging.accepted == 2


@pytest.mark.parametrize("fault", [CardRemoved("无卡", "gone"), ProtocolError("坏", "nonsense")])
def test_after_a_fault_the_layer_is_closed_for_good(fault: Exception) -> None:
    below = Below(0x9000, fault, 0x9000)
    messaging = layer(below)
    messaging(RECORD)
    with pytest.raises(type(fault)):
        messaging(RECORD)
    for _ in range(2):
        with pytest.raises(ProtocolError, match="broken off"):
            messaging(RECORD)
    assert len(below.sent) == 2
    assert messaging.accepted == 1


@pytest.mark.parametrize("sw", [0x6985, 0x6D00])
def test_without_a_challenge_nothing_is_sent(sw: int) -> None:
    below = Below(challenge_sw=sw)
    messaging = layer(below)
    with pytest.raises(StatusError) as error:
        messaging(RECORD)
    assert (error.value.sw, error.value.where) == (sw, "GET CHALLENGE")
    assert not below.sent
    below.challenge_sw, below.answers = 0x9000, [0x9000]
    assert messaging(RECORD).sw == 0x9000, "the layer lives on"


@pytest.mark.parametrize("length", [0, 8, 15])
def test_a_challenge_of_another_length_is_no_challenge(length: int) -> None:
    below = Below(length=length)
    with pytest.raises(ProtocolError, match=f"{length} bytes"):
        layer(below)(RECORD)
    assert not below.sent


def test_what_does_not_fit_leaves_the_layer_open() -> None:
    messaging = layer(Below(0x9000))
    with pytest.raises(InputError):
        messaging(update_binary(0, bytes(255)))
    assert messaging(RECORD).sw == 0x9000


def test_it_shows_which_key_and_no_more() -> None:
    messaging = layer(Below(0x9000))
    messaging(RECORD)
    assert repr(messaging) == "SecureMessaging(DF01/STK, 1 commands)"
