"""The transit application on a virtual card: what is put on it at the factory, and how it answers.

It stands alone (profile ``tunion``) or on the chip of another profile, whose own files it does not touch: its files
lie beside theirs in the card's memory, under ``TUNION/…``, and go with them into the card's image.
"""

from dataclasses import dataclass, field
from datetime import date

from juying.card.virtual.memory import Memory, Secret
from juying.card.virtual.purse import Purse
from juying.card.virtual.tree import Tree
from juying.codec.security import MAXIMUM_TRIES
from juying.codec.spec import Application, FileKind
from juying.codec.tunion import layout
from juying.codec.tunion.fci import Entry, build_control, build_environment
from juying.codec.tunion.files import DISABLED, ENABLED, PURSE_TYPE, HolderData, Management, PublicData
from juying.crypto.purse import KEY_NAMES, PurseKeys, demonstration_keys
from juying.errors import InputError

LABEL = "MOT_T_EP"
"""Label of the purse in the list of applications (captured)."""
_INVENTED_IIN = "3104880499"
"""Beginning of the card numbers that we make up: the IIN of Taizhou, then 99 (our choice)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitIssue:
    """What a transit application holds when it leaves the factory; amounts in fen.

    ``card_number`` has 19 digits; without one it is made up from the chip's serial. ``issuer_code`` and ``city_code``
    default to Taizhou (台州). ``overdraft_limit_fen`` is what may be spent beyond the balance, ``limit_fen`` the most
    that may be loaded. ``keys`` make the card's keys.
    """

    balance_fen: int = 0
    enabled: bool = True
    card_number: str = field(default="", repr=False)
    issuer_code: str = "02113450FFFFFFFF"
    province: str = "3300"
    city_code: str = "3450"
    interoperable: int = 1
    kind: int = 1
    valid_from: date = date(2020, 1, 1)
    valid_until: date = date(2099, 12, 31)
    overdraft_limit_fen: int = 0
    limit_fen: int = 500_000
    holder: HolderData | None = None
    keys: PurseKeys = field(default_factory=demonstration_keys)


def add_transit(memory: Memory, issue: TransitIssue) -> None:
    """Put the application's files and keys into the memory of a card. Raises `InputError` for what does not fit."""
    number = issue.card_number or f"{_INVENTED_IIN}{int.from_bytes(memory.historical[-4:]) % 10**9:09}"
    if len(number) != 19 or not (number.isascii() and number.isdigit()):
        raise InputError("交通卡卡号应为 19 位数字", "a transit card number has 19 digits", where="card_number")
    if not -issue.overdraft_limit_fen <= issue.balance_fen <= issue.limit_fen:
        raise InputError(
            f"余额应在 {-issue.overdraft_limit_fen} 与 {issue.limit_fen} 分之间",
            f"a balance lies between {-issue.overdraft_limit_fen} and {issue.limit_fen} fen",
            where="balance",
        )
    public = _public(issue, number)
    contents = {
        layout.PURSE: _purse(issue),
        layout.PUBLIC: public,
        layout.HOLDER: (issue.holder or HolderData()).encode(),
        layout.MANAGEMENT: _management(issue),
    }
    for file in _application().files:
        records = [contents[file.address]] if file.address in contents else []
        if file.kind is FileKind.LINEAR:
            records = [record.blank[:3] + bytes(record.length) for record in file.slots]
        memory.files[file.address] = [bytearray(record) for record in records]
    for name in KEY_NAMES:
        key = issue.keys.card_key(name, public[:8], public[10:20])
        memory.keys[f"{layout.APPLICATION}/{name}"] = Secret(bytearray(key), MAXIMUM_TRIES, MAXIMUM_TRIES)


def _public(issue: TransitIssue, number: str) -> bytes:
    return PublicData(
        issuer_code=issue.issuer_code,
        app_type=PURSE_TYPE,
        enabled_flag=ENABLED if issue.enabled else DISABLED,
        serial=f"0{number}",
        valid_from=issue.valid_from,
        valid_until=issue.valid_until,
    ).encode()


def _management(issue: TransitIssue) -> bytes:
    return Management(
        country="00000156",
        province=issue.province,
        city_code=issue.city_code,
        interoperable=issue.interoperable,
        kind=issue.kind,
    ).encode()


def _purse(issue: TransitIssue) -> bytes:
    return layout.build_row(
        layout.PURSE,
        {
            "purse.real": max(issue.balance_fen, 0),
            "purse.overdrawn": max(-issue.balance_fen, 0),
            "purse.limit": issue.limit_fen,
            "purse.overdraft_limit": issue.overdraft_limit_fen,
        },
    )


def _application() -> Application:
    return layout.profile().application(layout.APPLICATION)


def equip(tree: Tree, memory: Memory) -> None:
    """Bring the application in ``memory`` to life in ``tree``: list of applications, answers to SELECT, commands."""
    purse = Purse(memory)
    by_name = {directory.name: directory for directory in tree.applications}
    environment, application = by_name["PPSE"], by_name[layout.APPLICATION]
    environment.control = build_environment(layout.PPSE_AID, (Entry(layout.EP_AID, LABEL, 1),))
    application.commands = purse.commands
    inside = layout.file(layout.PURSE)
    del application.by_fid[inside.fid], application.by_sfi[inside.sfi]

    def on_select() -> None:
        purse.forget()
        application.control = build_control(layout.EP_AID, bytes(memory.files[layout.PUBLIC][0]))

    application.on_select = on_select
