"""The HSM steps: a back end computes what a PSAM would, and strings go to and fro (…_HSM_Step1, 2, 3).

Each function is a generator: it yields what a step answers and is sent what the next step brings. So the card stays
as it is between two steps. Texts as observed; where nothing is published it says so.

================ =================================================================================================
read basic data  region ``|`` historical bytes ``|`` algorithm ``|`` identifier ``|`` internal factor ``|`` internal
                 original ``|`` external factor ``|`` external original ``|`` terminal number ``|``
read, write      algorithm ``|`` key address ``|`` factor ``|`` original ``|``
reload, unblock  first as read (with UKSSSE: our choice), then algorithm ``|`` key address ``|`` challenge ``|``
                 84D4 or 8424 ``|`` and for 84D4 the new PIN ``|``
debit            algorithm ``|`` key address ``|`` random ``|`` number ``|`` amounts ``|`` type ``|`` terminal ``|``
                 date and time ``|`` (what stands in fields 5 to 7 is inferred)
================ =================================================================================================
"""

import hmac
import re
from collections.abc import Callable, Generator, Iterable, Sequence

from juying.card.administration import UNBLOCK_PIN, WRITE_KEY
from juying.card.apdu import Command
from juying.card.debit import TYPE, bcd_moment
from juying.card.pin import Ask
from juying.card.secure_messaging import INITIAL_LENGTH, MAC_LENGTH, get_challenge
from juying.card.session import IDENTIFIER_FILE
from juying.card.status import OK, meaning
from juying.codec.rules import KEY, PIN, AccessRule, access_rule
from juying.codec.spec import Key, KeyKind
from juying.terminal.addresses import ENVIRONMENT, FileAddress, parse_values
from juying.terminal.basic import BasicData, hidden_rules
from juying.terminal.card import TerminalCard
from juying.terminal.codes import CallError, Code, refused
from juying.terminal.pins import asked_pin
from juying.terminal.places import Place, Shape, writings
from juying.terminal.transactions import PURCHASE_PLACE, Payment, begin, finish
from juying.text import Text

Talk = Generator[str, tuple[str, ...], str]
"""One function in steps: yields texts, is sent the arguments of the next step, returns the last text."""
ANSWER_LENGTH = 16
_HEX = re.compile("(?:[0-9A-Fa-f]{2})+")
_CLASS, _PIN_ID = 0x84, 0x01


def algorithm(card: TerminalCard) -> str:
    """01 for 3DES, 03 for SM4."""
    return f"{card.cipher.code:02X}"


def key_address(key: Key) -> str:
    """密钥地址, 6 hex digits. Raises `CallError` -13 for a key of which no address is known."""
    if key.hsm_address is None or key.psam_id is None:
        zh, en = f"没有密钥 {key.name} 在加密机中的地址", f"the address of the key {key.name} in an HSM is not known"
        raise CallError(Code.UNSUPPORTED, Text(zh, en))
    return f"{_hex(key.hsm_address)}{key.psam_id:02X}"


def read_basic(card: TerminalCard, basic: BasicData, random: Callable[[int], bytes]) -> Talk:
    """iReadCardBas_HSM: the back end finds the card genuine and, where the card wants it, opens it."""
    identifier = card.identifier()
    rules = hidden_rules(card.profile)
    key = _one_key(card, ENVIRONMENT, rules)[0] if rules else None
    internal, original = random(8), random(8)
    external = card.challenges() if key is not None else (b"", b"")
    parts = [identifier[:6], _hex(card.historical), algorithm(card), identifier]
    parts += [_hex(part) for part in (internal, original, *reversed(external))]
    if basic.terminal_number:
        parts.append(basic.terminal_number)
    (answer,) = yield _joined(parts)
    proof, _, opening = answer.removesuffix("|").partition("|")
    if key is not None and opening:  # before anything else: the challenge serves the next command only
        card.authenticate_with(key, parse_key(opening, ANSWER_LENGTH))
    expected = card.answer_to(internal + original)
    if not hmac.compare_digest(parse_key(proof, len(expected), ANSWER_LENGTH)[: len(expected)], expected):
        raise CallError(Code.NOT_GENUINE)
    return basic.read(card, may_hide=not opening)


def read_files(
    card: TerminalCard, addresses: Sequence[FileAddress], places: Sequence[Sequence[Place]], shape: Shape
) -> Talk:
    """iReadCard_HSM: files of one application that one key opens."""
    key = _enter(card, places, [place.read_rule for parts in places for place in parts])
    (answer,) = yield _challenge(card, key)
    card.authenticate_with(key, parse_key(answer, ANSWER_LENGTH))
    return shape(addresses, [card.read_places(parts) for parts in places])


def write_files(card: TerminalCard, addresses: tuple[FileAddress, ...], places: Sequence[Sequence[Place]]) -> Talk:
    """iWriteCard_HSM: files of one application that one key opens; all values are checked before the first write."""
    key = _enter(card, places, [place.write_access for parts in places for place in parts])
    answer, data = yield _challenge(card, key)
    todo = writings(places, parse_values(data, addresses))
    card.authenticate_with(key, parse_key(answer, ANSWER_LENGTH))
    card.write_all(todo)
    return ""


def reload_pin(card: TerminalCard, new: Ask | None) -> Talk:
    """iReloadPIN_HSM: three steps; the new PIN goes to the back end, as terminals in the field do it."""
    yield from _open_for_office(card)
    pin = asked_pin(new, card.profile.security.pin_digits)
    yield from _office(card, KeyKind.PIN_RELOAD, WRITE_KEY, f"{pin}|")
    return ""


