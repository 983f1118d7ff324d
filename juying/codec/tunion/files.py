"""Files 15, 16, 17 and the records of file 18, typed.

Amounts are in fen, times local to the terminal and naive. What a card does not say is None or "".
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Self

from juying.codec.tunion import layout
from juying.codec.tunion.layout import Trouble

PURSE_TYPE = 2
"""Application type of a card with a purse (EP) only, as T-Union cards have it."""
DISABLED, ENABLED, STOPPED = range(3)
"""Values of the enabled flag; STOPPED as one vendor has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicData:
    """File 15, which SELECT returns too.

    ``issuer_code`` are 16 hex digits, ``serial`` 20 digits. ``enabled_flag`` is 0 (not enabled), 1 (enabled) or 2
    (stopped).
    """

    issuer_code: str
    app_type: int | None
    enabled_flag: int | None
    serial: str = field(repr=False)
    valid_from: date | None
    valid_until: date | None
    issuer_custom: str = ""
    troubles: tuple[Trouble, ...] = ()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the file, whole or its beginning."""
        row = layout.read_row(layout.PUBLIC, raw)
        return cls(
            issuer_code=row.text("issuer_code"),
            app_type=row.number("app_type"),
            enabled_flag=row.number("enabled_flag"),
            serial=row.text("serial"),
            valid_from=row.day("valid_from"),
            valid_until=row.day("valid_until"),
            issuer_custom=row.text("issuer_custom"),
            troubles=row.troubles,
        )

    def encode(self) -> bytes:
        """The 30 bytes of the file. Raises `InputError`."""
        return layout.build_row(
            layout.PUBLIC,
            {
                "issuer_code": layout.octets(self.issuer_code),
                "app_type": self.app_type,
                "enabled_flag": self.enabled_flag,
                "serial": self.serial,
                "valid_from": self.valid_from,
                "valid_until": self.valid_until,
                "issuer_custom": layout.octets(self.issuer_custom),
            },
        )

    @property
    def card_number(self) -> str:
        """The 19 digits that are printed on cards: the serial without the 0 before it."""
        return self.serial[1:] if len(self.serial) == 20 else self.serial

    @property
    def iin(self) -> str:
        """The first 8 digits of the card number, by which white lists know cards (卡 IIN)."""
        return self.card_number[:8]

    @property
    def city_code(self) -> str:
        """The city in the issuer's code (GB/T 13497): its digits 5 to 8."""
        return self.issuer_code[4:8]


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderData:
    """File 16: who holds the card. Personal data; many cards hold nothing here."""

    card_type: int | None = None
    staff: int | None = None
    name: str = field(default="", repr=False)
    document_number: str = field(default="", repr=False)
    document_type: int | None = None
    troubles: tuple[Trouble, ...] = ()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the file, whole or its beginning."""
        row = layout.read_row(layout.HOLDER, raw)
        return cls(
            card_type=row.number("holder.card_type"),
            staff=row.number("holder.staff"),
            name=row.text("holder.name"),
            document_number=row.text("holder.document_number"),
            document_type=row.number("holder.document_type"),
            troubles=row.troubles,
        )

    def encode(self) -> bytes:
        """The 55 bytes of the file. Raises `InputError`."""
        return layout.build_row(
            layout.HOLDER,
            {
                "holder.card_type": self.card_type,
                "holder.staff": self.staff,
                "holder.name": self.name or None,
                "holder.document_number": self.document_number or None,
                "holder.document_type": self.document_type,
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Management:
    """File 17: codes of country, province and city (GB/T 13497), 互通卡种 and 卡种类型."""

    country: str
    province: str
    city_code: str
    interoperable: int | None
    kind: int | None
    reserved: str = field(default="", repr=False)
    troubles: tuple[Trouble, ...] = ()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the file, whole or its beginning; 11 bytes hold all that has a meaning."""
        row = layout.read_row(layout.MANAGEMENT, raw)
        return cls(
            country=row.text("country"),
            province=row.text("province"),
            city_code=row.text("city_code"),
            interoperable=row.number("interoperable"),
            kind=row.number("kind"),
            reserved=row.text("management_reserved"),
            troubles=row.troubles,
        )

    def encode(self) -> bytes:
        """The 60 bytes of the file. Raises `InputError`."""
        return layout.build_row(
            layout.MANAGEMENT,
            {
                "country": self.country,
                "province": self.province,
                "city_code": self.city_code,
                "interoperable": self.interoperable,
                "kind": self.kind,
                "management_reserved": layout.octets(self.reserved),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Transaction:
    """A record of file 18: what the purse did. ``type`` is 02, 03, 06, 07 or 09, see `names.TRANSACTIONS`."""

    sequence: int | None
    overdraft: int | None
    amount_fen: int | None
    type: str
    terminal: str
    date: str
    time: str
    troubles: tuple[Trouble, ...] = ()

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a record."""
        row = layout.read_row(layout.TRANSACTIONS, raw)
        return cls(
            sequence=row.number("transaction.sequence"),
            overdraft=row.number("transaction.overdraft"),
            amount_fen=row.number("transaction.amount"),
            type=row.text("transaction.type"),
            terminal=row.text("transaction.terminal"),
            date=row.text("transaction.date"),
            time=row.text("transaction.time"),
            troubles=row.troubles,
        )

    def encode(self) -> bytes:
        """The 23 bytes of the record. Raises `InputError`."""
        return layout.build_row(
            layout.TRANSACTIONS,
            {
                "transaction.sequence": self.sequence,
                "transaction.overdraft": self.overdraft,
                "transaction.amount": self.amount_fen,
                "transaction.type": layout.octets(self.type),
                "transaction.terminal": layout.octets(self.terminal),
                "transaction.date": self.date,
                "transaction.time": self.time,
            },
        )

    @property
    def at(self) -> datetime | None:
        """Date and time as one, None when they make no sense."""
        try:
            return datetime.fromisoformat(f"{self.date}T{self.time}")
        except ValueError:
            return None
