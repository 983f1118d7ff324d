"""What a card remembers without power, and the one place where it is written."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import StrEnum

from juying.card.card_keys import card_key
from juying.codec.spec import FileKind, Key, Profile, Record
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.errors import CardRemoved, InputError

RID = bytes.fromhex("D156000005")
"""Registered identifier inside the card identifier (observed)."""
ISSUER_FILE = "SSSE/EF05"
IDENTIFIER_TAG, VERSION_TAG, NUMBER_TAG = 0x01, 0x03, 0x07


@dataclass(slots=True, eq=False)
class Secret:
    """A key (16 bytes) or the PIN (BCD), and its counter: ``tries`` are left of ``limit`` wrong ones in a row."""

    value: bytearray
    tries: int
    limit: int

    def __repr__(self) -> str:
        """The counter; not the value."""
        return f"Secret({self.tries}/{self.limit})"


class Lock(StrEnum):
    """How an application is locked."""

    BLOCKED = "blocked"
    FOR_EVER = "blocked-for-ever"


class Memory:
    """Contents of one card.

    ``files`` maps the address of each file that exists to its records, newest first in a cyclic file; a
    transparent file is one long record. ``historical`` are the 13 historical bytes of the ATR. ``keys`` maps
    ``DF01/UK7`` to the key, ``pin`` is the holder's PIN, ``locks`` names the applications that are blocked, and
    ``blocked`` says that the whole card is.

    ``budget`` is the number of bytes that can still be written before the power fails, `None` for no failure: it
    lets a test tear the card in the middle of a write. ``changes`` grows with every write.
    """

    __slots__ = ("blocked", "budget", "changes", "files", "historical", "keys", "locks", "pin")

    def __init__(
        self,
        files: dict[str, list[bytearray]],
        historical: bytes,
        *,
        keys: dict[str, Secret],
        pin: Secret,
        locks: dict[str, Lock] | None = None,
        blocked: bool = False,
    ) -> None:
        """Take the contents over, without copying them."""
        self.files = files
        self.historical = historical
        self.keys = keys
        self.pin = pin
        self.locks = locks or {}
        self.blocked = blocked
        self.budget: int | None = None
        self.changes = 0

    def __repr__(self) -> str:
        """The size only; the contents may be personal."""
        return f"Memory({len(self.files)} files)"

    def write(self, record: bytearray, offset: int, data: bytes) -> None:
        """Overwrite part of a record of ``files``. Raises `CardRemoved` when the power fails on the way.

        What fits into the budget is written; power is back with the next insertion, so the budget ends there.
        """
        self.changes += 1
        budget = self.budget
        if budget is not None:
            if len(data) > budget:
                record[offset : offset + budget] = data[:budget]
                self.budget = None
                raise CardRemoved("写入时卡片断电", "the card lost power while it was writing")
            self.budget = budget - len(data)
        record[offset : offset + len(data)] = data

    def append(self, address: str, data: bytes, capacity: int) -> None:
        """Add the newest record of a cyclic file, over the oldest one when there are ``capacity`` already.

        The record becomes the newest one only after it was written whole; that last step counts as one byte of
        the budget.
        """
        records = self.files[address]
        full = len(records) == capacity
        record = records[-1] if full else bytearray(b"\xff" * len(data))
        self.write(record, 0, data)
        self.write(bytearray(1), 0, b"\x01")
        if full:
            records.pop()
        records.insert(0, record)

    def flip(self, change: Callable[[], object], draft: bytes = b"") -> None:
        """Make ``change`` as a whole or not at all.

        The ``draft`` is written aside, at the cost of its length; one more byte makes it valid. Raises `CardRemoved`
        when the power fails before that.
        """
        self.write(bytearray(len(draft)), 0, draft)
        self.write(bytearray(1), 0, b"\x01")
        change()

    def replace(self, secret: Secret, value: bytes, limit: int) -> None:
        """Give a key or the PIN a new value and a full counter, in one step."""

        def change() -> None:
            secret.value[:] = value
            secret.tries = secret.limit = limit

        self.flip(change, value + bytes((limit,)))

    def count(self, secret: Secret, tries: int) -> None:
        """Set the counter of wrong tries, in one step."""

        def change() -> None:
            secret.tries = tries

        self.flip(change)

    def attempt(self, secret: Secret, proven: Callable[[], bool]) -> bool:
        """Whether it is ``proven`` that the other side knows ``secret``, which has tries left.

        The try is taken before the comparison and all are given back after a right one, so that tearing the card
        between answer and count wins nothing. A right proof with a full counter leaves the memory as it was.
        """
        before, tries = self.changes, secret.tries
        self.count(secret, tries - 1)
        if not proven():
            return False
        self.count(secret, secret.limit)
        if tries == secret.limit:
            self.changes = before
        return True


def factory_memory(
    profile: Profile,
    region: str,
    serial: bytes,
    optional: Collection[str],
    keys: Callable[[CardKey], bytes] | None,
) -> Memory:
    """The memory of a blank card as it leaves the factory: see `VirtualCard.blank`."""
    if len(region) != 6 or not (region.isascii() and region.isdigit()):
        raise InputError("行政区划代码应为 6 位数字", "the region code must have 6 digits", where="region")
    if len(serial) != 4:
        raise InputError("卡片序列号应为 4 字节", "the serial must have 4 bytes", where="serial")
    place = bytes.fromhex(region)
    historical = profile.historical[:7] + place[:2] + serial
    memory = Memory(
        {
            file.address: [bytearray(record) for record in file.blank]
            for file in profile.files
            if not file.optional or file.address in optional
        },
        historical,
        keys=factory_keys(profile, region, historical, keys),
        pin=factory_pin(profile),
    )
    identity = ((IDENTIFIER_TAG, place + RID + serial + b"\xff" * 4), (VERSION_TAG, profile.version))
    for tag, value in identity if ISSUER_FILE in memory.files else ():
        index, record = issuer_record(profile, tag)
        memory.files[ISSUER_FILE][index][:] = record.encode(value)
    return memory


def factory_keys(
    profile: Profile, region: str, historical: bytes, keys: Callable[[CardKey], bytes] | None = None
) -> dict[str, Secret]:
    """Every key that a card of this city is delivered with; without ``keys`` the public demonstration keys."""
    make = keys or DemonstrationKeys().card_key
    tries = profile.security.key_tries
    return {
        name: Secret(
            bytearray(make(card_key(profile, *name.split("/"), historical=historical, city=region))), tries, tries
        )
        for name in keys_on_card(profile)
    }


def keys_on_card(profile: Profile) -> dict[str, Key]:
    """The keys that a card of this profile holds itself, by application and name (``DF01/UK7``)."""
    return {
        f"{application.name}/{key.name}": key
        for application in profile.applications
        for key in application.keys
        if key.on_card
    }


def factory_pin(profile: Profile) -> Secret:
    """The PIN with which a card is delivered: the first of the initial ones."""
    security = profile.security
    return Secret(bytearray.fromhex(security.initial_pins[0]), security.pin_tries, security.pin_tries)


def issuer_record(profile: Profile, tag: int) -> tuple[int, Record]:
    """Index and declaration of a record of SSSE/EF05. Raises `InputError` if the profile has none."""
    for index, record in enumerate(profile.file(ISSUER_FILE).slots):
        if record.tag == tag:
            return index, record
    raise InputError(
        f"规格 {profile.name} 中没有记录 {tag:02X}",
        f"profile {profile.name} has no record {tag:02X}",
        where=ISSUER_FILE,
    )


def fits(profile: Profile, address: str, records: list[bytearray]) -> bool:
    """Whether ``records`` have the number, the lengths, the tags and the order that the profile declares."""
    file = profile.file(address)
    if file.kind is FileKind.CYCLIC:
        return len(records) <= file.count and all(len(record) == file.record_length for record in records)
    declared = file.blank
    head = 2 if file.kind is FileKind.LINEAR else 0
    return len(records) == len(declared) and all(
        len(record) == len(blank) and record[:head] == blank[:head]
        for record, blank in zip(records, declared, strict=True)
    )
