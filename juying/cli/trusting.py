"""The trust list and the status lists that the options, the environment or the demonstration keys give."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from juying.cli.output import tell
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.status import StatusLists
    from juying.credential.trust import TrustList


def load_trust(trust: Path | None, root: Path | None = None, *, required: bool = True) -> "TrustList":
    """The trust list that the options, the environment or the demonstration keys give.

    Without any: `InputError`, or an empty list when none is ``required``. `InputError` too when the list is long
    overdue; a remark when it is just overdue.
    """
    from juying.credential.trust import TrustList
    from juying.credential.trust_store import check_age, load_trusted
    from juying.issuance.demo_keys import FOLDER, TRUST_FILE

    named = trust or os.environ.get("JUYING_TRUST")
    demonstration = FOLDER / TRUST_FILE
    if not named and demonstration.exists():
        named = demonstration
        tell(
            Text(
                f"使用演示密钥 {demonstration}，结果仅供试用",
                f"checked against the demonstration keys in {demonstration}: for trials only",
            )
        )
    if named:
        trusted = load_trusted(named, root_file(root))
        if problem := check_age(trusted, datetime.now(UTC)):
            tell(problem)
        return trusted
    missing = Text(
        "没有信任列表：请用 --trust 或环境变量 JUYING_TRUST 指定",
        "there is no trust list: name one with --trust or in the environment variable JUYING_TRUST",
    )
    if required:
        raise InputError(*missing)
    tell(missing)
    return TrustList()


def root_file(root: Path | None) -> Path | None:
    """The file of the root key that the option or the environment names."""
    return root or (Path(named) if (named := os.environ.get("JUYING_ROOT")) else None)


def known_lists(lists: Path | None, trust: "TrustList") -> "StatusLists | None":
    """The status lists that the option, the environment or the demonstration keys give; None without any."""
    from juying.issuance.demo_keys import FOLDER, LISTS

    named = lists or os.environ.get("JUYING_LISTS")
    demonstration = FOLDER / LISTS
    if not named and demonstration.is_dir() and any(key.demonstration for key in trust):
        named = demonstration
    return load_lists(Path(named), trust, datetime.now(UTC)) if named else None


def load_lists(path: Path, trust: "TrustList", now: datetime) -> "StatusLists":
    """The lists in a file or folder; what does not count is told on standard error."""
    from juying.credential.status import StatusLists

    lists = StatusLists.load(path, trust, now=now)
    for problem in lists.problems:
        tell(str(problem))
    return lists
