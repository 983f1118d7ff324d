"""Obeying the access rules of a card: show it the key or the PIN that a file asks for, once for each application.

`Access` says what we have: keys, and a source of PINs. `Grants` is what one session with one card has shown so far in
the selected application; it picks the cheapest way to fulfil a rule, authenticates, and forgets everything when
another application is selected. A key or PIN that the card did not accept is never tried a second time in a session,
because the card counts wrong tries and locks.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from juying.card.apdu import Command
from juying.card.atr import historical_bytes
from juying.card.card_keys import card_key, is_virtual
from juying.card.channel import Channel, Exchange
from juying.card.pin import PinEntry, PinSource
from juying.card.refusal import (
    NEVER,
    NO_CITY,
    NO_KEYS,
    NO_PIN,
    OWN_KEYS,
    PURSE,
    lacking_key,
    refused_key,
    refused_pin,
)
from juying.card.secure_messaging import SecureMessaging, get_challenge, with_secure_messaging
from juying.card.status import OK, meaning
from juying.codec.rules import DEBIT, KEY, MAC, PIN, AccessRule
from juying.codec.spec import Key, KeyKind, Profile
from juying.crypto.authentication import ORIGINAL_LENGTH, challenge_length
from juying.crypto.block import Cipher
from juying.crypto.keys import CardKey, DemonstrationKeys, Keys
from juying.errors import InputError, KeyUseError
from juying.text import Text

EXTERNAL_AUTHENTICATE, INTERNAL_AUTHENTICATE = 0x82, 0x88

_COST = {"key": 2, "mac": 1, "pin": 100}
"""Exchanges that a grant of each kind costs; a PIN costs somebody's attention as well."""


@dataclass(frozen=True, slots=True)
class Access:
    """What we can show to a card: ``keys``, and where the holder's PIN comes from.

    Without ``keys`` a virtual card that has the public demonstration keys is shown those, any other card none.
    """

    keys: Keys | None = None
    pin: PinSource | None = None


_DEMONSTRATION = DemonstrationKeys()
_QUESTION = bytes(16)


