"""The terminal interface: the functions of the standard's library (接口动态库), for this machine's readers.

`Terminal.call` takes a function's name and its arguments as text and gives return code and text, as
`juying.terminal.bridge.Bridge` wants it; every function is a method as well, which returns the text and raises. What
strings look like is told in `addresses`, `answers`, `steps` and `transactions`, codes in `codes`.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple, Self

from juying.card import administration
from juying.card.access import Access
from juying.card.pin import Ask, PinSource
from juying.codec.rules import PIN
from juying.codec.spec import Profile
from juying.crypto.keys import Keys
from juying.errors import AccessRefused, InputError, JuyingError
from juying.terminal import steps, transactions
from juying.terminal.addresses import ENVIRONMENT, parse_addresses, parse_card_info, parse_values
from juying.terminal.basic import BasicData, hidden_rules
from juying.terminal.card import NOTHING, Mode, TerminalCard, needed
from juying.terminal.codes import CallError, Code, code_of, message_of
from juying.terminal.conversation import Conversation
from juying.terminal.pins import asked_pin, pin_failure, pin_input
from juying.terminal.places import Place, all_places, told_files, told_values, writings
from juying.terminal.slots import Module, Slots
from juying.text import Text

TERMINAL_DIGITS, DEVICE_DIGITS = 12, 20
_BASIC, _READ, _WRITE = "iReadCardBas", "iReadCard", "iWriteCard"
_RELOAD, _UNBLOCK, _DEBIT = "iReloadPIN", "iUnblockPIN", "iDoDebit"


class Terminal:
    """A terminal: its readers, its keys, its PIN pad, its numbers. Not to be used by two threads at once."""

    def __init__(
        self,
        slots: Slots,
        *,
        module: Module | None = None,
        pin: PinSource | None = None,
        new_pin: Ask | None = None,
        terminal_number: str = "",
        device_number: str = "",
        profile: Profile | None = None,
        values_only: bool = False,
        back_end: bool = False,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """Set the terminal up.

        ``module`` holds the keys, see `juying.terminal.slots`. ``pin`` is how the holder's PIN is entered, ``new_pin``
        asks for a new one where the card's reader does not. ``terminal_number`` (终端机编号, 12 digits) is that of the
        PSAM if there is one, ``device_number`` (终端设备号) has 20 digits. ``profile`` is needed where cards do not
        tell theirs. ``values_only`` answers iReadCard as one province has it. ``back_end`` says that callers have an
        HSM: a card that needs a key we lack is then refused with -2201 instead of shown in part. Raises `InputError`.
        """
        for number, digits in ((terminal_number, TERMINAL_DIGITS), (device_number, DEVICE_DIGITS)):
            if number and (len(number) != digits or not (number.isascii() and number.isdigit())):
                raise InputError(
                    f"终端机编号为 {TERMINAL_DIGITS} 位数字，终端设备号为 {DEVICE_DIGITS} 位数字",
                    f"a terminal number has {TERMINAL_DIGITS} digits and a device number {DEVICE_DIGITS}",
                )
        self._slots = slots
        self._module = module
        self._pin = pin
        self._new_pin = new_pin
        self._terminal_number = terminal_number
        self._device_number = device_number
        self._profile = profile
        self._shape = told_values if values_only else told_files
        self._back_end = back_end
        self._conversation = Conversation(clock)
        self._random = random

    def __enter__(self) -> Self:
        """The terminal itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of card and PSAM."""
        self.close()

    def close(self) -> None:
        """Let go of card and PSAM."""
        self._conversation.end()
        if self._module is not None:
            self._module.close()

    def call(self, name: str, arguments: Sequence[str]) -> tuple[int, str]:
        """Carry out a function by its name; return code and text for pOutInfo. Errors of juying are codes here."""
        function = FUNCTIONS.get(name)
        try:
            if function is None:
                raise CallError(Code.UNSUPPORTED)
            return int(Code.OK), function.run(self, *function.parse(arguments))
        except JuyingError as error:
            return int(code_of(error)), message_of(error)

    # Reading and writing -----------------------------------------------------------------------------

    def read_card_bas(self, kind: int) -> str:
        """iReadCardBas: the eleven fields. Fields 2, 3 and 5 of a card that wants a key are empty without a module."""
        with self._card(kind) as card:
            closed = bool(hidden_rules(card.profile))
            try:
                keys = self._keys()
            except CallError:
                if closed:
                    raise
                keys = None
            if closed and keys is None and self._back_end:
                raise CallError(Code.NO_PSAM)
            card.offer(keys, None)
            if keys is not None and card.authenticate() is False:
                raise CallError(Code.NOT_GENUINE)
            return self._basic(keys).read(card, may_hide=keys is None)

    def read_card(self, kind: int, auth: int, info: str, address: str) -> str:
        """iReadCard: the values of any files, with PIN (``auth`` 1) or key (2) where both would do."""
        mode = _mode(auth)
        addresses = parse_addresses(address)
        with self._checked(kind, info) as card:
            places = all_places(card.profile, addresses)
            return self._shape(addresses, [self._read(card, parts, mode) for parts in places])

    def _read(self, card: TerminalCard, places: Sequence[Place], mode: Mode) -> list[str]:
        wanted = needed((place.read_rule for place in places), mode)
        keys = self._keys_needed() if wanted - {PIN} else None
        card.offer(keys, self._pin if PIN in wanted else None)
        if PIN in wanted:
            card.select(places[0].file)
            card.show_pin()
        return card.read_places(places)

    def write_card(self, kind: int, info: str, address: str, data: str) -> str:
        """iWriteCard: any number of files; everything is checked before the first byte is written."""
        addresses = parse_addresses(address)
        values = parse_values(data, addresses)
        with self._checked(kind, info) as card:
            todo = writings(all_places(card.profile, addresses), values)
            card.offer(self._keys_needed(), None)
            card.check_may_write(todo)
            card.write_all(todo)
            return ""

    # The holder's PIN --------------------------------------------------------------------------------

    def verify_pin(self, kind: int) -> str:
        """iVerifyPIN: what is proved holds for this call only; other functions ask for the PIN themselves."""
        with self._card(kind) as card:
            card.offer(None, self._pin)
            card.show_pin()
            return ""

    def change_pin(self, kind: int) -> str:
        """iChangePIN: the holder enters old and new PIN."""
        with self._card(kind) as card:
            card.offer(None, self._pin)
            digits = card.profile.security.pin_digits
            try:
                card.change_pin(lambda: asked_pin(self._new_pin, digits))
            except AccessRefused as error:
                raise pin_failure(error, changing=True) from None
            except InputError as error:
                raise pin_input(error) from None
            return ""

    def reload_pin(self, kind: int, info: str) -> str:
        """iReloadPIN: a new PIN, whatever became of the old one."""
        with self._checked(kind, info) as card:
            self._for_office(card)
            pin = asked_pin(self._new_pin, card.profile.security.pin_digits)
            with _explained(card):
                administration.reload_pin(card, pin)
            return ""

    def unblock_pin(self, kind: int, info: str) -> str:
        """iUnblockPIN: all tries back; the PIN stays."""
        with self._checked(kind, info) as card:
            self._for_office(card)
            with _explained(card):
                administration.unblock_pin(card)
            return ""

    # Debit -------------------------------------------------------------------------------------------

    def read_debit_record(self, kind: int) -> str:
        """iReadDebitRecord: all transactions, newest first, with the holder's PIN."""
        with self._card(kind) as card:
            card.offer(None, self._pin)
            return transactions.read_records(card)

    def do_debit(self, kind: int, info: str, pay: str) -> str:
        """iDoDebit: note a payment on the card, with the holder's PIN. How it is done is ours: `juying.card.debit`."""
        payment = transactions.parse_payment(pay)
        with self._checked(kind, info) as card:
            keys = self._keys_needed()
            card.offer(keys, self._pin)
            return transactions.debit(card, payment, self._basic(keys).terminal_number, keys)

    # Steps -------------------------------------------------------------------------------------------

    def read_card_bas_step1(self, kind: int) -> str:
        """iReadCardBas_HSM_Step1."""
        card = self._open(kind)
        return self._begin(_BASIC, card, steps.read_basic(card, self._basic(self._keys_or_none()), self._random))

    def read_card_step1(self, kind: int, info: str, address: str) -> str:
        """iReadCard_HSM_Step1: files of one application that one key opens."""
        addresses = parse_addresses(address)
        card = self._open(kind, info)

        def talk() -> steps.Talk:
            places = all_places(card.profile, addresses)
            return (yield from steps.read_files(card, addresses, places, self._shape))

        return self._begin(_READ, card, talk())

    def write_card_step1(self, kind: int, info: str, address: str) -> str:
        """iWriteCard_HSM_Step1: files of one application that one key opens."""
        addresses = parse_addresses(address)
        card = self._open(kind, info)

        def talk() -> steps.Talk:
            places = all_places(card.profile, addresses)
            return (yield from steps.write_files(card, addresses, places))

        return self._begin(_WRITE, card, talk())

    def reload_pin_step1(self, kind: int, info: str) -> str:
        """iReloadPIN_HSM_Step1."""
        card = self._open(kind, info)
        return self._begin(_RELOAD, card, steps.reload_pin(card, self._new_pin))

    def unblock_pin_step1(self, kind: int, info: str) -> str:
        """iUnblockPIN_HSM_Step1."""
        card = self._open(kind, info)
        return self._begin(_UNBLOCK, card, steps.unblock_pin(card))

    def do_debit_step1(self, kind: int, info: str, pay: str) -> str:
        """iDoDebit_HSM_Step1."""
        payment = transactions.parse_payment(pay)
        card = self._open(kind, info)
        number = self._basic(self._keys_or_none()).terminal_number
        return self._begin(_DEBIT, card, steps.debit(card, payment, number))

    def next_step(self, function: str, step: int, *arguments: str) -> str:
        """Step 2 or 3 of ``function``: the back end's answer in, the next text out."""
        return self._conversation.go_on(function, step, arguments)

    def _begin(self, name: str, card: TerminalCard, talk: steps.Talk) -> str:
        card.offer(None, self._pin)
        return self._conversation.begin(name, card, talk)

    # What the functions have in common ---------------------------------------------------------------

    def _open(self, kind: int, info: str = "") -> TerminalCard:
        """The card that iType names, if it is the one that the caller means; nothing is shown to it yet."""
        wanted = parse_card_info(info)
        self._conversation.end()
        transport = self._slots.open(kind)
        try:
            card = TerminalCard.open(transport, self._profile, Access(keys=NOTHING))
            card.check(wanted)
        except BaseException:
            transport.close()
            raise
        return card

    @contextmanager
    def _checked(self, kind: int, info: str) -> Iterator[TerminalCard]:
        card = self._open(kind, info)
        try:
            yield card
        finally:
            card.channel.close()

    @contextmanager
    def _card(self, kind: int) -> Iterator[TerminalCard]:
        with self._checked(kind, "") as card:
            yield card

    def _keys(self) -> Keys | None:
        return self._module.keys() if self._module is not None else None

    def _keys_or_none(self) -> Keys | None:
        """The keys for the sake of the terminal's number; without a PSAM the one that was set up counts."""
        try:
            return self._keys()
        except CallError:
            return None

    def _keys_needed(self) -> Keys:
        keys = self._keys()
        if keys is None:
            raise CallError(Code.NO_PSAM)
        return keys

    def _for_office(self, card: TerminalCard) -> None:
        card.offer(self._keys_needed(), None)

    def _basic(self, keys: Keys | None) -> BasicData:
        number = getattr(keys, "terminal_number", self._terminal_number)
        return BasicData(number, self._device_number)


