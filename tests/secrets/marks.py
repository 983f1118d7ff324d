"""Values that must not come out, and every form in which one might.

A `Mark` is made anew for each run, so that what is found is no accident of the tests. It is looked for as text and as
bytes, and those in hexadecimal, base64, base45, as decimals and as Python shows bytes, with and without what somebody
may have put between.
"""

import base64
import functools
import json
import random
import re
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from urllib.parse import quote

from juying.codec import base45
from juying.model.numbers import card_number

HAN = "旸堃翀霂珺翊昶骎翾沄祎劢玥琰邈骁犇淼焱垚"
"""Characters of GBK that names have, and the software's own sentences do not."""


class Kind(StrEnum):
    """Whose a value is, or what for."""

    PERSON = "person"
    CARD_NUMBER = "card number"
    PERMIT = "permit number"
    PIN = "PIN"
    PHRASE = "pass phrase or password"
    KEY = "key"
    TOKEN = "token"


@dataclass(frozen=True)
class Mark:
    """One value; ``text`` or ``raw`` is it, ``title`` says what it is without saying it."""

    kind: Kind
    title: str
    text: str = field(default="", repr=False)
    raw: bytes = field(default=b"", repr=False)

    @functools.cached_property
    def bytes_forms(self) -> frozenset[bytes]:
        """The value in bytes: as it is, in UTF-8, UTF-16 and GBK, and digits as BCD."""
        if self.raw:
            return frozenset({self.raw})
        forms = {self.text.encode(), self.text.encode("gb18030"), self.text.encode("utf-16-le")}
        if self.text.isdecimal():
            forms.add(self.bcd)
        return frozenset(forms)

    @property
    def bcd(self) -> bytes:
        """Digits, two to a byte."""
        return bytes.fromhex(self.text + "F" * (len(self.text) % 2))

    @functools.cached_property
    def exact(self) -> frozenset[str]:
        """What is looked for letter by letter."""
        forms = {self.text, quote(self.text), json.dumps(self.text)[1:-1]} - {""}
        for raw in self.bytes_forms:
            forms |= {*_base64(raw), *_base45(raw), ", ".join(map(str, raw))}
            shown = repr(raw)[2:-1]
            if "\\x" in shown:
                forms.add(shown)
        return frozenset(form for form in forms if len(form) > 7 or not form.isascii() or form == self.text)

    @functools.cached_property
    def squeezed(self) -> frozenset[str]:
        """What is looked for in text from which everything but letters and digits was taken."""
        return frozenset(
            form
            for form in {squeeze(self.text), *(raw.hex() for raw in self.bytes_forms)}
            if len(form) > (7 if form.isascii() else 2)
        )

    @property
    def short(self) -> bool:
        """Whether it is so short that it is looked for by itself only, and not inside of something."""
        return self.kind is Kind.PIN

    def is_in(self, text: str, squeezed: str) -> bool:
        """Whether ``text`` shows it; ``squeezed`` is the same text squeezed."""
        if self.short:
            return re.search(rf"(?<![0-9A-Za-z]){self.text}(?![0-9A-Za-z])", text) is not None or any(
                self.bcd in run for run in hex_runs(text)
            )
        return any(form in text for form in self.exact) or any(form in squeezed for form in self.squeezed)


def squeeze(text: str) -> str:
    """Letters and digits, small."""
    return re.sub(r"[\W_]+", "", text).lower()


def hex_runs(text: str) -> Iterator[bytes]:
    """The bytes of everything that may be hexadecimal: PINs are in commands, not before the fourth byte."""
    for run in re.findall(r"(?:[0-9A-Fa-f]{2}){8,}|(?:[0-9A-Fa-f]{2} ){8,}", text):
        yield bytes.fromhex(run)[4:]


