"""The other side of a card, written apart from `juying.card`: commands made by hand, keys of the demonstration."""

from collections.abc import Callable
from typing import Any

from juying.card.card_keys import card_key
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.codec.profile import load_profile
from juying.codec.spec import Application, Profile
from juying.crypto.block import Cipher, encrypt_ecb, pad
from juying.crypto.keys import DemonstrationKeys
from juying.crypto.mac import retail_mac, sm4_cbc_mac

SERIAL = bytes.fromhex("99110145")
REGION = "331000"
PIN, INITIAL_PIN = bytes.fromhex("271828"), bytes.fromhex("123456")


def guarded(name: str, **options: Any) -> VirtualCard:
    """A blank card of a profile as it is, with its rules."""
    profile = load_profile(name)
    optional = [file.address for file in profile.files if file.optional]
    return VirtualCard.blank(profile, serial=SERIAL, optional=optional, **options)


class Terminal:
    """Speaks to a card as a reader does: fetches 61xx, repeats on 6Cxx; written apart from `juying.card.channel`."""

    def __init__(self, card: VirtualCard | Fault, protocol: str) -> None:
        self.card = card
        self.t0 = protocol == "T=0"
        card.power_on()

    def __call__(self, header: str, data: bytes = b"", le: int | None = None) -> tuple[bytes, int]:
        """Response data and status word; ``le`` 0 asks for all."""
        command = bytes.fromhex(header)
        if data:
            command += bytes((len(data),)) + data
        if le is not None and not (self.t0 and data):
            command += bytes((le,))
        answer = self.card.transmit(command)
        if answer[-2] == 0x6C:
            answer = self.card.transmit(command[:-1] + answer[-1:])
        collected = answer[:-2]
        while answer[-2] == 0x61:
            answer = self.card.transmit(bytes((0x00, 0xC0, 0x00, 0x00, answer[-1])))
            collected += answer[:-2]
        return collected, int.from_bytes(answer[-2:], "big")

    def ok(self, header: str, data: bytes = b"", le: int | None = None) -> bytes:
        """The data of a command that must succeed."""
        body, sw = self(header, data, le)
        assert sw == 0x9000, f"{header}: {sw:04X}"
        return body

    def sw(self, header: str, data: bytes = b"", le: int | None = None) -> str:
        """The status word, as text."""
        return f"{self(header, data, le)[1]:04X}"

    def enter(self, profile: Profile, name: str) -> None:
        """Select an application, by AID where it has one."""
        application = profile.application(name)
        if application.aid is not None:
            self.ok("00A4040C", application.aid)
        else:
            self.ok("00A4000C", (application.fid or 0).to_bytes(2, "big"))