class Grants:
    """What was shown to one card, in the application that is selected.

    ``held`` are the grants that hold now. ``city`` gives the 6 digits of the city that issued the card (empty when
    it does not say); it may select another file to find out.
    """

    def __init__(self, channel: Channel, profile: Profile, access: Access, city: Callable[[], str]) -> None:
        """Start with nothing shown."""
        self.held: set[str] = set()
        self._channel = channel
        self._profile = profile
        self._city = city
        self._historical = historical_bytes(channel.transport.atr)
        virtual = is_virtual(self._historical)
        self._keys = access.keys if access.keys is not None or not virtual else _DEMONSTRATION
        self._own_keys: bool | None = None if access.keys is None and virtual else False
        self._pin = access.pin
        self._entry: PinEntry | None = None
        self._known: dict[tuple[str, str], _Known | Text] = {}
        self._failed: dict[tuple[str, str], _Failure] = {}
        self._layers: dict[tuple[str, bool], SecureMessaging] = {}

    def __repr__(self) -> str:
        """What is held."""
        return f"Grants({', '.join(sorted(self.held))})"

    def forget(self) -> None:
        """Another application is selected, or the card was reset: nothing holds any more."""
        self.held.clear()
        self._layers.clear()

    def obtain(self, application: str, rule: AccessRule, select: Callable[[], None]) -> frozenset[str] | None:
        """Fulfil ``rule`` of a file in ``application``; the grants that do it, None when it cannot be done.

        ``select`` makes sure that the file is the current one before anything is shown. Raises `CardError` when the
        card is gone, and what the source of the PIN raises.
        """
        for alternative in rule.alternatives:
            if alternative <= self.held:
                return alternative
        while (chosen := self._cheapest(application, rule)) is not None:
            select()
            if all(self._show(application, grant) for grant in sorted(chosen - self.held)):
                return chosen
        return None

    def can(self, application: str, rule: AccessRule) -> bool:
        """Whether there is a way to fulfil ``rule`` that has not failed yet; nothing is shown."""
        return self._cheapest(application, rule) is not None

    def reasons(self, application: str, rule: AccessRule) -> dict[str, Text]:
        """Why grants of ``rule`` cannot be had."""
        grants = {grant for alternative in rule.alternatives for grant in alternative}
        found = {grant: self._obstacle(application, grant) for grant in grants}
        return {grant: why for grant, why in found.items() if why is not None}

    def failure(self, application: str, rule: AccessRule) -> int | None:
        """The status word with which the card refused something in ``rule`` that we showed it, None if it did not."""
        grants = (grant for alternative in rule.alternatives for grant in alternative)
        failures = (self._failed.get((application, grant)) for grant in grants)
        return next((failure.sw for failure in failures if failure is not None and failure.sw is not None), None)

    def key(self, application: str, name: str) -> tuple[Keys, CardKey] | Text:
        """The key ``name`` of this card with what holds it, or why we do not have it; nothing is shown."""
        known = self._key(application, name)
        return known if isinstance(known, Text) else (known.keys, known.key)

    def protected(self, application: str, name: str, *, encipher: bool) -> Exchange:
        """The way to the card for commands that carry a MAC under the key ``name``. Raises `KeyUseError`."""
        layer = self._layers.get((name, encipher))
        if layer is None:
            known = self._key(application, name)
            if isinstance(known, Text):
                raise KeyUseError(*known, where=f"{application}/{name}")
            layer = with_secure_messaging(self._channel.transmit, known.keys, known.key, encipher=encipher)
            self._layers[name, encipher] = layer
        return layer

    def genuine(self, application: str, name: str) -> bool | None:
        """Whether the card proves with INTERNAL AUTHENTICATE that it has the key ``name`` of the selected application.

        None when we lack that key and cannot tell.
        """
        known = self._key(application, name)
        if isinstance(known, Text):
            return None
        data = secrets.token_bytes(16)
        try:
            expected = known.keys.internal_answer(known.key, data)
        except KeyUseError:
            return None
        answer = self._channel.transmit(Command(0x00, INTERNAL_AUTHENTICATE, 0x00, 0x00, data, len(expected)))
        return answer.sw == OK and secrets.compare_digest(answer.data, expected)

    @property
    def pin(self) -> PinEntry | None:
        """How the PIN of this card is entered; None without a source."""
        if self._entry is None and self._pin is not None:
            self._entry = self._pin(self._channel)
        return self._entry

    # Choosing ----------------------------------------------------------------------------------------

    def _cheapest(self, application: str, rule: AccessRule) -> frozenset[str] | None:
        best, lowest = None, 0
        for alternative in rule.alternatives:
            wanted = alternative - self.held
            if all(self._obstacle(application, grant) is None for grant in wanted):
                price = sum(_COST[grant.partition(":")[0]] for grant in wanted)
                if best is None or price < lowest:
                    best, lowest = alternative, price
        return best

    def _obstacle(self, application: str, grant: str) -> Text | None:
        """Why a grant cannot be had, None if it can."""
        failure = self._failed.get((application, grant))
        if failure is not None:
            return failure.text
        kind, _, name = grant.partition(":")
        if name:
            known = self._key(application, name)
            return known if isinstance(known, Text) else None
        if kind == PIN:
            return None if self._pin is not None else NO_PIN
        return PURSE if kind == DEBIT else NEVER

    def _key(self, application: str, name: str) -> "_Known | Text":
        """A key of this card that we can use, or why we cannot."""
        known = self._known.get((application, name))
        if known is None:
            known = self._known[application, name] = self._find(application, name)
        return known

    def _find(self, application: str, name: str) -> "_Known | Text":
        keys = self._keys
        if keys is None:
            return NO_KEYS
        city = self._city()
        if not city:
            return NO_CITY
        try:
            key = card_key(self._profile, application, name, historical=self._historical, city=city)
        except InputError as error:
            return error.text
        if not keys.has(key):
            return lacking_key(keys.title, city)
        if self._own_keys is None:
            self._own_keys = self._has_own_keys(city)
        if self._own_keys:
            return OWN_KEYS
        declared = self._profile.application(application).keys
        return _Known(keys, key, next(entry for entry in declared if entry.name == name))

    def _has_own_keys(self, city: str) -> bool:
        """Whether a virtual card was given other keys than the demonstration ones, with which we would lock it.

        It is asked with INTERNAL AUTHENTICATE, which costs no try. A trace answers with zeros.
        """
        environment = self._profile.applications[0]
        declared = environment.key_of(KeyKind.INTERNAL)
        if declared is None:
            return False
        key = card_key(self._profile, environment.name, declared.name, historical=self._historical, city=city)
        expected = _DEMONSTRATION.internal_answer(key, _QUESTION)
        command = Command(0x00, INTERNAL_AUTHENTICATE, 0x00, 0x00, _QUESTION, len(expected))
        answer = self._channel.transmit(command)
        return answer.sw == OK and any(answer.data) and answer.data != expected

    # Showing -----------------------------------------------------------------------------------------

    def _show(self, application: str, grant: str) -> bool:
        """Show one grant to the card; whether it holds now."""
        failure: _Failure | None = None
        known = self._key(application, grant.partition(":")[2]) if grant.startswith(KEY) else None
        if isinstance(known, _Known):
            failure = self._authenticate(known)
        elif self.pin is not None and grant == PIN:
            failure = _verify(self.pin)
        if failure is not None:
            self._failed[application, grant] = failure
            return False
        if not grant.startswith(MAC):
            self.held.add(grant)
        return True

    def _authenticate(self, known: "_Known") -> "_Failure | None":
        """GET CHALLENGE and EXTERNAL AUTHENTICATE."""
        length = challenge_length(known.key.cipher)
        challenge = self._channel.transmit(get_challenge(length))
        if challenge.sw != OK or len(challenge.data) != length:
            said = meaning(challenge.sw)
            return _Failure(
                challenge.sw,
                Text(
                    f"卡片没有给出 {length} 字节随机数（{challenge.sw:04X}：{said.zh}）",
                    f"the card gave no challenge of {length} bytes ({challenge.sw:04X}: {said.en})",
                ),
            )
        # The original of 3DES may be anything; terminals in the field take an earlier challenge of the card.
        original = secrets.token_bytes(ORIGINAL_LENGTH) if known.key.cipher is Cipher.TDES else b""
        try:
            data = known.keys.external_answer(known.key, challenge.data, original)
        except KeyUseError as error:
            return _Failure(None, error.text)
        number = known.declared.id
        sw = self._channel.transmit(Command(0x00, EXTERNAL_AUTHENTICATE, 0x00, number, data)).sw
        return None if sw == OK else _Failure(sw, refused_key(sw))


class _Known(NamedTuple):
    """A key that we can use: what holds it, which it is, and how the profile declares it."""

    keys: Keys
    key: CardKey
    declared: Key


class _Failure(NamedTuple):
    """What went wrong when a grant was shown; ``sw`` is None when the card was not even asked."""

    sw: int | None
    text: Text


def _verify(entry: PinEntry) -> _Failure | None:
    sw = entry.verify()
    return None if sw == OK else _Failure(sw, refused_pin(sw))
