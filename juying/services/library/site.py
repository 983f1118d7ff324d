"""One library: where it is, how it speaks, by which number it knows its readers, and its rule.

A site stands in the common configuration file as ``[library.NAME]``. What it leaves out comes from the profile of its
library system, and from the defaults here. Branches that share the system of a library stand below it
(``[library.NAME.branches.BRANCH]``) and change what is different there. Passwords are never in the file: it names the
environment variables that hold them.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Self

from juying.credential.strict_json import members
from juying.errors import FieldError, InputError
from juying.services.connecting import check_host
from juying.services.library.layout import MAX_VALUE, written
from juying.services.library.policy import BorrowingPolicy, choice, wrong_type
from juying.services.library.wire import Checking, Summing, Terminator, Wire
from juying.services.presentation import NUMBERS
from juying.services.resilience import Resilience
from juying.text import Text


class Question(StrEnum):
    """Which message asks about a reader."""

    LONG = "63"
    SHORT = "23"
    EITHER = "either"
    """63, and 23 when the system says that it does not know 63."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Verified TLS: the certificate must be valid for ``server_name`` and lead to a known authority.

    ``ca_file`` names the authorities, empty for those of the operating system. There is no way to turn this off but to
    have no TLS at all, and none that falls back.
    """

    server_name: str
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A library, or a branch of one.

    ``institution`` is sent as AO, ``location`` as CP and AP, ``terminal_password`` as AC. ``login`` is empty where the
    system wants none. ``status``: whether 99 is sent first on each connection. ``send_empty``: whether AC and AD are
    sent without content in 63. ``resend``: whether the system knows 97. ``connections`` bounds the pool; a connection
    that is idle for ``keep_alive`` seconds is kept by 99, 0 leaves it to its fate. ``reader_prefix`` stands before the
    number of the card.
    """

    name: str
    title: Text
    host: str
    port: int
    tls: Tls | None
    wire: Wire = field(default_factory=Wire)
    policy: BorrowingPolicy = field(default_factory=BorrowingPolicy)
    resilience: Resilience = field(default_factory=Resilience)
    profile: str = "book"
    institution: str = ""
    location: str = ""
    language: str = "019"
    login: str = ""
    password: str = field(default="", repr=False)
    terminal_password: str = field(default="", repr=False)
    reader_number: str = "card_number"
    reader_prefix: str = ""
    question: Question = Question.EITHER
    status: bool = True
    send_empty: bool = True
    resend: bool = True
    connections: int = 2
    keep_alive: float = 240.0

    @classmethod
    def from_dict(cls, table: object, name: str, where: str = "") -> Self:
        """A site out of its table; ``where`` is the place of the table in the file.

        Raises `InputError` that names the place, and the nearest known key for one that is unknown.
        """
        where = where or f"library.{name}"
        given = dict(members(table, ("host", "port"), where, optional=_KEYS))
        profile = given.get("profile", "book")
        base = _profile(profile, f"{where}.profile")
        merged = {**base, **given}
        for key in ("policy", "resilience"):
            merged[key] = {**_table(base, key, where), **_table(given, key, where)}
        for key, kind in _SIMPLE.items():
            if key in merged and (
                not isinstance(merged[key], (int, float) if kind is float else kind)
                or (kind is not bool and isinstance(merged[key], bool))
            ):
                raise wrong_type(f"{where}.{key}", kind)
        site = {key: merged[key] for key in _PLAIN if key in merged}
        if merged.get("reader_number", "card_number") not in NUMBERS:
            known = ", ".join(NUMBERS)
            raise InputError(f"须为其中之一：{known}", f"has to be one of {known}", where=f"{where}.reader_number")
        for key, (least, most) in _RANGES.items():
            if not least <= merged.get(key, least) <= most:
                raise InputError(f"须为 {least} 至 {most}", f"has to be {least} to {most}", where=f"{where}.{key}")
        if "question" in merged:
            site["question"] = choice(Question, merged["question"], f"{where}.question")
        wire = _wire(merged, where)
        site |= {key: _secret(merged, f"{key}_env", where) for key in ("password", "terminal_password")}
        _check_sendable(site, wire, where)
        for key in ("host", "server_name"):
            check_host(merged.get(key, merged["host"]), f"{where}.{key}")
        return cls(
            name=name,
            title=_title(given.get("title", name), f"{where}.title"),
            tls=_tls(merged, where),
            wire=wire,
            policy=BorrowingPolicy.from_dict(merged["policy"], f"{where}.policy"),
            resilience=Resilience.from_dict(merged["resilience"], f"{where}.resilience"),
            **site,
        )


