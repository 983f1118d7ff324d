"""The directories and files of one card, with what SELECT answers for each (ISO 7816-4).

The tree is flat: a master file 3F00, and under it the applications of the profile. The first application is the
environment: it owns the directory file (SFI 0B) that lists the others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from juying.card.virtual.memory import Memory, Secret
from juying.codec.file import Rules
from juying.codec.spec import Application, File, FileKind, Key, Profile
from juying.crypto.block import Cipher
from juying.text import Text

if TYPE_CHECKING:
    from juying.card.virtual.session import Request, Session

Command = Callable[["Session", "Request"], bytes]
"""What carries out a command: takes session and request, returns the response data or raises `AnswerError`."""
DIRECTORY_SFI = 0x0B
"""Short identifier of the directory file (observed); its FID EF0B follows from it (our choice)."""
LABEL_LENGTH = 16
"""Longest application label (ISO 7816-4)."""
_DESCRIPTORS = {FileKind.TRANSPARENT: 0x01, FileKind.LINEAR: 0x05, FileKind.CYCLIC: 0x06}
"""File descriptor bytes (ISO 7816-4): transparent; linear, variable size, TLV; cyclic, fixed size."""


@dataclass(slots=True, eq=False)
class Elementary:
    """An elementary file; ``records`` are those of the card's memory.

    ``heads`` are tag and length of each record of a linear file, ``capacity`` and ``record_length`` describe a
    cyclic one. A ``fixed`` file cannot be written. ``control`` is the value of the template that SELECT returns.
    ``read`` and ``write`` are the access rules of each record, None for a free one; there are none at all when every
    record is free.
    """

    address: str
    kind: FileKind
    records: list[bytearray] = field(repr=False)
    control: bytes
    heads: tuple[bytes, ...] = ()
    capacity: int = 0
    record_length: int = 0
    fixed: bool = False
    read: Rules = ()
    write: Rules = ()


class HeldKey(NamedTuple):
    """A key on the card: what it is called and is for, and the key itself."""

    spec: Key
    secret: Secret


@dataclass(slots=True, eq=False)
class Dedicated:
    """The master file or an application; ``by_fid`` and ``by_sfi`` hold its elementary files, ``keys`` its keys by id.

    ``control`` is the value of the template that SELECT returns. ``commands`` maps instruction bytes to commands that
    this application alone has, or does otherwise than the card; they are given requests of every class, and say with
    `juying.card.virtual.framing.expect_class` which they take. ``on_select`` is called before SELECT is answered, and
    may renew ``control``.
    """

    aid: bytes
    fid: int | None
    control: bytes
    commands: Mapping[int, Command] = field(default_factory=dict)
    on_select: Callable[[], None] | None = None
    name: str = ""
    keys: Mapping[int, HeldKey] = field(default_factory=dict)
    by_fid: dict[int, Elementary] = field(default_factory=dict)
    by_sfi: dict[int, Elementary] = field(default_factory=dict)


class Tree:
    """All directories of a card: ``root`` is the master file, ``applications`` the others in declared order.

    ``security`` is that of the profile, ``cipher`` and ``initial_pins`` (BCD) are what follows from it.
    """

    def __init__(self, profile: Profile, memory: Memory) -> None:
        """Build the tree over the files that exist in ``memory``."""
        self.security = profile.security
        self.cipher = Cipher(profile.security.cipher)
        self.initial_pins = frozenset(bytes.fromhex(pin) for pin in profile.security.initial_pins)
        self.root = Dedicated(b"", 0x3F00, bytes.fromhex("83023F00"))
        self.applications = tuple(_dedicated(application, memory) for application in profile.applications)
        self.environment = self.applications[0]
        self.environment.control += bytes((0xA5, 0x03, 0x88, 0x01, DIRECTORY_SFI))
        directory = _directory(profile.applications[1:])
        self.environment.by_sfi.setdefault(DIRECTORY_SFI, directory)
        self.environment.by_fid.setdefault(0xEF00 | DIRECTORY_SFI, directory)

    def by_fid(self, fid: int) -> Dedicated | None:
        """The directory with this file identifier, the master file included."""
        if fid == self.root.fid:
            return self.root
        return next((application for application in self.applications if application.fid == fid), None)


def _dedicated(application: Application, memory: Memory) -> Dedicated:
    if application.aid is not None:
        control = _object(0x84, application.aid)
    else:
        control = _object(0x83, (application.fid or 0).to_bytes(2, "big"))
    keys = {
        key.id: HeldKey(key, memory.keys[f"{application.name}/{key.name}"]) for key in application.keys if key.on_card
    }
    dedicated = Dedicated(application.aid or b"", application.fid, control, name=application.name, keys=keys)
    for file in application.files:
        if file.address in memory.files:
            elementary = _elementary(file, memory.files[file.address])
            dedicated.by_fid[file.fid] = elementary
            dedicated.by_sfi.setdefault(file.sfi, elementary)
    return dedicated


def _elementary(file: File, records: list[bytearray]) -> Elementary:
    lengths = [file.record_length] * file.count if file.kind is FileKind.CYCLIC else [len(r) for r in records]
    heads = tuple(bytes(record[:2]) for record in file.blank) if file.kind is FileKind.LINEAR else ()
    return Elementary(
        address=file.address,
        kind=file.kind,
        records=records,
        control=_control(file.kind, file.fid, file.sfi, lengths),
        heads=heads,
        capacity=file.count,
        record_length=file.record_length if file.kind is FileKind.CYCLIC else 0,
        read=file.read_rules,
        write=file.write_rules,
    )


def _control(kind: FileKind, fid: int, sfi: int, lengths: list[int]) -> bytes:
    """File control parameters: data bytes (80), descriptor (82), FID (83), SFI in the high five bits (88)."""
    descriptor = bytes((_DESCRIPTORS[kind],))
    if kind is not FileKind.TRANSPARENT:
        longest = max(lengths, default=0)
        descriptor += b"\x01" + longest.to_bytes(2, "big") + bytes((len(lengths),))
    return (
        _object(0x80, sum(lengths).to_bytes(2, "big"))
        + _object(0x82, descriptor)
        + _object(0x83, fid.to_bytes(2, "big"))
        + _object(0x88, bytes((sfi << 3,)))
    )


def _directory(applications: tuple[Application, ...]) -> Elementary:
    """One record 61 {4F AID, 50 label} for each application that has an AID and files."""
    records = [
        bytearray(_object(0x61, _object(0x4F, application.aid) + _object(0x50, _label(application.title))))
        for application in applications
        if application.aid is not None and application.files
    ]
    lengths = [len(record) for record in records]
    return Elementary(
        address="DIR",
        kind=FileKind.LINEAR,
        records=records,
        control=_control(FileKind.LINEAR, 0xEF00 | DIRECTORY_SFI, DIRECTORY_SFI, lengths),
        fixed=True,
    )


def _label(title: Text) -> bytes:
    """The Chinese title in GBK, as the names in the AIDs are (our choice), whole characters only."""
    label = title.zh.encode("gbk", "ignore")[:LABEL_LENGTH]
    return label.decode("gbk", "ignore").encode("gbk")


def _object(tag: int, value: bytes) -> bytes:
    return bytes((tag, len(value))) + value
