"""Writing a file so that nobody ever sees half of it."""

import os
from pathlib import Path

from juying.errors import InputError


def write_atomically(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write ``data`` to ``path``, replacing what was there only when everything is on the disk.

    A ``private`` file can be read by its owner only (where the system knows modes). Raises `InputError` when the file
    cannot be written; ``path`` is then as it was.
    """
    draft = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        create(draft, data, private=private)
        draft.replace(path)
    except BaseException as error:
        draft.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        raise InputError(
            f"文件写不进去（{error.strerror}），请检查目录和权限",
            f"the file cannot be written ({error.strerror}); check the folder and its permissions",
            where=str(path),
        ) from error


def create(path: Path, data: bytes, *, private: bool = False) -> None:
    """Create ``path`` with ``data`` on the disk; `FileExistsError` when it exists, `OSError` when it cannot be."""
    binary = getattr(os, "O_BINARY", 0)  # Windows would turn line ends otherwise
    mode = 0o600 if private else 0o666
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | binary, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