@contextmanager
def _explained(card: TerminalCard) -> Iterator[None]:
    """Tell a refusal by its key, as terminals do."""
    try:
        yield
    except AccessRefused as error:
        raise card.why(error, ENVIRONMENT) from None


def _mode(auth: int) -> Mode:
    try:
        return Mode(auth)
    except ValueError:
        raise CallError(Code.PARAMETER, Text("iAuthType 应为 1 或 2", "iAuthType is 1 or 2")) from None


class Function(NamedTuple):
    """How a function is called: its parameters, ``i`` for int and ``t`` for text, without pOutInfo."""

    parameters: str
    run: Callable[..., str]

    def parse(self, arguments: Sequence[str]) -> list[int | str]:
        """The arguments in their types. Raises `CallError` -14."""
        if len(arguments) != len(self.parameters):
            zh, en = f"应有 {len(self.parameters)} 个参数", f"{len(self.parameters)} arguments are needed"
            raise CallError(Code.PARAMETER, Text(zh, en))
        return [
            _integer(argument) if kind == "i" else argument
            for kind, argument in zip(self.parameters, arguments, strict=True)
        ]


def _integer(text: str) -> int:
    if len(text) > 11 or not text.removeprefix("-").isdecimal():
        raise CallError(Code.PARAMETER, Text("应为整数", "a whole number is needed"))
    return int(text)


