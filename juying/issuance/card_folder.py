"""The folder of one card: its credentials as texts and pictures, and the card itself when it is a virtual one.

=========================  ==========================================================================
``card.vcard``             the card, when it is a virtual one
``credential.txt``         the full credential as text (``JY1:…``)
``credential.png``         its QR picture for screens (level L)
``credential-paper.png``   its QR picture for paper (level M)
``minimal.txt``            the minimal credential, for gates and shops
``minimal.png``            its QR picture for screens
=========================  ==========================================================================
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from juying.codec.qr import Medium
from juying.credential.issue import Credentials, to_text
from juying.credential.picture import save_picture
from juying.credential.verify import verify
from juying.errors import InputError
from juying.files import write_atomically
from juying.issuance.office import Office

FULL, MINIMAL = "credential", "minimal"

_PICTURES = {
    f"{MINIMAL}.png": (MINIMAL, Medium.SCREEN),
    f"{FULL}.png": (FULL, Medium.SCREEN),
    f"{FULL}-paper.png": (FULL, Medium.PAPER),
}


def keep_credentials(folder: Path, credentials: Credentials, office: Office) -> bool:
    """Bring texts and pictures to ``credentials``; whether anything was missing or other. Raises `InputError`."""
    make_folder(folder)
    with file_errors(folder):
        for draft in folder.glob(".*"):  # of a run that was killed
            draft.unlink()
    records = {FULL: credentials.full, MINIMAL: credentials.minimal}
    changed = False
    for name, record in records.items():
        text = to_text(record).encode("ascii") + b"\n"
        path = folder / f"{name}.txt"
        if _content(path) != text:
            changed = True
            with file_errors(folder):
                for picture, (drawn, _) in _PICTURES.items():
                    if drawn == name:
                        (folder / picture).unlink(missing_ok=True)
            # Last, so that the pictures of before are not taken for those of this text.
            write_atomically(path, text, private=True)
    missing = [name for name in _PICTURES if not (folder / name).exists()]
    for name in missing:
        tier, medium = _PICTURES[name]
        verified = verify(records[tier], office.trust, now=office.clock())
        save_picture(to_text(records[tier]), verified, folder / name, medium=medium)
    return changed or bool(missing)


def remove_credentials(folder: Path) -> None:
    """Take away texts and pictures: the permit is over. Raises `InputError`."""
    with file_errors(folder):
        for name in (f"{FULL}.txt", f"{MINIMAL}.txt", *_PICTURES):
            (folder / name).unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make a folder, for its owner only, and those above it. Raises `InputError`."""
    with file_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@contextmanager
def file_errors(folder: Path) -> Iterator[None]:
    """What goes wrong in a folder as an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"目录不能使用（{error.strerror}），请检查权限和磁盘",
            f"the folder cannot be used ({error.strerror}); check permissions and disk",
            where=str(folder),
        ) from None
