"""The session with one card: what is selected, what was shown to the card, and reading and writing under its rules.

The profile says what a card is; this is what goes on with one. Before a file or record is read or written, the card
gets the key or the PIN that the profile asks for, as far as we have it.
"""

import functools
from collections.abc import Iterable

from juying.card import apdu, refusal, status
from juying.card.access import Access, Grants
from juying.card.channel import Channel, Exchange
from juying.card.permit_seal import PermitSeal
from juying.card.pin import Ask
from juying.card.refusal import Act
from juying.card.transport import CardProtocol
from juying.codec.permit_slots import Form, PermitSlot
from juying.codec.rules import KEY, MAC, PIN, access_rule
from juying.codec.spec import Application, File, FileKind, KeyKind, Profile
from juying.errors import AccessRefused, CardRefused, StatusError
from juying.text import Text

CHUNK = 0x80
"""Bytes per READ or UPDATE BINARY; personalisers in the field use 0x70 to 0x80 (observed)."""

MAX_RECORDS = 254
"""Highest record number of ISO 7816-4."""

# The same few commands read every card; they do not change, and hold nothing personal.
read_record_command = functools.lru_cache(maxsize=1024)(apdu.read_record)
_read_binary = functools.lru_cache(maxsize=1024)(apdu.read_binary)

IDENTIFIER_FILE = "SSSE/EF05"
_IDENTIFIER_RECORD, _IDENTIFIER_LENGTH = 1, 18
_END = (0x6A83,)
_END_OF_FILE = (0x6282, 0x6B00)
_BLOCKED = 0x6283
_DENIED = apdu.Response(b"", refusal.NOT_SATISFIED)


