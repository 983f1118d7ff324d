"""What a terminal remembers: the root keys it was given, and the newest trust list that one of them signed.

::

    FOLDER/roots/<fingerprint>.json     a pinned root key each; to stop trusting it, delete the file
    FOLDER/list-<number>.cbor           the signed list of that edition

The newest list is the one with the highest number, so what is remembered and what is in use cannot come apart: not
when an import is killed, and not when two run at once. Nothing here protects against somebody who may write into the
folder.
"""

import re
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from juying.credential.strict_json import read_bytes
from juying.credential.trust import MAX_FILE, TrustList
from juying.credential.trust_root import Root
from juying.errors import InputError
from juying.files import write_atomically
from juying.text import Text

MAX_OVERDUE = timedelta(days=7)
"""For how long a list may be used after the next should have come (our choice); a policy may say otherwise."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clock of the root's office may be ahead of ours (our choice)."""

_ROOTS = "roots"
_LIST = re.compile(r"list-([1-9][0-9]{0,9})\.cbor", re.ASCII)
_DAY = timedelta(days=1)


class TrustStore:
    """The folder in which a terminal keeps root keys and trust list; it need not exist yet."""

    def __init__(self, folder: str | Path) -> None:
        """Nothing is read or made before it is asked for."""
        self.folder = Path(folder)

    def roots(self) -> tuple[Root, ...]:
        """The pinned root keys; raises InputError for a file that is none, or has another's name."""
        roots = []
        for path in sorted((self.folder / _ROOTS).glob("*.json")):
            root = Root.load(path)
            if path.stem != root.fingerprint:
                raise InputError(
                    "根公钥文件名与指纹不符，请重新登记",
                    "the name of the root file is not its fingerprint: pin the key anew",
                    where=str(path),
                )
            roots.append(root)
        return tuple(roots)

    def pin(self, root: Root) -> None:
        """Trust what ``root`` signs from now on; a person has compared its fingerprint. Raises InputError."""
        folder = self.folder / _ROOTS
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"目录建不了（{error.strerror}）", f"the folder cannot be made ({error.strerror})", where=str(folder)
            ) from None
        root.save(folder / f"{root.fingerprint}.json")

    @property
    def highest(self) -> int:
        """The highest number of an edition seen, 0 before the first."""
        return max(self._numbers(), default=0)

    def load(self) -> TrustList:
        """The newest list, its signature verified; raises InputError when there is none or it is not good.

        An older one is never taken instead.
        """
        while True:
            number = self.highest
            try:
                return self._load(number)
            except InputError:
                if self.highest == number:
                    raise
                # another process has just put the next edition in its place

    def _load(self, number: int) -> TrustList:
        if not number:
            raise InputError(
                "还没有导入信任列表，请用 juying trust import",
                "no trust list has been imported yet: use juying trust import",
                where=str(self.folder),
            )
        path = self._path(number)
        trust = TrustList.load(path, self.roots())
        if trust.edition is None or trust.edition.number != number:
            raise InputError(
                "信任列表的版本号与文件名不符，请重新导入",
                "the edition of the trust list is not the one of its file name: import it again",
                where=str(path),
            )
        return trust

    def add(self, data: bytes, *, now: datetime, max_overdue: timedelta = MAX_OVERDUE) -> TrustList:
        """Take a signed list in, if it is genuine and no older than the one held; the same again changes nothing.

        Raises InputError when it is not signed by a pinned root, is rolled back, is another list under the number of
        the one held, or fails `check_age`. What was held is then as it was.
        """
        trust = TrustList.from_signed(data, self.roots())
        assert trust.edition is not None  # noqa: S101 - no list is signed without one
        check_age(trust, now, max_overdue=max_overdue)
        number, highest = trust.edition.number, self.highest
        if number < highest:
            raise InputError(
                f"信任列表第 {number} 版比已有的第 {highest} 版旧，不予导入",
                f"edition {number} of the trust list is older than edition {highest}, which is held: not imported",
            )
        if number == highest and self._holds_another(number, data):
            raise InputError(
                f"已有另一个第 {number} 版信任列表：根密钥对同一版本号签了两次，请询问签发方",
                f"another list is held as edition {number}: the root key signed twice under one number, ask its office",
            )
        write_atomically(self._path(number), data)
        for old in self._numbers():
            if old < number:
                with suppress(OSError):  # gone already, or still open on Windows; it does no harm
                    self._path(old).unlink()
        return trust

    def _holds_another(self, number: int, data: bytes) -> bool:
        """True when there is a good list of this number that is not ``data``; a damaged one may be written anew."""
        try:
            self._load(number)
            return read_bytes(self._path(number), limit=MAX_FILE) != data
        except InputError:
            return False

    def _numbers(self) -> list[int]:
        names = (_LIST.fullmatch(path.name) for path in self.folder.glob("list-*.cbor"))
        return [int(name[1]) for name in names if name]

    def _path(self, number: int) -> Path:
        return self.folder / f"list-{number}.cbor"


def load_trusted(path: str | Path, root: str | Path | None = None) -> TrustList:
    """The trust list at ``path``: a store's folder, a signed list, or a JSON file.

    A signed list needs ``root``, the file of its root key; with ``root`` nothing unsigned is taken. Raises InputError.
    How old the list may be is the caller's business: `check_age`.
    """
    path = Path(path)
    if path.is_dir():
        if root is not None:
            raise InputError(
                "信任库自有根公钥，不能另用 --root",
                "a trust store has root keys of its own: --root does not go with it",
                where=str(path),
            )
        return TrustStore(path).load()
    return TrustList.load(path, None if root is None else (Root.load(root),))


def check_age(trust: TrustList, now: datetime, *, max_overdue: timedelta = MAX_OVERDUE) -> Text | None:
    """Why somebody should look after the list: None, or that its next edition is overdue, and for how long.

    Raises InputError when it is overdue for more than ``max_overdue``, or when the list is from the future: then our
    clock is wrong, and nothing that depends on the time can be decided.
    """
    if trust.edition is None:
        return None
    if now < trust.edition.issued_at - CLOCK_SKEW:
        raise InputError(
            "信任列表的签发时间在将来，请校准时钟", "the trust list was issued in the future: set the clock right"
        )
    overdue = trust.overdue(now)
    if not overdue:
        return None
    days = -(-overdue // _DAY)
    problem = Text(
        f"信任列表第 {trust.edition.number} 版已过更新期 {days} 天，请导入新版",
        f"edition {trust.edition.number} of the trust list is overdue for {days} day(s): import the next",
    )
    if overdue > max_overdue:
        raise InputError(*problem)
    return problem
