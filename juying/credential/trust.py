"""The trust list: whose signatures count, and since when.

It is a JSON file that people can read and edit::

    {"version": 1,
     "keys": [{"kid": "1f0a33c2", "algorithm": "ES256", "public_key": "02…",
               "issuer": {"zh": "…", "en": "…"}, "region": "330400",
               "not_before": "2026-01-01T00:00:00+08:00", "not_after": "2026-03-31T23:59:59+08:00",
               "demonstration": false}]}

Every member is required and no other is accepted.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from juying.crypto.signing import KID_LENGTH, Algorithm, Signer, VerifyKey
from juying.errors import InputError, KeyUseError
from juying.files import write_atomically
from juying.text import Text

MAX_SAME_KID = 4  # kids are short and may collide; a verifier tries all keys of a kid, but not any number
MAX_FILE = 1 << 20

_VERSION = 1
_LIST_MEMBERS = ("version", "keys")
_KEY_MEMBERS = (
    "kid",
    "algorithm",
    "public_key",
    "issuer",
    "region",
    "not_before",
    "not_after",
    "demonstration",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """An issuer's public key and what is known about it.

    A signature counts when it was made from ``not_before`` to ``not_after``, both included and with a time zone.
    ``region`` (six digits or empty) is where the issuer sits; it is information and not checked yet.
    ``demonstration`` marks a key whose signatures mean nothing outside a trial.
    """

    kid: bytes
    key: VerifyKey
    issuer: Text
    region: str
    not_before: datetime
    not_after: datetime
    demonstration: bool = False

    def __post_init__(self) -> None:
        """Raises InputError when the kid has not four bytes or the period has no time zone or ends early."""
        if len(self.kid) != KID_LENGTH:
            raise InputError(f"kid 须为 {KID_LENGTH} 字节", f"a kid has {KID_LENGTH} bytes")
        if self.not_before.tzinfo is None or self.not_after.tzinfo is None or self.not_before > self.not_after:
            raise InputError(
                "签发期须带时区，且起不晚于止", "the signing period needs time zones and must not end before it begins"
            )

    @classmethod
    def of(
        cls,
        signer: Signer,
        *,
        issuer: Text,
        region: str,
        not_before: datetime,
        not_after: datetime,
        demonstration: bool = False,
    ) -> Self:
        """The entry for a signer's own key."""
        return cls(
            kid=signer.kid,
            key=VerifyKey(signer.public_key, signer.algorithm),
            issuer=issuer,
            region=region,
            not_before=not_before,
            not_after=not_after,
            demonstration=demonstration,
        )

    def signs_at(self, moment: datetime) -> bool:
        """True when ``moment`` lies in the signing period."""
        return self.not_before <= moment <= self.not_after

    def to_dict(self) -> dict[str, object]:
        """The entry as it stands in the file."""
        return {
            "kid": self.kid.hex(),
            "algorithm": self.key.algorithm.name,
            "public_key": self.key.public_key.hex(),
            "issuer": self.issuer._asdict(),
            "region": self.region,
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "demonstration": self.demonstration,
        }