def _step(function: str, step: int, parameters: str = "t") -> Function:
    return Function(parameters, lambda terminal, *texts: terminal.next_step(function, step, *texts))


FUNCTIONS: Final[Mapping[str, Function]] = {
    _BASIC: Function("i", Terminal.read_card_bas),
    "iReadCardBas_HSM_Step1": Function("i", Terminal.read_card_bas_step1),
    "iReadCardBas_HSM_Step2": _step(_BASIC, 2),
    _READ: Function("iitt", Terminal.read_card),
    "iReadCard_HSM_Step1": Function("itt", Terminal.read_card_step1),
    "iReadCard_HSM_Step2": _step(_READ, 2),
    _WRITE: Function("ittt", Terminal.write_card),
    "iWriteCard_HSM_Step1": Function("itt", Terminal.write_card_step1),
    "iWriteCard_HSM_Step2": _step(_WRITE, 2, "tt"),
    "iVerifyPIN": Function("i", Terminal.verify_pin),
    "iChangePIN": Function("i", Terminal.change_pin),
    _RELOAD: Function("it", Terminal.reload_pin),
    "iReloadPIN_HSM_Step1": Function("it", Terminal.reload_pin_step1),
    "iReloadPIN_HSM_Step2": _step(_RELOAD, 2),
    "iReloadPIN_HSM_Step3": _step(_RELOAD, 3),
    _UNBLOCK: Function("it", Terminal.unblock_pin),
    "iUnblockPIN_HSM_Step1": Function("it", Terminal.unblock_pin_step1),
    "iUnblockPIN_HSM_Step2": _step(_UNBLOCK, 2),
    "iUnblockPIN_HSM_Step3": _step(_UNBLOCK, 3),
    "iReadDebitRecord": Function("i", Terminal.read_debit_record),
    _DEBIT: Function("itt", Terminal.do_debit),
    "iDoDebit_HSM_Step1": Function("itt", Terminal.do_debit_step1),
    "iDoDebit_HSM_Step2": _step(_DEBIT, 2),
}
"""Every function, by the name that the standard gives it."""
