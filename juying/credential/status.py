"""The status lists that a terminal holds, and what they say about a credential.

Lists come from files, a USB stick, a QR code or the network; all that counts is who signed them. A list is never
replaced by an older one. Nothing here is ever a reason to call a credential good: no list, or no such entry, is
`None`, and every answer says how old it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Self

from juying.credential.claims import StatusReference
from juying.credential.status_list import MAX_TEXT, MAX_TOKEN, SUFFIX, from_text, verify_status_list
from juying.credential.status_list import Status as Status
from juying.credential.status_list import StatusList as StatusList
from juying.credential.status_list import sign_status_list as sign_status_list
from juying.credential.trust import TrustedKey, TrustList
from juying.errors import InputError
from juying.files import write_atomically

TEXT_SUFFIX = ".txt"
MAX_FILES = 1000  # in a folder


class Authority(NamedTuple):
    """Whose lists they are. Two authorities may use the same list number, and a trial never speaks for the real."""

    region: str
    demonstration: bool

    @classmethod
    def of(cls, key: TrustedKey) -> Self:
        """The authority that a key belongs to."""
        return cls(key.region, key.demonstration)


@dataclass(frozen=True, slots=True)
class HeldList:
    """A verified list with the key that signed it and the bytes that were signed."""

    content: StatusList
    key: TrustedKey
    token: bytes

    @property
    def authority(self) -> Authority:
        """Whose list it is."""
        return Authority.of(self.key)


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """What the list of ``as_of`` says; ``age`` is how old it is now. It may be relied on until ``expires_at``.

    REVOKED and SUSPENDED count however old the answer is. VALID from a list that is ``expired`` means nothing more
    than that the credential was good then.
    """

    status: Status
    as_of: datetime
    expires_at: datetime
    ttl: timedelta
    age: timedelta

    @property
    def expired(self) -> bool:
        """True when its publisher no longer stands by the list."""
        return self.as_of + self.age >= self.expires_at


class StatusLists:
    """Verified lists, the newest of each; threads may share them."""

    __slots__ = ("_held", "_lock", "problems")

    def __init__(self) -> None:
        """Begin with none."""
        self._held: dict[int, dict[Authority, HeldList]] = {}
        self._lock = Lock()
        self.problems: tuple[InputError, ...] = ()
        """Why files of the folder that `load` read were passed over."""

    @classmethod
    def load(cls, path: str | Path, trust: TrustList, *, now: datetime) -> Self:
        """Read one list, or every ``.cwt`` and ``.txt`` file of a folder, of which the newest lists are kept.

        In a folder a file that is no list that counts is passed over and named in ``problems``: one bad file must
        not take the others away. Raises InputError when a single file does not count or nothing can be read.
        """
        path, lists = Path(path), cls()
        try:
            files = _list_files(path) if path.is_dir() else [path]
        except OSError as error:
            raise _unreadable(path, error) from None
        problems = []
        for file in files:
            try:
                lists._take(read_token(file), trust, now)
            except InputError as error:
                problem = InputError(*error.text, where=str(file))
                if file is path:
                    raise problem from None
                problems.append(problem)
        lists.problems = tuple(problems)
        return lists

    def add(self, token: bytes, trust: TrustList, *, now: datetime, number: int | None = None) -> HeldList:
        """Verify a list and hold it from now on; the very one that is held already changes nothing.

        Raises InputError, as `verify_status_list` does, when it is not the list ``number`` that was asked for, and
        when it is older than the one held, which then stays.
        """
        found, newest = self._take(token, trust, now, number)
        if newest.token != token:
            raise InputError(
                f"状态列表 {found.content.number} 比现有的旧（或同时但不同），保留现有的",
                f"status list {found.content.number} is older than the one held, or differs from it at the same time; "
                "the one held stays",
            )
        return newest

    def _take(
        self, token: bytes, trust: TrustList, now: datetime, expected: int | None = None
    ) -> tuple[HeldList, HeldList]:
        """The list, and the newest of its number after it was offered."""
        found = HeldList(*verify_status_list(token, trust, now=now), token)
        number = found.content.number
        if expected not in (None, number):
            raise InputError(f"这是状态列表 {number}，不是 {expected}", f"this is status list {number}, not {expected}")
        with self._lock:
            lists = self._held.get(number, {})
            newest = lists.get(found.authority)
            if newest is None or newest.content.issued_at < found.content.issued_at:
                newest = found
                self._held[number] = {**lists, found.authority: found}  # readers keep the one that they have
        return found, newest

    def lookup(
        self, reference: StatusReference, *, now: datetime, issuer: TrustedKey | None = None
    ) -> StatusAnswer | None:
        """What is known about the credential with this reference; None when nothing is.

        ``issuer`` is the key that signed the credential: the list of the same authority speaks for it, else the one
        of the only authority above it (a province for its cities). Without it the number alone has to say which list
        is meant. Two authorities with that number mean None.
        """
        held = self.held(reference.list_number, issuer)
        status = held.content.status(reference.index) if held else None
        if held is None or status is None:
            return None
        content = held.content
        age = max(now - content.issued_at, timedelta(0))
        return StatusAnswer(status, content.issued_at, content.expires_at, content.ttl, age)

    def held(self, number: int, issuer: TrustedKey | None = None) -> HeldList | None:
        """The list that `lookup` would ask."""
        lists = self._held.get(number, {})
        if issuer is None:
            found = list(lists.values())
        elif (own := lists.get(Authority.of(issuer))) is not None or not issuer.region:
            return own
        else:
            above = (held for held in lists.values() if held.key.demonstration is issuer.demonstration)
            found = [held for held in above if held.key.covers(issuer.region)]
        return found[0] if len(found) == 1 else None

    def __iter__(self) -> Iterator[HeldList]:
        """Every list, by number."""
        return iter([held for number in sorted(self._held) for held in self._held[number].values()])

    def __len__(self) -> int:
        """How many lists are held."""
        return sum(map(len, self._held.values()))

    def save(self, folder: Path) -> None:
        """Keep every list in ``folder`` for the next `load`, and drop the older ones that it replaces there.

        The time of issue is part of the file's name, so two processes never write an older list over a newer one.
        Raises InputError when a file cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for held in self:
                name = _Name.of(held)
                if not (folder / str(name)).exists():
                    write_atomically(folder / str(name), held.token)
                for file in folder.glob(f"{name.stem}????????T??????Z{SUFFIX}"):
                    if file.name < str(name):
                        file.unlink(missing_ok=True)
        except OSError as error:
            raise InputError(
                f"目录不能使用（{error.strerror}），请检查权限和磁盘",
                f"the folder cannot be used ({error.strerror}); check permissions and disk",
                where=str(folder),
            ) from None


