"""Secure messaging of one command with 200 bytes, against SCP03 of yubikit.

Both take a command and give the bytes for the card: enciphered and with a MAC, or with a MAC only. SCP03 is AES, for
which processors have instructions; our cards speak SM4 and 3DES, for which they mostly have none. The keys of
the card were derived before, as they are from the second command on; the challenge is not counted, it is another
command.

    python benchmarks/bench_messaging.py
"""

from collections.abc import Callable

from common import Row, microseconds, show
from yubikit.core.smartcard import ScpProcessor, ShortApduFormatter
from yubikit.core.smartcard.scp import ScpState, SessionKeys

from juying.card.apdu import update_binary
from juying.card.secure_messaging import protect
from juying.crypto.block import Cipher
from juying.crypto.keys import CardKey, DemonstrationKeys

DATA = bytes(range(200))
COMMAND = update_binary(0, DATA)
CHALLENGES = {Cipher.TDES: bytes(range(4)), Cipher.SM4: bytes(range(16))}
TARGET = 1.5


class Line:
    """The end of yubikit's chain: the bytes as they go to the card."""

    formatter = ShortApduFormatter()

    def send_apdu(self, *apdu: object) -> tuple[bytes, int]:
        self.formatter.format_apdu(*apdu)
        return b"", 0x9000


def scp03(*, encipher: bool) -> Callable[[], object]:
    state = ScpState(SessionKeys(bytes(16), bytes(range(16)), bytes(16), None))
    processor = ScpProcessor(Line(), ShortApduFormatter(), state)
    return lambda: processor.send_apdu(0x00, 0xD6, 0, 0, DATA, 0, encipher)


def ours(cipher: Cipher, *, encipher: bool) -> Callable[[], object]:
    keys = DemonstrationKeys()
    factor = bytes.fromhex("8603331099110145")
    key = CardKey(name="DF01/STK", cipher=cipher, city="331000", city_factor=b"331000sx", card_factor=factor)
    return lambda: protect(COMMAND, keys, key, CHALLENGES[cipher], encipher=encipher).encode()


def main() -> None:
    whole, mac_only = scp03(encipher=True), scp03(encipher=False)
    wrapped, wrapped_mac, *times = microseconds(
        whole, mac_only, *(ours(cipher, encipher=encipher) for cipher in Cipher for encipher in (True, False))
    )
    forms = [(cipher, form) for cipher in Cipher for form in ("enciphered, MAC", "MAC only")]
    rows = [
        Row(f"{cipher.value}, {form}", time, wrapped, "SCP03 of yubikit", unit="µs", target=TARGET)
        for (cipher, form), time in zip(forms, times, strict=True)
    ]
    rows += [
        Row(f"{cipher.value}, MAC only", time, wrapped_mac, "the same without enciphering", unit="µs")
        for (cipher, form), time in zip(forms, times, strict=True)
        if form == "MAC only"
    ]
    show("secure messaging, one command of 200 bytes", rows)


if __name__ == "__main__":
    main()
