"""SoftHSM2, a PKCS#11 token without hardware, set up for a test and removed after it."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pkcs11
import pytest

PIN = "246813"
_PLACES = ("/usr/lib/softhsm", "/usr/lib/x86_64-linux-gnu/softhsm", "/usr/lib64/softhsm", "/usr/local/lib/softhsm",
           "/opt/homebrew/lib/softhsm")  # fmt: skip


def module() -> Path:
    """Where the library is."""
    return next(path for place in _PLACES if (path := Path(place, "libsofthsm2.so")).exists())


@contextmanager
def softhsm(folder: Path, *labels: str) -> Iterator[Path]:
    """Fresh tokens with these labels, all with `PIN`; the PKCS#11 library to reach them."""
    tokens = folder / "tokens"
    tokens.mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(configuration))
        for label in labels:
            command = [
                "softhsm2-util",
                "--init-token",
                "--free",
                "--label",
                label,
                "--pin",
                PIN,
                "--so-pin",
                "13572468",
            ]
            subprocess.run(command, check=True, capture_output=True, env=os.environ)
        try:
            yield module()
        finally:
            pkcs11.lib(str(module())).finalize()  # the next one has to read its own configuration