class _Name(NamedTuple):
    """The name of a list in a terminal's folder: ``331000-3-20261201T040000Z.cwt``."""

    stem: str
    issued: str

    @classmethod
    def of(cls, held: HeldList) -> Self:
        region, demonstration = held.authority
        safe = region if region.isalnum() else region.encode().hex()
        parts = [safe, "demo" if demonstration else "", str(held.content.number)]
        return cls("".join(f"{part}-" for part in parts if part), f"{held.content.issued_at:%Y%m%dT%H%M%SZ}")

    def __str__(self) -> str:
        return f"{self.stem}{self.issued}{SUFFIX}"


def read_token(file: Path) -> bytes:
    """The bytes of a list in a file, not verified; in a ``.txt`` file it stands as text. Raises InputError."""
    text = file.suffix.lower() == TEXT_SUFFIX
    limit = MAX_TEXT + 2 if text else MAX_TOKEN
    try:
        with file.open("rb") as opened:
            data = opened.read(limit + 1)
    except OSError as error:
        raise _unreadable(file, error) from None
    if len(data) > limit:
        raise InputError(f"文件超过 {limit} 字节", f"the file is larger than {limit} bytes", where=str(file))
    return from_text(data.decode("ascii", "replace").strip("\r\n")) if text else data


def _list_files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in (SUFFIX, TEXT_SUFFIX))
    if len(files) > MAX_FILES:
        raise InputError(f"文件超过 {MAX_FILES} 个", f"there are more than {MAX_FILES} files", where=str(folder))
    return files


def _unreadable(path: Path, error: OSError) -> InputError:
    return InputError(
        f"状态列表读不出来（{error.strerror}）", f"the status list cannot be read ({error.strerror})", where=str(path)
    )
