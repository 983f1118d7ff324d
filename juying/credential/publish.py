"""The lists of a register as signed files in a folder, for a web server, a USB stick or a QR code."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from juying.credential.register import Register, Snapshot
from juying.credential.status import TEXT_SUFFIX, StatusLists, read_token
from juying.credential.status_list import (
    BASE,
    LIFETIME,
    SUFFIX,
    TTL,
    Status,
    StatusList,
    sign_status_list,
    to_text,
    unpack,
    verify_status_list,
)
from juying.credential.trust import TrustList
from juying.crypto.signing import Signer
from juying.errors import InputError, KeyUseError
from juying.files import write_atomically


@dataclass(frozen=True, slots=True)
class Published:
    """A list that was published; ``text_file`` is the same for a QR code, None when it is too large for one."""

    content: StatusList
    file: Path
    size: int
    text_file: Path | None


def publish(
    register: Register,
    folder: Path,
    signer: Signer,
    trust: TrustList,
    *,
    now: datetime,
    lifetime: timedelta = LIFETIME,
    ttl: timedelta = TTL,
    base: str = BASE,
) -> tuple[Published, ...]:
    """Sign every list of the register into ``folder``: ``3.cwt``, and ``3.txt`` when it fits into a QR code.

    Each file is replaced at once or not at all, one process at a time, and is dated later than the one before. A list
    in which a credential would be good again that was revoked in the published one is not written: then the register
    is an old copy.

    Raises KeyUseError when terminals that use ``trust`` would not accept the signature, InputError when the register
    is an old copy, or a file or the register cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"目录建不了（{error.strerror}）", f"the folder cannot be made ({error.strerror})", where=str(folder)
        ) from None
    published = []
    for number in register.list_numbers():
        file = folder / f"{number}{SUFFIX}"
        before = _published(file, trust, now)
        with register.publication(number, after=before.issued_at if before else None) as snapshot:
            if before is not None:
                _check_progress(before, snapshot, file)
            token = sign_status_list(
                snapshot.statuses,
                signer,
                number=number,
                issued_at=snapshot.issued_at,
                lifetime=lifetime,
                ttl=ttl,
                base=base,
            )
            content = _accepted(token, trust, now)
            write_atomically(file, token)
            published.append(Published(content, file, len(token), _write_text(file.with_suffix(TEXT_SUFFIX), token)))
    return tuple(published)


def _published(file: Path, trust: TrustList, now: datetime) -> StatusList | None:
    """The list that stands there now, as far as it counts."""
    with suppress(InputError):
        return verify_status_list(read_token(file), trust, now=now)[0]
    return None


def _check_progress(before: StatusList, snapshot: Snapshot, file: Path) -> None:
    revoked = Status.INVALID
    pairs = zip(unpack(before.packed, before.bits), snapshot.statuses, strict=False)
    if any(old == revoked != new for old, new in pairs):
        raise InputError(
            "登记簿比已发布的状态列表旧（可能是旧备份）：发布会使已吊销的凭证复活，未发布",
            "the register is older than the published status list, perhaps an old copy: revoked credentials would be "
            "good again, so nothing was published",
            where=str(file),
        )


def _accepted(token: bytes, trust: TrustList, now: datetime) -> StatusList:
    try:
        return StatusLists().add(token, trust, now=now).content
    except InputError as error:
        raise KeyUseError(
            f"终端不会接受这个状态列表，未发布：{error.text.zh}",
            f"terminals would not accept the status list, it was not published: {error.text.en}",
        ) from None


def _write_text(file: Path, token: bytes) -> Path | None:
    try:
        text = to_text(token)
    except InputError:
        file.unlink(missing_ok=True)
        return None
    write_atomically(file, text.encode("ascii") + b"\n")
    return file