_SIMPLE: Mapping[str, type] = {
    "host": str,
    "port": int,
    "profile": str,
    "institution": str,
    "location": str,
    "language": str,
    "login": str,
    "password_env": str,
    "terminal_password_env": str,
    "reader_number": str,
    "reader_prefix": str,
    "status": bool,
    "send_empty": bool,
    "resend": bool,
    "connections": int,
    "keep_alive": float,
    "tls": bool,
    "server_name": str,
    "ca_file": str,
    "charset": str,
    "strict": bool,
}
_PLAIN = tuple(key for key in _SIMPLE if key in {member.name for member in fields(Site)} - {"tls"})
_CHOICES: Mapping[str, type[StrEnum]] = {
    "terminator": Terminator,
    "send_checksum": Checking,
    "receive_checksum": Checking,
    "checksum": Summing,
    "sequence": Checking,
    "echo": Checking,
}
_SENT = {
    "institution": "institution",
    "location": "location",
    "login": "login",
    "reader_prefix": "reader_prefix",
    "password": "password_env",
    "terminal_password": "terminal_password_env",
}
"""What goes into messages, and the members that it comes from."""
_KEYS = (*_SIMPLE, *_CHOICES, "title", "question", "policy", "resilience", "branches")
_RANGES = {"port": (1, 65535), "connections": (1, 100), "keep_alive": (0, 86400)}


def sites(table: Mapping[str, Any]) -> tuple[Site, ...]:
    """The libraries of the table ``library`` of a configuration, each followed by its branches.

    A branch is called ``NAME.BRANCH``. Raises `InputError`, also when there is no library.
    """
    found = []
    for name, entry in members(table, (), "library", optional=table).items():
        site = Site.from_dict(entry, name)
        found.append(site)
        own = {key: value for key, value in entry.items() if key not in ("branches", "title")}
        branches = _table(entry, "branches", f"library.{name}")
        for branch, changes in branches.items():
            where = f"library.{name}.branches.{branch}"
            members(changes, (), where, optional=[key for key in _KEYS if key != "branches"])
            tables = {
                key: {**_table(own, key, where), **_table(changes, key, where)} for key in ("policy", "resilience")
            }
            found.append(Site.from_dict({**own, **changes, **tables}, f"{name}.{branch}", where))
    if not found:
        raise InputError(
            "没有图书馆，请写 [library.名称]", "there is no library; write a table [library.NAME]", where="library"
        )
    return tuple(found)


@cache
def profiles() -> Mapping[str, Mapping[str, Any]]:
    """The library systems that are known, by name; ``title`` and ``note`` are for people."""
    source = resources.files("juying.services.library").joinpath("profiles.toml").read_text("utf-8")
    return tomllib.loads(source)


def _profile(name: object, where: str) -> dict[str, Any]:
    known = profiles()
    if not isinstance(name, str) or name not in known:
        from difflib import get_close_matches

        nearest = get_close_matches(str(name), known, n=1, cutoff=0.0)[0]
        raise InputError(
            f"没有这种图书馆系统，最接近的是 {nearest}",
            f"no such library system, the nearest is {nearest}",
            where=where,
        )
    return {key: value for key, value in known[name].items() if key not in ("title", "note")}


def _table(table: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"{key} 须为表", f"{key} has to be a table", where=where)
    return value


def _title(value: object, where: str) -> Text:
    if isinstance(value, str):
        return Text(value, value)
    both = members(value, ("zh", "en"), where)
    if not all(isinstance(each, str) for each in both.values()):
        raise wrong_type(where, str)
    return Text(both["zh"], both["en"])


def _tls(merged: Mapping[str, Any], where: str) -> Tls | None:
    """TLS unless the file says that there is none."""
    if merged.get("tls", True):
        return Tls(server_name=merged.get("server_name", merged["host"]), ca_file=merged.get("ca_file", ""))
    for key in ("server_name", "ca_file"):
        if key in merged:
            raise InputError(f"{key} 只用于 TLS", f"{key} belongs to TLS", where=where)
    return None


def _wire(merged: Mapping[str, Any], where: str) -> Wire:
    settings = {key: choice(kind, merged[key], f"{where}.{key}") for key, kind in _CHOICES.items() if key in merged}
    settings |= {key: merged[key] for key in ("charset", "strict") if key in merged}
    try:
        return Wire(**settings)
    except InputError as error:
        raise InputError(*error.text, where=f"{where}.{error.where}") from None


def _check_sendable(site: Mapping[str, Any], wire: Wire, where: str) -> None:
    """Raise `InputError` for what no message can carry; the error does not hold it."""
    if not re.fullmatch(r"[ -{}~]{3}", site.get("language", "019")):
        raise InputError("须为三个字符", "has to have three characters", where=f"{where}.language")
    for name, key in _SENT.items():
        try:
            written(key, "", site.get(name, "")).encode(wire.charset)
        except (FieldError, UnicodeEncodeError):
            raise InputError(
                f"SIP2 无法传送：含有“|”、控制字符或 {wire.charset} 没有的字符，或超过 {MAX_VALUE} 个字符",
                f"SIP2 cannot carry it: it has a “|”, a control character or one that {wire.charset} lacks, or more "
                f"than {MAX_VALUE} characters",
                where=f"{where}.{key}",
            ) from None


def _secret(merged: Mapping[str, Any], key: str, where: str) -> str:
    variable = merged.get(key, "")
    if not variable:
        return ""
    if variable not in os.environ:
        raise InputError(
            f"请把口令放入环境变量 {variable}",
            f"put the password into the environment variable {variable}",
            where=f"{where}.{key}",
        )
    return os.environ[variable]
