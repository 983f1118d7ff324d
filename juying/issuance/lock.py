"""One run at a time in a folder: a killed run leaves nothing that somebody would have to clean up."""

from contextlib import AbstractContextManager
from pathlib import Path

from juying import files
from juying.text import Text

LOCK_FILE = ".lock"
_BUSY = Text("另一个任务正在使用此目录，请等它结束", "another run is at work in this folder: wait until it ends")


def locked(folder: Path, *, wait: float = 0.0) -> AbstractContextManager[None]:
    """Have ``folder`` for this run alone, after waiting ``wait`` seconds for another run at most.

    Raises `InputError` when another run has it, or when no file can be made there.
    """
    return files.locked(folder / LOCK_FILE, busy=_BUSY, where=str(folder), wait=wait)
