"""Folders for what workers make. When a disk is full or away, that is nobody's fault, and it is tried again later."""

from pathlib import Path

from juying.errors import InputError, PlatformUnavailable
from juying.files import write_atomically


def make_folder(folder: Path) -> None:
    """Make a folder for its owner only, unless it is there. Raises `PlatformUnavailable`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PlatformUnavailable(
            f"目录建不了（{error.strerror}）", f"the folder cannot be made ({error.strerror})", where=str(folder)
        ) from None


def put(path: Path, data: bytes) -> None:
    """Write a file for its owner only, in a folder that is made if need be. Raises `PlatformUnavailable`."""
    make_folder(path.parent)
    try:
        write_atomically(path, data, private=True)
    except InputError as error:
        raise PlatformUnavailable(*error.text, where=error.where) from None