class TrustList:
    """Trusted keys, found by kid."""

    __slots__ = ("_by_kid",)

    def __init__(self, keys: Iterable[TrustedKey] = ()) -> None:
        """Raises InputError when a key stands twice under its kid, or more than four keys share a kid."""
        self._by_kid: dict[bytes, tuple[TrustedKey, ...]] = {}
        for key in keys:
            same = (*self.keys(key.kid), key)
            if len(same) > MAX_SAME_KID or len({known.key for known in same}) < len(same):
                raise InputError(
                    f"kid {key.kid.hex()} 的密钥重复，或超过 {MAX_SAME_KID} 个",
                    f"kid {key.kid.hex()} has a key twice, or more than {MAX_SAME_KID} keys",
                )
            self._by_kid[key.kid] = same

    def keys(self, kid: bytes) -> tuple[TrustedKey, ...]:
        """All keys with this kid, at most four."""
        return self._by_kid.get(kid, ())

    def __iter__(self) -> Iterator[TrustedKey]:
        """Every key, those of one kid together."""
        for same in self._by_kid.values():
            yield from same

    def __len__(self) -> int:
        """The number of keys."""
        return sum(map(len, self._by_kid.values()))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a trust list; raises InputError that names the file, the place in it and what is wrong."""
        path = Path(path)
        try:
            return cls(_read_list(_read_json(path)))
        except InputError as error:
            raise InputError(error.text.zh, error.text.en, where=str(path)) from None

    def save(self, path: str | Path) -> None:
        """Write the list, atomically; raises InputError when that fails."""
        document = {"version": _VERSION, "keys": [key.to_dict() for key in self]}
        write_atomically(Path(path), json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n")


def _read_json(path: Path) -> object:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise InputError(
            f"信任列表读不出来（{error.strerror}）", f"the trust list cannot be read ({error.strerror})"
        ) from None
    if len(data) > MAX_FILE:
        raise InputError("信任列表超过 1 MiB", "the trust list is larger than 1 MiB")
    try:
        return json.loads(data, object_pairs_hook=_unique_members)
    except (ValueError, RecursionError) as error:
        raise InputError(f"不是有效的 JSON：{error}", f"this is no JSON: {error}") from None


def _unique_members(members: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in members]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"成员“{name}”重复", f"the member “{name}” stands twice")
    return dict(members)


def _read_list(document: object) -> list[TrustedKey]:
    members = _members(document, _LIST_MEMBERS, "")
    if members["version"] != _VERSION:
        raise InputError(f"version 须为 {_VERSION}", f"version has to be {_VERSION}")
    if not isinstance(members["keys"], list):
        raise InputError("keys 须为数组", "keys has to be an array")
    return [_read_key(entry, f"keys[{index}]") for index, entry in enumerate(members["keys"])]


def _read_key(entry: object, place: str) -> TrustedKey:
    members = _members(entry, _KEY_MEMBERS, place)
    issuer = _members(members["issuer"], Text._fields, f"{place}.issuer")
    texts = {**members, "issuer.zh": issuer["zh"], "issuer.en": issuer["en"]}
    for name in ("kid", "algorithm", "public_key", "region", "not_before", "not_after", "issuer.zh", "issuer.en"):
        if not isinstance(texts[name], str):
            raise InputError(f"{place}.{name} 须为字符串", f"{place}.{name} has to be a string")
    if not isinstance(members["demonstration"], bool):
        raise InputError(f"{place}.demonstration 须为 true 或 false", f"{place}.demonstration has to be true or false")
    if members["algorithm"] not in Algorithm.__members__:
        known = ", ".join(Algorithm.__members__)
        raise InputError(f"{place}.algorithm 须为 {known}", f"{place}.algorithm has to be one of {known}")
    try:
        return TrustedKey(
            kid=bytes.fromhex(members["kid"]),
            key=VerifyKey(bytes.fromhex(members["public_key"]), Algorithm[members["algorithm"]]),
            issuer=Text(**issuer),
            region=members["region"],
            not_before=datetime.fromisoformat(members["not_before"]),
            not_after=datetime.fromisoformat(members["not_after"]),
            demonstration=members["demonstration"],
        )
    except (InputError, KeyUseError) as error:
        raise InputError(f"{place}：{error.text.zh}", f"{place}: {error.text.en}") from None
    except ValueError:
        raise InputError(
            f"{place}：十六进制数或时间（ISO 8601）不对", f"{place}: a hexadecimal number or a time (ISO 8601) is wrong"
        ) from None


def _members(value: object, names: Iterable[str], place: str) -> Mapping[str, Any]:
    """``value`` as an object that has exactly the members ``names``."""
    names = tuple(names)
    at = f"{place}." if place else ""
    if not isinstance(value, dict):
        raise InputError(f"{place or '文件'} 须为 JSON 对象", f"{place or 'the file'} has to be a JSON object")
    for name in value:
        if name not in names:
            nearest = get_close_matches(name, names, n=1, cutoff=0.0)[0]
            raise InputError(
                f"{at}{name}：未知成员，最接近的是 {nearest}", f"{at}{name}: unknown member, the nearest is {nearest}"
            )
    for name in names:
        if name not in value:
            raise InputError(f"缺少成员 {at}{name}", f"the member {at}{name} is missing")
    return value
