"""A card in a terminal: opened, compared with what the caller expects, shown keys and PIN, and read or written."""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final

from juying.card.access import EXTERNAL_AUTHENTICATE, INTERNAL_AUTHENTICATE, Access
from juying.card.apdu import Command, append_record, update_binary, update_record
from juying.card.atr import historical_bytes
from juying.card.card_keys import card_key
from juying.card.pin import PinSource
from juying.card.refusal import NOT_SATISFIED
from juying.card.secure_messaging import get_challenge
from juying.card.session import CHUNK, IDENTIFIER_FILE
from juying.card.ssc import SscCard
from juying.card.status import OK, meaning
from juying.codec.rules import KEY, MAC, PIN, AccessRule, access_rule
from juying.codec.spec import Key, KeyKind, Record
from juying.crypto.authentication import challenge_length
from juying.crypto.block import Cipher
from juying.crypto.keys import CardKey, Keys
from juying.errors import AccessRefused, InputError, StatusError
from juying.terminal.addresses import CardInfo
from juying.terminal.codes import CallError, Code, refused
from juying.terminal.pins import pin_failure, pin_input
from juying.terminal.places import NO_RECORD, Place, Writing
from juying.terminal.slots import NoKeys, lacking
from juying.text import Text

NOTHING: Final = NoKeys()


class Mode(IntEnum):
    """iAuthType: what is shown to a card that takes either."""

    PIN = 1
    KEY = 2


