"""A place of our own for pcscd's socket.

libpcsclite always talks to ``/run/pcscd/pcscd.comm``. So that tests neither meet nor disturb the pcscd of the
machine, this process moves into a mount namespace of its own, where an empty tmpfs lies over ``/run/pcscd``.
Threads and child processes started afterwards (pcscd, opensc-tool, our own command line) live in it too.
"""

import ctypes
import errno
import os
from pathlib import Path

RUN = Path("/run/pcscd")

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
MS_NOSUID = 2
MS_NODEV = 4
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


def enter_private_namespace() -> None:
    """Move this process into its own mount namespace with an empty ``/run/pcscd``.

    Call it early, from the main thread, while no other thread runs: a namespace belongs to a thread and is
    inherited, so older threads would stay outside. Where the kernel refuses (a container without rights), the
    machine's own ``/run/pcscd`` is taken if nobody uses it; else OSError.
    """
    try:
        _unshare()
    except OSError as refused:
        if (RUN / "pcscd.comm").exists():
            raise OSError(
                refused.errno,
                "no mount namespace of our own, and another pcscd uses /run/pcscd: "
                "run the tests as root, allow user namespaces, or stop the other pcscd",
            ) from refused
        RUN.mkdir(parents=True, exist_ok=True)
        return
    _mount("none", "/", None, MS_REC | MS_PRIVATE)
    try:
        RUN.mkdir(exist_ok=True)
        place = RUN
    except PermissionError:
        place = RUN.parent  # no such directory, and not ours to make: cover the one above
    _mount("tmpfs", str(place), "tmpfs", MS_NOSUID | MS_NODEV)
    RUN.mkdir(exist_ok=True)
    RUN.chmod(0o755)


def _unshare() -> None:
    """Root takes a mount namespace; anybody else needs a user namespace around it."""
    if _libc.unshare(CLONE_NEWNS) == 0:
        return
    if ctypes.get_errno() != errno.EPERM:
        raise _last_error("unshare")
    user, group = os.getuid(), os.getgid()
    if _libc.unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0:
        raise _last_error("unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _mount(source: str, target: str, kind: str | None, flags: int) -> None:
    filesystem = kind.encode() if kind else None
    if _libc.mount(source.encode(), target.encode(), filesystem, ctypes.c_ulong(flags), None) != 0:
        raise _last_error(f"mount on {target}")


def _last_error(what: str) -> OSError:
    code = ctypes.get_errno()
    return OSError(code, f"{what}: {os.strerror(code)}")