def _base64(raw: bytes) -> Iterator[str]:
    """What is the same wherever the bytes stand among others."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + raw + bytes(3)).decode()
        core = whole[before + bool(before) : (before + len(raw)) * 4 // 3]
        if len(core) > 7:
            yield core
            yield core.translate(str.maketrans("+/", "-_"))


def _base45(raw: bytes) -> Iterator[str]:
    for before in range(2):
        pairs = raw[before : before + (len(raw) - before) // 2 * 2]
        if len(pairs) > 5:
            yield base45.encode(pairs)


def found(marks: Iterable[Mark], text: str) -> list[Mark]:
    """The marks that ``text`` shows."""
    squeezed = squeeze(text)
    return [mark for mark in marks if mark.is_in(text, squeezed)]


def found_in_bytes(marks: Sequence[Mark], data: bytes) -> list[Mark]:
    """The marks that these bytes hold, in whatever form."""
    plain = [mark for mark in marks if not mark.short and any(form in data for form in mark.bytes_forms)]
    return list(dict.fromkeys([*plain, *found(marks, data.decode("utf-8", "replace"))]))


@dataclass(frozen=True)
class Person:
    """An invented applicant nobody would come upon by chance."""

    row: dict[str, object] = field(repr=False)

    @property
    def marks(self) -> list[Mark]:
        """Everything personal about the applicant; of a name every word counts."""
        texts = {name: str(value) for name, value in self.row.items() if name in PERSONAL}
        names = texts.pop("name").split()
        born = texts.pop("birth_date")
        marks = [Mark(Kind.PERMIT, "permit_number", text=texts.pop("permit_number"))]
        marks += [Mark(Kind.PERSON, name, text=value) for name, value in texts.items()]
        marks += [Mark(Kind.PERSON, "name", text=word) for word in names]
        marks += [Mark(Kind.PERSON, "birth_date", text=form) for form in (born, born.replace("-", ""))]
        marks.append(Mark(Kind.PERSON, "social_security_number", text=f"DEU000{texts['document_number']:0>12}"[:18]))
        return [*marks, Mark(Kind.CARD_NUMBER, "card_number", text=str(self.row["card_number"]))]


PERSONAL = (
    "name", "chinese_name", "birth_date", "document_number", "phone", "email", "address", "permit_number",
    "employer_name", "position",
)  # fmt: skip


class Maker:
    """Makes values; the same ``seed`` makes the same."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def letters(self, count: int) -> str:
        return "".join(self.random.choices(string.ascii_uppercase, k=count))

    def digits(self, count: int) -> str:
        return self.random.choice("3456789") + "".join(self.random.choices(string.digits, k=count - 1))

    def han(self, count: int) -> str:
        return "".join(self.random.choices(HAN, k=count))

    def pin(self) -> str:
        """Six digits that are no date and no sequence."""
        while len(set(digits := self.digits(6))) < 5:
            pass
        return digits

    def phrase(self) -> str:
        return f"{self.letters(6)} {self.han(4)} {self.letters(8).lower()}"

    def person(self, **changes: object) -> Person:
        born = date(1950, 1, 1) + timedelta(days=self.random.randrange(15000))
        row: dict[str, object] = {
            "name": f"{self.letters(9)} {self.letters(8)}",
            "chinese_name": self.han(4),
            "nationality": "DEU",
            "sex": "1",
            "birth_date": born.isoformat(),
            "document_number": f"C{self.digits(8)}",
            "phone": f"1{self.digits(10)}",
            "email": f"{self.letters(9).lower()}@example.org",
            "address": f"{self.han(7)}",
            "address_region": "331002",
            "permit_number": f"ZJ{self.digits(8)}",
            "category": "A",
            "employer_name": f"{self.han(8)}",
            "employer_code": "123310020000DDD18Q",
            "position": f"{self.han(5)}",
            "valid_from": "2025-01-01",
            "valid_until": "2099-12-31",
            "authority": "台州市示范签发机关（样本）",
            "region": "331002",
            "card_number": card_number(f"QZ{self.digits(6)}"),
        }
        return Person({**row, **changes})


def short_of(marks: Sequence[Mark]) -> str:
    """Titles, for messages: the values do not come out here either."""
    return ", ".join(sorted({f"{mark.title} ({mark.kind.value})" for mark in marks}))