def unblock_pin(card: TerminalCard) -> Talk:
    """iUnblockPIN_HSM: three steps."""
    yield from _open_for_office(card)
    yield from _office(card, KeyKind.PIN_UNBLOCK, UNBLOCK_PIN, "")
    return ""


def debit(card: TerminalCard, payment: Payment, terminal_number: str) -> Talk:
    """iDoDebit_HSM: the back end makes MAC1; only it could check MAC2 (see `juying.card.debit`)."""
    key = card.key_of(PURCHASE_PLACE, KeyKind.PURCHASE)
    address = key_address(key)
    deal = begin(card, payment, terminal_number)
    number, when = f"{deal.number:04X}", _hex(bcd_moment(payment.moment))
    fields = (_hex(deal.random), number, _hex(deal.amount_bytes), _hex(TYPE), _hex(deal.terminal), when)
    (answer,) = yield _joined((algorithm(card), address, *fields))
    parts = answer.removesuffix("|").split("|")
    if len(parts) != 3 or parts[:2] != [f"0000{number}", when]:
        raise CallError(Code.PARAMETER, Text("应为“0000序号|时间|MAC|”", "0000number|time|MAC| is needed"))
    return finish(card, deal, parse_key(parts[2], MAC_LENGTH)).told(card.profile)


def parse_key(text: str, *lengths: int) -> bytes:
    """The bytes of a pKey, with or without its ``|``. Raises `CallError` -14 for another length or other digits."""
    digits = text.removesuffix("|")
    if not _HEX.fullmatch(digits) or len(digits) // 2 not in lengths:
        raise CallError(Code.PARAMETER, Text("pKey 格式错误", "pKey is malformed"))
    return bytes.fromhex(digits)


def _challenge(card: TerminalCard, key: Key) -> str:
    address = key_address(key)
    original, factor = card.challenges()
    return _joined((algorithm(card), address, _hex(factor), _hex(original)))


def _enter(card: TerminalCard, places: Sequence[Sequence[Place]], rules: Iterable[AccessRule]) -> Key:
    """Select the files' application, verify the PIN if it takes one too, and say which key opens them."""
    files = [parts[0].file for parts in places]
    if any(file.application != files[0].application for file in files):
        raise CallError(Code.PARAMETER, Text("一次只能读写一个应用的文件", "files of one application at a time"))
    key, with_pin = _one_key(card, files[0].application, rules)
    key_address(key)
    card.select(files[0])
    if with_pin:
        card.show_pin()
    return key


def _one_key(card: TerminalCard, application: str, rules: Iterable[AccessRule]) -> tuple[Key, bool]:
    """The one key that opens all of it, and whether the PIN is wanted as well."""
    names: dict[str, None] = {}
    with_pin = False
    for rule in rules:
        if frozenset() in rule.alternatives:
            continue
        grants = next((grants for grants in rule.alternatives if any(name.startswith(KEY) for name in grants)), None)
        if grants is None:
            raise CallError(Code.UNSUPPORTED, Text("不能用加密机的密钥读写", "no key of an HSM opens it"))
        names |= {name.removeprefix(KEY): None for name in grants if name.startswith(KEY)}
        with_pin = with_pin or PIN in grants
    if not names:
        raise CallError(Code.NO_HSM_NEEDED)
    if len(names) > 1:
        raise CallError(Code.PARAMETER, Text("一次只能使用一个密钥", "one key at a time"))
    declared = {key.name: key for key in card.profile.application(application).keys}
    return declared[next(iter(names))], with_pin


def _open_for_office(card: TerminalCard) -> Generator[str, tuple[str, ...], None]:
    """Step 1 and the beginning of step 2: the back end shows that it may change the holder's data."""
    file = card.profile.file(IDENTIFIER_FILE)
    key, _ = _one_key(card, ENVIRONMENT, [access_rule(file.write)])
    card.select(file)
    (answer,) = yield _challenge(card, key)
    card.authenticate_with(key, parse_key(answer, ANSWER_LENGTH))


def _office(card: TerminalCard, kind: KeyKind, instruction: int, tail: str) -> Generator[str, tuple[str, ...], None]:
    """The end of step 2, and step 3: the back end makes the whole command, MAC included."""
    address = key_address(card.key_of(ENVIRONMENT, kind))
    challenge = card.channel.send(get_challenge(INITIAL_LENGTH[card.cipher]), step="GET CHALLENGE")
    header = f"{_CLASS:02X}{instruction:02X}"
    (answer,) = yield _joined((algorithm(card), address, _hex(challenge), header)) + tail
    ciphered = card.cipher.block if instruction == WRITE_KEY else 0
    raw = parse_key(answer, 5 + ciphered + MAC_LENGTH)
    if raw[:5] != bytes((_CLASS, instruction, 0x00, _PIN_ID, len(raw) - 5)):
        raise CallError(Code.PARAMETER, Text(f"应为 {header} 命令", f"a command {header} is needed"))
    sw = card.channel.transmit(Command(raw[0], raw[1], raw[2], raw[3], raw[5:])).sw
    if sw != OK:
        raise refused(sw, meaning(sw))


def _joined(parts: Iterable[str]) -> str:
    return "".join(f"{part}|" for part in parts)


def _hex(data: bytes) -> str:
    return data.hex().upper()
