"""The contents of a trust list as JSON, which people edit, and as CBOR, which an offline root key signs.

::

    {"version": 1,
     "edition": {"number": 7, "issued_at": "2026-10-01T09:00:00+08:00", "next_update": "2027-01-05T09:00:00+08:00"},
     "keys": [{"kid": "1f0a33c2", "algorithm": "ES256", "public_key": "02…",
               "issuer": {"zh": "…", "en": "…"}, "region": "331000",
               "not_before": "2026-10-01T00:00:00+08:00", "not_after": "2026-12-31T23:59:59+08:00",
               "verify_until": "2031-12-31T23:59:59+08:00",
               "categories": ["A", "B"], "use": ["credential"], "demonstration": false}]}

``edition`` may be left out of JSON, ``verify_until``, ``categories`` and ``use`` of any key (no bound, all, all). Every
other member is required and no more are accepted. The CBOR form has the same members; kid and public key are byte
strings in it, times are seconds since 1970, and the algorithm is its COSE number.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from juying.codec import cbor
from juying.credential import strict_json
from juying.credential.claims import CHINA
from juying.credential.strict_json import members, string
from juying.credential.trusted_key import LAST, KeyUse, TrustedKey, check_times
from juying.crypto.signing import Algorithm, VerifyKey
from juying.errors import InputError, KeyUseError
from juying.model.category import PermitCategory
from juying.text import Text

MAX_FILE = 4 << 20
"""Bytes of a list: room for every city of the country and the keys of five years."""

MAX_NUMBER = 2**32 - 1

_T = TypeVar("_T")
_VERSION = 1
_TIMES = ("not_before", "not_after", "verify_until")
_REQUIRED = ("kid", "algorithm", "public_key", "issuer", "region", "not_before", "not_after", "demonstration")
_OPTIONAL = ("verify_until", "categories", "use")


@dataclass(frozen=True, slots=True)
class Edition:
    """Which issue of the list it is: a terminal that has seen a ``number`` takes no lower one.

    ``next_update`` is when a newer edition should be there. Raises InputError when the number is not 1 to
    `MAX_NUMBER`, or the times have no zone or are out of order.
    """

    number: int
    issued_at: datetime
    next_update: datetime

    def __post_init__(self) -> None:
        """Check number and times."""
        if not 1 <= self.number <= MAX_NUMBER:
            raise InputError(f"版本号须为 1 至 {MAX_NUMBER}", f"the number of an edition is 1 to {MAX_NUMBER}")
        check_times(self.issued_at, self.next_update)


class Content(NamedTuple):
    """What stands in a file."""

    keys: tuple[TrustedKey, ...]
    edition: Edition | None = None


class _Form(NamedTuple):
    """How a file writes what JSON and CBOR write differently; each function raises ValueError for a wrong value."""

    octets: Callable[[Any], bytes]
    moment: Callable[[Any], datetime]
    algorithm: Callable[[Any], Algorithm]


def read_json(data: bytes) -> Content:
    """The contents of a JSON file; raises InputError that names the place and what is wrong there."""
    return _read(strict_json.parse(data), _JSON)


def write_json(content: Content) -> bytes:
    """The contents as a JSON file."""
    document: dict[str, Any] = {"version": _VERSION}
    if content.edition is not None:
        issued_at, next_update = content.edition.issued_at.isoformat(), content.edition.next_update.isoformat()
        document["edition"] = {"number": content.edition.number, "issued_at": issued_at, "next_update": next_update}
    return strict_json.write({**document, "keys": [key.to_dict() for key in content.keys]})


def decode(payload: bytes) -> Content:
    """The contents of a signed file, of canonical CBOR; raises InputError (DecodeError) as `read_json` does."""
    return _read(cbor.decode(payload, limit=MAX_FILE), _CBOR)


def encode(content: Content) -> bytes:
    """The contents as a signed file holds them; raises InputError for a time with a fraction of a second."""
    document: dict[str, Any] = {"version": _VERSION}
    if content.edition is not None:
        issued_at, next_update = _seconds(content.edition.issued_at), _seconds(content.edition.next_update)
        document["edition"] = {"number": content.edition.number, "issued_at": issued_at, "next_update": next_update}
    return cbor.encode({**document, "keys": [_entry(key) for key in content.keys]})


def _entry(key: TrustedKey) -> dict[str, Any]:
    entry = key.to_dict()
    entry.update(kid=key.kid, algorithm=int(key.key.algorithm), public_key=key.key.public_key)
    entry.update((name, _seconds(getattr(key, name))) for name in _TIMES if name in entry)
    return entry


def _seconds(moment: datetime) -> int:
    if moment.microsecond:
        raise InputError("签名列表中的时间须为整秒", "the times in a signed list are whole seconds")
    return int(moment.timestamp())


def _exactly(kind: type, value: object) -> Any:
    if type(value) is not kind:
        raise ValueError
    return value


def _named_algorithm(value: object) -> Algorithm:
    if value not in Algorithm.__members__:
        raise ValueError
    return Algorithm[_exactly(str, value)]


def _from_seconds(value: object) -> datetime:
    seconds: int = _exactly(int, value)
    if not 0 <= seconds <= LAST.timestamp():
        raise ValueError
    return datetime.fromtimestamp(seconds, CHINA)


_JSON = _Form(
    octets=lambda value: bytes.fromhex(_exactly(str, value)),
    moment=lambda value: datetime.fromisoformat(_exactly(str, value)),
    algorithm=_named_algorithm,
)
_CBOR = _Form(
    octets=lambda value: _exactly(bytes, value),
    moment=_from_seconds,
    algorithm=lambda value: Algorithm(_exactly(int, value)),
)


def _read(document: object, form: _Form) -> Content:
    top = members(document, ("version", "keys"), optional=("edition",))
    if type(top["version"]) is not int or top["version"] != _VERSION:
        raise InputError(f"version 须为 {_VERSION}", f"version has to be {_VERSION}")
    edition = _read_edition(top["edition"], form) if "edition" in top else None
    keys = [_read_key(entry, f"keys[{index}]", form) for index, entry in enumerate(_array(top["keys"], "keys"))]
    return Content(tuple(keys), edition)


def _read_edition(value: object, form: _Form) -> Edition:
    place = "edition"
    edition = members(value, ("number", "issued_at", "next_update"), place)
    if type(edition["number"]) is not int:
        raise InputError("edition.number 须为整数", "edition.number has to be a whole number")
    issued_at, next_update = (_value(form.moment, edition, name, place) for name in ("issued_at", "next_update"))
    return _placed(place, lambda: Edition(edition["number"], issued_at, next_update))


def _read_key(value: object, place: str, form: _Form) -> TrustedKey:
    entry = members(value, _REQUIRED, place, optional=_OPTIONAL)
    issuer = members(entry["issuer"], Text._fields, f"{place}.issuer")
    names = Text(*(string(issuer[name], f"{place}.issuer.{name}") for name in Text._fields))
    if not isinstance(entry["demonstration"], bool):
        raise InputError(f"{place}.demonstration 须为 true 或 false", f"{place}.demonstration has to be true or false")
    algorithm = _value(form.algorithm, entry, "algorithm", place)
    octets = {name: _value(form.octets, entry, name, place) for name in ("kid", "public_key")}
    optional: dict[str, Any] = {name: _value(form.moment, entry, name, place) for name in _TIMES if name in entry}
    optional |= {name: _words(kind, entry[name], f"{place}.{name}") for name, kind in _SETS.items() if name in entry}
    return _placed(
        place,
        lambda: TrustedKey(
            kid=octets["kid"],
            key=VerifyKey(octets["public_key"], algorithm),
            issuer=names,
            region=string(entry["region"], "region"),
            demonstration=entry["demonstration"],
            **optional,
        ),
    )


_SETS: dict[str, type[PermitCategory] | type[KeyUse]] = {"categories": PermitCategory, "use": KeyUse}

_PROBLEMS = {
    "kid": Text("须为十六进制数", "has to be a hexadecimal number"),
    "public_key": Text("须为十六进制数", "has to be a hexadecimal number"),
    "algorithm": Text(
        f"须为 {', '.join(Algorithm.__members__)}", f"has to be one of {', '.join(Algorithm.__members__)}"
    ),
}
_WRONG_TIME = Text("须为 ISO 8601 时间", "has to be a time (ISO 8601)")


def _value(read: Callable[[Any], _T], entry: Any, name: str, place: str) -> _T:
    try:
        return read(entry[name])
    except ValueError:
        problem = _PROBLEMS.get(name, _WRONG_TIME)
        raise InputError(f"{place}.{name} {problem.zh}", f"{place}.{name} {problem.en}") from None


def _words(kind: type[PermitCategory] | type[KeyUse], value: object, place: str) -> frozenset[Any]:
    """A set of words, each once."""
    known: dict[object, Any] = {str(word): word for word in kind}
    words = _array(value, place)
    if not all(isinstance(word, str) and word in known for word in words) or len(set(words)) < len(words):
        names = ", ".join(map(str, known))
        raise InputError(f"{place} 只能用 {names}，各一次", f"{place} knows only {names}, each once")
    return frozenset(known[word] for word in words)


def _array(value: object, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{place} 须为数组", f"{place} has to be an array")
    return value


def _placed(place: str, make: Callable[[], _T]) -> _T:
    """What ``make`` makes; its errors name the place."""
    try:
        return make()
    except (InputError, KeyUseError) as error:
        at = f"{place}.{error.where}" if error.where else place
        raise InputError(f"{at}：{error.text.zh}", f"{at}: {error.text.en}") from None
