"""Writing a file so that nobody ever sees half of it."""

import os
import secrets
from pathlib import Path

from juying.errors import InputError


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, replacing what was there only when everything is on the disk.

    Raises InputError when the file cannot be written; ``path`` is then as it was.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise InputError(
            f"文件写不进去（{error.strerror}），请检查目录和权限",
            f"the file cannot be written ({error.strerror}); check the folder and its permissions",
            where=str(path),
        ) from error