class TerminalCard(SscCard):
    """The session with one card in a terminal."""

    _offered: tuple[Keys, PinSource | None] | None = None

    def offer(self, keys: Keys | None, pin: PinSource | None) -> None:
        """Show these keys and this PIN from now on, and nothing else."""
        wanted = (keys or NOTHING, pin)
        if self._offered != wanted:
            self.present(Access(keys=wanted[0], pin=pin))
            self._offered = wanted

    @property
    def historical(self) -> bytes:
        """The historical bytes of the ATR (卡复位信息), 13 on most cards."""
        return historical_bytes(self.channel.transport.atr)

    @property
    def cipher(self) -> Cipher:
        """The cipher of the card's keys."""
        return Cipher(self.profile.security.cipher)

    def identifier(self) -> str:
        """卡识别码, 32 hex digits. Raises `CallError` -20 when the card has none."""
        record = self.read_record(self.profile.file(IDENTIFIER_FILE), 1)
        if record is None or record[:2] != b"\x01\x10" or not record[2:5].hex().isdigit():
            raise CallError(Code.IDENTIFIER, Text("卡上没有卡识别码", "the card has no identifier"))
        return record[2:].hex().upper()

    def check(self, info: CardInfo) -> None:
        """Raise `CallError` -22 unless it is the card that the caller means.

        A card number that the card does not show without a key is let be when the identifier agrees.
        """
        other = bool(info.identifier) and not self.identifier().startswith(info.identifier)
        if not other and info.number:
            try:
                other = self.value("card.number") != info.number
            except AccessRefused:
                other = not info.identifier
        if other:
            raise CallError(Code.OTHER_CARD)

    # Keys --------------------------------------------------------------------------------------------

    def key(self, application: str, name: str) -> CardKey:
        """The key ``name`` of an application, of this card."""
        return card_key(self.profile, application, name, historical=self.historical, city=self.city)

    def key_of(self, application: str, kind: KeyKind) -> Key:
        """The only key of a kind. Raises `CallError` -13 on a card without one."""
        key = self.profile.application(application).key_of(kind)
        if key is None:
            raise CallError(Code.UNSUPPORTED, Text("卡规格中没有此项功能的密钥", "the profile has no key for this"))
        return key

    def why(self, error: AccessRefused, application: str) -> CallError:
        """The end of a call that failed for want of a grant, which is no PIN."""
        sw = self._grants.failure(application, access_rule(error.rule)) or error.sw
        name = next((name.partition(":")[2] for name in error.missing if name.startswith((KEY, MAC))), None)
        if sw == NOT_SATISFIED and name is not None:
            return lacking((self._offered or (NOTHING,))[0], self.key(application, name))
        return refused(sw, error.text)

    def challenges(self) -> tuple[bytes, bytes]:
        """Two challenges, one block each: 原始信息 and, the last one, 过程因子 (in this order, as terminals do it)."""
        command = get_challenge(challenge_length(self.cipher))
        original = self.channel.send(command, step="GET CHALLENGE")
        return original, self.channel.send(command, step="GET CHALLENGE")

    def authenticate_with(self, key: Key, answer: bytes) -> None:
        """EXTERNAL AUTHENTICATE with what somebody else computed. Raises `CallError` with the status word."""
        sw = self.channel.transmit(Command(0x00, EXTERNAL_AUTHENTICATE, 0x00, key.id, answer)).sw
        if sw != OK:
            raise refused(sw, Text("外部认证失败", "external authentication failed"))
        self._grants.held.add(KEY + key.name)

    def answer_to(self, data: bytes) -> bytes:
        """What the card answers to INTERNAL AUTHENTICATE."""
        command = Command(0x00, INTERNAL_AUTHENTICATE, 0x00, 0x00, data, 8 if self.cipher is Cipher.TDES else 16)
        return self.channel.send(command, step="INTERNAL AUTHENTICATE")

    # The holder's PIN --------------------------------------------------------------------------------

    def show_pin(self) -> None:
        """VERIFY in the selected application. Raises `CallError` with what went wrong."""
        try:
            self.verify_pin()
        except AccessRefused as error:
            raise pin_failure(error) from None
        except InputError as error:
            raise pin_input(error) from None

    # Reading and writing -----------------------------------------------------------------------------

    def read_places(self, places: Sequence[Place]) -> list[str]:
        """The values of a file's parts. Raises `CallError`, `StatusError`."""
        try:
            return [value for place in places for value in self._told(place)]
        except AccessRefused as error:
            raise self.why(error, places[0].file.application) from None

    def _told(self, place: Place) -> list[str]:
        if place.record is not None:
            return [place.told(self._find(place.record, place)[1])]
        if place.rows:
            rows = [self.read_record(place.file, place.number)] if place.number else self.read_records(place.file)
            return [place.told(_there(row)) for row in rows]
        return [place.told(self.read_binary(place.file, 0, place.file.size))]

    def _find(self, record: Record, place: Place) -> tuple[int, bytes]:
        """Number and bytes of a record: where the profile has it, else wherever its tag stands."""
        number = record.number + place.occurrence - 1
        raw = self.read_record(place.file, number) if place.occurrence <= record.repeat else None
        if raw is not None and raw[:1] == bytes((record.tag or 0,)):
            return number, raw
        found = [(at, entry) for at, entry in enumerate(self.read_records(place.file), 1) if entry[0] == record.tag]
        if len(found) < place.occurrence:
            raise StatusError(NO_RECORD, meaning(NO_RECORD), where=f"{place.file.address} {record.tag:02X}")
        return found[place.occurrence - 1]

    def write_all(self, writings: Iterable[Writing]) -> None:
        """Carry out what was parsed and checked already, in its order. Raises `CallError`, `StatusError`."""
        todo = list(writings)
        for writing in todo:
            for command in self._commands(writing):
                file, rule = writing.place.file, writing.place.write_rule
                try:
                    self.write(file, rule, command, where=f"UPDATE {file.address}", secret=writing.place.secret)
                except AccessRefused as error:
                    raise self.why(error, file.application) from None

    def _commands(self, writing: Writing) -> list[Command]:
        place, data = writing.place, writing.data
        if place.record is not None:
            return [update_record(self._number(place.record, place), data)]
        if place.rows:
            return [append_record(data)]
        return [update_binary(start, data[start : start + CHUNK]) for start in range(0, len(data), CHUNK)]

    def _number(self, record: Record, place: Place) -> int:
        """Where the card keeps a record that is to be written; the profile's number if it may not be read."""
        try:
            return self._find(record, place)[0]
        except AccessRefused:
            return record.number + place.occurrence - 1

    def check_may_write(self, writings: Iterable[Writing]) -> None:
        """Raise `CallError` unless there is a key for everything that is to be written."""
        for writing in writings:
            file, rule = writing.place.file, writing.place.write_rule
            try:
                self.check_writable([(file, rule)])
            except AccessRefused as error:
                raise self.why(error, file.application) from None


def _there(row: bytes | None) -> bytes:
    if row is None:
        raise StatusError(NO_RECORD, meaning(NO_RECORD))
    return row


def needed(rules: Iterable[AccessRule], mode: Mode) -> frozenset[str]:
    """Of ``pin`` and ``key``, what has to be shown under ``mode`` for all rules."""
    return frozenset(kind for rule in rules for kind in _needed(rule, mode))


def _needed(rule: AccessRule, mode: Mode) -> frozenset[str]:
    kinds = [frozenset(PIN if grant == PIN else "key" for grant in grants) for grants in rule.alternatives]
    preferred = frozenset({PIN if mode is Mode.PIN else "key"})
    return next((kind for kind in kinds if kind == preferred), kinds[0] if kinds else frozenset())