class CardSession:
    """The session with one card of a known profile."""

    def __init__(self, channel: Channel, profile: Profile, access: Access | None = None) -> None:
        """Take a channel to a card of this profile, nothing being selected.

        ``access`` is what can be shown to the card; None for what `Access` has by itself.
        """
        self.channel = channel
        self.profile = profile
        self._protocol = channel.transport.protocol
        self._application = ""
        self._file: File | None = None
        self._identifier: bytes | None = None
        self._proves = access is not None and access.keys is not None
        self._grants = Grants(channel, profile, access or Access(), self._read_city)
        self._fulfilled: dict[str, frozenset[str]] = {}
        self._denied: set[str] = set()

    def select(self, file: File) -> None:
        """Make ``file`` the current one, unless it is already."""
        if self._file is file:
            return
        if self._application != file.application:
            self._select_application(self.profile.application(file.application))
        self._file = None
        self.channel.send(select_command(self._protocol, 0x00, file.fid.to_bytes(2)), step=f"SELECT {file.address}")
        self._file = file

    def _select_application(self, application: Application, *, blocked: bool = False) -> None:
        """Select ``application``; one that is ``blocked`` too, if so wished."""
        self._application, self._file = "", None
        self._forget()
        if application.aid is not None:
            command = select_command(self._protocol, 0x04, application.aid)
        elif application.fid is not None:
            command = select_command(self._protocol, 0x00, application.fid.to_bytes(2))
        else:
            raise CardRefused(
                f"规格没有给出应用 {application.name} 的标识，无法选择",
                f"the profile names neither AID nor FID of {application.name}: it cannot be selected",
            )
        ok = (status.OK, _BLOCKED) if blocked else (status.OK,)
        self.channel.send(command, step=f"SELECT {application.name}", ok=ok)
        self._application = application.name

    def read_record(self, file: File, number: int) -> bytes | None:
        """Record ``number`` (1 to 254) of a linear or cyclic file, whole; None when there is none.

        Raises `AccessRefused` when the card wants a key or PIN that we do not have, `StatusError` for other refusals.
        """
        rule, length = file.read, apdu.SHORT_LE
        if file.kind is FileKind.CYCLIC:
            length = file.record_length
        elif number <= len(file.slots):
            record = file.slots[number - 1]
            rule, length = record.read, 2 + record.length
        answer = self._read(file, rule, read_record_command(number, length))
        if answer.sw in _END:
            return None
        if answer.sw != status.OK:
            raise self._refused(answer.sw, Act.READ, file, rule, f"{file.address} #{number}")
        if number == _IDENTIFIER_RECORD and self._identifier is None and file.address == IDENTIFIER_FILE:
            self._identifier = _identifier_in(answer.data)
        return answer.data

    def _read(self, file: File, rule: str, command: apdu.Command) -> apdu.Response:
        """Fulfil ``rule`` as far as we can, then read.

        What cannot be fulfilled is tried all the same, but once for each rule: the card may be less strict than its
        profile. A card that is stricter gets shown what the other records of the file ask for.
        """
        if self._file is not file:
            self.select(file)
        if rule != "free" and rule not in self._fulfilled and self._obtain(file, rule) is None:
            if rule in self._denied:
                return _DENIED
            answer = self.channel.transmit(command)
            if answer.sw == refusal.NOT_SATISFIED:
                self._denied.add(rule)
            return answer
        answer = self.channel.transmit(command)
        if answer.sw == refusal.NOT_SATISFIED and self._obtain_any(file):
            answer = self.channel.transmit(command)
        return answer

    def _obtain(self, file: File, rule: str) -> frozenset[str] | None:
        """Fulfil a rule of ``file``, which is selected then; the grants that do it, None when it cannot be done."""
        shown = self._fulfilled.get(rule)
        if shown is None:
            shown = self._grants.obtain(file.application, access_rule(rule), lambda: self.select(file))
            self.select(file)  # to find that a key is missing may have led to the card identifier
            if shown is not None:
                self._fulfilled[rule] = shown
        return shown

    def _forget(self) -> None:
        """Nothing that was shown to the card counts any more."""
        self._grants.forget()
        self._fulfilled.clear()
        self._denied.clear()

    def _obtain_any(self, file: File) -> bool:
        """Fulfil the read rules of the other records of ``file``; whether anything new was shown."""
        before = len(self._grants.held)
        for rule in dict.fromkeys(record.read for record in file.records):
            self._obtain(file, rule)
        return len(self._grants.held) > before

    def _refused(self, sw: int, act: Act, file: File, rule: str, where: str) -> StatusError:
        """The error for what the card answered to a command on ``file``."""
        if not refusal.is_refusal(sw):
            return StatusError(sw, status.meaning(sw), where=where)
        wanted = access_rule(rule)
        reasons = self._grants.reasons(file.application, wanted)
        return refusal.refused(sw, act, file.address, wanted, reasons, profile=self.profile.name, where=where)

    def check_writable(self, wanted: Iterable[tuple[File, str]]) -> None:
        """Raise `AccessRefused` unless there is a way to fulfil each write rule; the card is not asked.

        ``wanted`` are files with the rules of what is to be written there. To be called before the first write, so
        that a missing key leaves no card half written.
        """
        seen: set[tuple[str, str]] = set()
        for file, rule in wanted:
            parsed, before = access_rule(rule), len(seen)
            seen.add((file.application, rule))
            if len(seen) > before and not self._grants.can(file.application, parsed):
                reasons, address = self._grants.reasons(file.application, parsed), file.address
                raise refusal.impossible(Act.WRITE, address, parsed, reasons, untouched=True, where=address)

    def write(self, file: File, rule: str, command: apdu.Command, *, where: str = "", secret: bool = True) -> None:
        """Carry out one UPDATE command on ``file`` under its write ``rule``.

        Where the rule asks for a MAC the command goes under secure messaging, and enciphered if its data is
        ``secret``. Raises `AccessRefused` when the rule cannot be fulfilled or the card refuses, `StatusError` for
        other refusals; ``where`` names the step.
        """
        if self._file is not file:
            self.select(file)
        shown = self._obtain(file, rule)
        if shown is None:
            wanted = access_rule(rule)
            sw = self._grants.failure(file.application, wanted) or refusal.NOT_SATISFIED
            reasons = self._grants.reasons(file.application, wanted)
            raise refusal.impossible(Act.WRITE, file.address, wanted, reasons, sw=sw, where=where)
        exchange: Exchange = self.channel.transmit
        if MAC in rule:
            for grant in shown:
                if grant.startswith(MAC):
                    exchange = self._grants.protected(file.application, grant.removeprefix(MAC), encipher=secret)
        sw = exchange(command).sw
        if sw != status.OK:
            raise self._refused(sw, Act.WRITE, file, rule, where)

    @property
    def city(self) -> str:
        """The city that issued the card, 6 digits; empty when the card does not say. May select another file."""
        return self._read_city()

    def permit_seal(self, *, untouched: bool = False) -> PermitSeal:
        """What seals the permits of this card, and opens them. May select another file.

        Raises `AccessRefused` when we lack the city's permit-read key (``untouched`` says in it that nothing was
        written yet), `KeyUseError` when the key cannot be used.
        """
        places = [(entry.name, key.name) for entry in self.profile.applications if (key := entry.key_of(KeyKind.SEAL))]
        if not places:
            raise refusal.no_seal(KeyKind.SEAL, refusal.NO_SEAL, untouched=untouched)
        application, name = places[0]
        found = self._grants.key(application, name)
        if isinstance(found, Text):
            raise refusal.no_seal(name, found, untouched=untouched)
        return PermitSeal.of(*found, self._identifier or b"")

    def open_permit(self, slot: PermitSlot) -> bytes:
        """The signed record in a slot of this card, sealed or not.

        Raises `DecodeError` when it does not open, and what `permit_seal` raises.
        """
        return slot.record if slot.form is Form.OPEN else self.permit_seal().open(slot)

    def present(self, access: Access) -> None:
        """Show other keys and PINs from now on; nothing counts as shown any more, and nothing is selected."""
        self._application, self._file = "", None
        self._grants = Grants(self.channel, self.profile, access, self._read_city)
        self._forget()

    def office_command(
        self, application: str, kind: KeyKind, command: apdu.Command, *, step: str, encipher: bool = False
    ) -> None:
        """Carry out a command of class 84 that the key of this ``kind`` proves, in ``application``, blocked or not.

        Keys for one application belong to it, all others to the card's environment. Raises `InputError` for an
        application that the profile does not have, `AccessRefused` when we lack the key or the card refuses, and
        `StatusError` for other refusals; ``step`` names the command.
        """
        target, environment = self.profile.application(application), self.profile.applications[0]
        owner = target if kind is KeyKind.APP_BLOCK else environment
        key = next((key for key in owner.keys if key.kind is kind), None)
        rule = access_rule(MAC + (key.name if key is not None else kind.value))
        if key is None or not self._grants.can(owner.name, rule):
            reasons = self._grants.reasons(owner.name, rule)
            raise refusal.no_proof(step, rule, reasons, where=step)
        self._select_application(target, blocked=True)
        sw = self._grants.protected(owner.name, key.name, encipher=encipher)(command).sw
        if refusal.is_refusal(sw):
            raise refusal.no_proof(step, rule, {}, sw=sw, where=step)
        if sw != status.OK:
            raise StatusError(sw, status.meaning(sw), where=step)
        self._application = ""  # whatever was shown is lost, and the application may be blocked now

    def authenticate(self) -> bool | None:
        """Whether the chip proves that it knows its internal authentication key, and so is no copy.

        None when we do not have that key, and with the demonstration keys that nobody asked for: they prove nothing.
        The card's environment is selected then.
        """
        environment = self.profile.applications[0]
        key = next((key for key in environment.keys if key.kind is KeyKind.INTERNAL), None)
        if key is None or not self._proves:
            return None
        self._enter(environment)
        if not self._grants.can(environment.name, access_rule(KEY + key.name)):
            return None
        self._enter(environment)  # to look for the city may have led elsewhere
        return self._grants.genuine(environment.name, key.name)

    def verify_pin(self) -> None:
        """Have the holder's PIN verified in the selected application. Raises `AccessRefused`."""
        if not self._application:
            self._enter(self.profile.applications[0])
        rule = access_rule(PIN)
        if self._grants.obtain(self._application, rule, lambda: None) is None:
            sw = self._grants.failure(self._application, rule) or refusal.NOT_SATISFIED
            text = self._grants.reasons(self._application, rule)[PIN]
            raise AccessRefused(sw, text, rule=PIN, missing=(PIN,), where="VERIFY PIN")

    def change_pin(self, new: Ask) -> None:
        """Change the PIN to the one that ``new`` gives, or that is typed on the reader. Raises `AccessRefused`."""
        if not self._application:
            self._enter(self.profile.applications[0])
        entry = self._grants.pin
        sw = entry.change(new) if entry is not None else refusal.NOT_SATISFIED
        self._forget()  # the card wants to see the new PIN
        if sw != status.OK:
            text = refusal.refused_pin(sw) if entry is not None else refusal.NO_PIN
            raise AccessRefused(sw, text, rule=PIN, missing=(PIN,), where="CHANGE PIN")

    def _enter(self, application: Application) -> None:
        """Select ``application``, unless it is already."""
        if self._application != application.name:
            self._select_application(application)

    def _read_city(self) -> str:
        """The city in the card identifier, 6 digits; empty when it has none. Every card shows it to anybody."""
        if self._identifier is None:
            self._identifier = b""
            file = self.profile.file(IDENTIFIER_FILE)
            self.select(file)
            answer = self.channel.transmit(read_record_command(_IDENTIFIER_RECORD, _IDENTIFIER_LENGTH))
            if answer.sw == status.OK:
                self._identifier = _identifier_in(answer.data)
        return self._identifier[:3].hex()

    def read_records(self, file: File) -> list[bytes]:
        """All records of a linear or cyclic file, those beyond the profile too."""
        records = []
        for number in range(1, MAX_RECORDS + 1):
            record = self.read_record(file, number)
            if record is None:
                break
            records.append(record)
        return records

    def read_binary(self, file: File, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes of a transparent file from ``offset``; fewer where the file ends.

        Raises as `read_record` does.
        """
        data = b""
        while len(data) < length:
            at = offset + len(data)
            wanted = min(CHUNK, length - len(data))
            answer = self._read(file, file.read, _read_binary(at, wanted))
            if answer.sw not in (status.OK, *_END_OF_FILE):
                raise self._refused(answer.sw, Act.READ, file, file.read, f"{file.address} @{at}")
            data += answer.data
            if answer.sw in _END_OF_FILE or not answer.data:
                break
        return data


@functools.lru_cache(maxsize=1024)
def select_command(protocol: CardProtocol, p1: int, name: bytes) -> apdu.Command:
    """SELECT as every card knows it, P2 = 00: the file control information is asked for, though not needed.

    With T=0 it waits behind 61xx, where it is left: that saves a GET RESPONSE for each file.
    """
    return apdu.Command(0x00, apdu.SELECT, p1, 0x00, name, None if protocol == "T=0" else apdu.SHORT_LE)


def _identifier_in(record: bytes) -> bytes:
    """The card identifier in its record, 16 bytes that begin with a city; empty when there is none."""
    identifier = record[2:18]
    named = record[:1] == b"\x01" and len(identifier) == 16 and identifier[:3].hex().isdigit()
    return identifier if named else b""
