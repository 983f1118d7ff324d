"""The private pcscd itself: what happens when it cannot be had, or when its owner dies."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import PrivatePcscd, pcscd

ROOT = Path(__file__).parents[2]


def test_pcscd_dies_with_a_killed_test_session(tmp_path: Path) -> None:
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from tests.harness import PrivatePcscd\n"
            "with PrivatePcscd() as pcscd:\n"
            "    print(pcscd.pid, flush=True)\n"
            "    input()\n",
        ],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with owner:
        assert owner.stdout is not None
        daemon = os.pidfd_open(int(owner.stdout.readline()))
        owner.send_signal(signal.SIGKILL)
    ended, _, _ = select.select([daemon], [], [], 20)
    os.close(daemon)
    assert ended, "pcscd outlived its owner"


def test_a_missing_driver_or_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pcscd, "DRIVER", Path("/nowhere/libifdvpcd.so"))
        with pytest.raises(RuntimeError, match="apt install pcscd libpcsclite1 vsmartcard-vpcd"), PrivatePcscd():
            pass
    monkeypatch.setattr(pcscd.shutil, "which", lambda *_, **__: None)
    with pytest.raises(RuntimeError, match="pcscd is not installed: apt install"), PrivatePcscd():
        pass