class KeyHolder:
    """A terminal with every key of a card."""

    def __init__(self, card: VirtualCard | Fault, profile: Profile | None = None) -> None:
        """Give the card power; ``profile`` must be told when a fault is around the card."""
        self.card = card
        self.profile = profile or card.profile
        self.cipher = Cipher(self.profile.security.cipher)
        self.terminal = Terminal(card, self.profile.protocol)
        self.application: Application = self.profile.applications[0]
        self.values: dict[str, bytes] = {}

    def key(self, name: str) -> bytes:
        """The card's key, ``DF01/UK7``, as it left the factory or as a test put it into ``values``."""
        if name not in self.values:
            historical = self.card.memory.historical
            self.values[name] = DemonstrationKeys().card_key(
                card_key(self.profile, *name.split("/"), historical=historical, city=REGION)
            )
        return self.values[name]

    def enter(self, name: str) -> None:
        """Select an application."""
        self.terminal.enter(self.profile, name)
        self.application = self.profile.application(name)

    def challenge(self, length: int | None = None) -> bytes:
        """A random number from the card; without a length one for authentication."""
        return self.terminal.ok("00840000", le=length or self.cipher.block)

    def authenticate(self, name: str, *, value: bytes | None = None, number: int | None = None) -> str:
        """EXTERNAL AUTHENTICATE with a key of the current application; the status word."""
        key = next(key for key in self.application.keys if key.name == name)
        value = self.key(f"{self.application.name}/{name}") if value is None else value
        data = external_answer(self.cipher, value, self.challenge())
        return self.terminal.sw(f"008200{key.id if number is None else number:02X}", data)

    def verify(self, pin: bytes = INITIAL_PIN) -> str:
        """VERIFY; the status word."""
        return self.terminal.sw("00200000", pin)

    def show(self, grants: set[str] | frozenset[str]) -> None:
        """Show ``grants`` in the current application, but for those of a MAC."""
        for grant in sorted(grants):
            kind, _, name = grant.partition(":")
            if kind != "mac":
                assert (self.authenticate(name) if name else self.verify()) == "9000", grant

    def mac(self, name: str, message: bytes) -> bytes:
        """The MAC over ``message`` from a new challenge on."""
        if self.cipher is Cipher.SM4:
            whole = sm4_cbc_mac(self.key(name), message, self.challenge(16))
            return bytes(a ^ b ^ c ^ d for a, b, c, d in zip(*(whole[i : i + 4] for i in (0, 4, 8, 12)), strict=True))
        return retail_mac(self.key(name), message, self.challenge(4) + bytes(4))[:4]

    def protect(self, header: str, data: bytes, name: str) -> bytes:
        """The whole command: ``data`` with its MAC under key ``name``."""
        head = bytes.fromhex(header) + bytes((len(data) + 4,))
        return head + data + self.mac(name, head + data)

    def send(self, command: bytes) -> str:
        """The status word of a command made by `protect`."""
        return self.card.transmit(command)[-2:].hex().upper()

    def protected(self, header: str, data: bytes = b"", *, key: str, encipher: bool = False) -> str:
        """Send ``data``, enciphered if so wished, with a MAC under ``key``; the status word."""
        return self.send(self.protect(header, self.enciphered(data, key) if encipher else data, key))

    def enciphered(self, data: bytes, name: str) -> bytes:
        """Length, ``data`` and padding under key ``name``."""
        plain = pad(bytes((len(data),)) + data, self.cipher.block)
        return encrypt_ecb(self.cipher, self.key(name), plain)

    def key_block(self, name: str, value: bytes, *, tries: int = 15) -> bytes:
        """What WRITE KEY takes, without the MAC."""
        application, _, short = name.partition("/")
        key = next(key for key in self.profile.application(application).keys if key.name == short)
        return self.enciphered(key.header(self.cipher, tries) + value, "SSSE/MK")

    def write_key(self, name: str, value: bytes, *, tries: int = 15) -> str:
        """Load a new key, main key included, in the current application; the status word."""
        key = next(key for key in self.application.keys if key.name == name.partition("/")[2])
        header = f"84D4{int(key.kind == 'main'):02X}{key.id:02X}"
        return self.protected(header, self.key_block(name, value, tries=tries), key="SSSE/MK")

    def reload_pin(self, pin: bytes) -> str:
        """RELOAD PIN; the status word."""
        return self.protected("84D40001", pin, key="SSSE/RPK", encipher=True)

    def change_pin(self, old: bytes, new: bytes) -> str:
        """CHANGE PIN; the status word."""
        return self.terminal.sw("805E0100", old + b"\xff" + new)


def external_answer(cipher: Cipher, key: bytes, challenge: bytes, original: bytes = b"original") -> bytes:
    """The 16 bytes by which a terminal shows that it has ``key``."""
    made = encrypt_ecb(cipher, key, challenge)
    return made if cipher is Cipher.SM4 else encrypt_ecb(cipher, made + made, original) + original


def contents(card: VirtualCard | Fault) -> dict[str, object]:
    """All that the memory of a card holds, to compare it with later."""
    memory = card.memory
    secrets = {name: (bytes(key.value), key.tries, key.limit) for name, key in memory.keys.items()}
    pin = (bytes(memory.pin.value), memory.pin.tries, memory.pin.limit)
    files = {address: [bytes(record) for record in records] for address, records in memory.files.items()}
    return {"files": files, "keys": secrets, "pin": pin, "locks": dict(memory.locks), "blocked": memory.blocked}


Step = Callable[[KeyHolder], str]
"""Something done to a card; gives the status word."""
