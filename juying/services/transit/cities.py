"""City codes of transit cards (GB/T 13497-1992), with the public lists that each name comes from.

The same four digits end an issuer's code, stand in file 17, and in every trip. There is no official list in public; the
names here are facts found in several programs, and each city says in which.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources

from juying.errors import InputError
from juying.text import Text


class Source(Enum):
    """A public list of city codes; its value is how ``cities.csv`` calls it."""

    TU_READER = "tur"
    STANDARD = "tum"
    UNIONPAY = "nfsee"

    @property
    def title(self) -> Text:
        """The list for people."""
        return _TITLES[self]


_TITLES = {
    Source.TU_READER: Text(
        "TU-Reader 城市列表（github.com/HaoTian22/TU-Reader，MIT）",
        "city list of TU-Reader (github.com/HaoTian22/TU-Reader, MIT)",
    ),
    Source.STANDARD: Text(
        "GB/T 13497-1992 代码表，见于 T-Union Master（github.com/SocialSisterYi/T-Union_Master，仅取事实）",
        "table of GB/T 13497-1992 as in T-Union Master (github.com/SocialSisterYi/T-Union_Master, facts only)",
    ),
    Source.UNIONPAY: Text(
        "银联地区代码，见于 nfsee（github.com/nfcim/nfsee，MIT）",
        "area codes of UnionPay as in nfsee (github.com/nfcim/nfsee, MIT)",
    ),
}


@dataclass(frozen=True, slots=True)
class City:
    """A city: four digits, its name in both languages, its province in English, and which lists name it so."""

    code: str
    name: Text
    province: str
    sources: tuple[Source, ...]


@cache
def cities() -> Mapping[str, City]:
    """All cities that are known, by code, in the order of the codes."""
    table = resources.files("juying.services.transit").joinpath("cities.csv").read_text("utf-8")
    return {
        row["code"]: City(
            code=row["code"],
            name=Text(row["zh"], row["en"]),
            province=row["province"],
            sources=tuple(map(Source, row["sources"].split())),
        )
        for row in csv.DictReader(table.splitlines())
    }


def find_cities(words: str) -> tuple[City, ...]:
    """The cities whose code begins with ``words``, or whose name or province holds them, in any case of letters.

    Raises `InputError` when there is none, or nothing was asked for.
    """
    wanted = words.strip().casefold()
    found = tuple(
        city
        for city in cities().values()
        if wanted
        and (
            city.code.startswith(wanted)
            or wanted in city.name.zh
            or wanted in city.name.en.casefold()
            or wanted == city.province.casefold()
        )
    )
    if not found:
        raise InputError(
            "没有这样的城市：请用代码、名称或英文省名",
            "no such city; give a code, a name, or a province in English",
        )
    return found
