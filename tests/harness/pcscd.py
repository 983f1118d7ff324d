"""A pcscd of our own with virtual readers, for one process and its children.

::

    with PrivatePcscd(readers=2) as pcscd:
        reader = pcscd.slots[0]        # reader.name for PC/SC, reader.port for the card
"""

import contextlib
import functools
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from smartcard import scard

from tests.harness import namespace

DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
SLOTS_PER_DRIVER = 2  # the driver keeps its slots in static variables: each loaded copy has two
ASK_FOR_ATR = b"\x00\x01\x04"
DEADLINE = 20.0  # seconds for pcscd to start or to end; only a broken machine needs that long
INSTALL = "apt install pcscd libpcsclite1 vsmartcard-vpcd"


class Slot(NamedTuple):
    """One virtual reader: its PC/SC name and the TCP port where its card must call."""

    name: str
    port: int


@functools.cache
def enter_private_namespace() -> None:
    """Move this process aside, once; see ``namespace.enter_private_namespace``."""
    namespace.enter_private_namespace()


class PrivatePcscd:
    """Runs pcscd with ``readers`` virtual readers while the ``with`` block lasts.

    It must be entered from the main thread: pcscd dies with the thread that started it, so that nothing is left
    behind even when the process is killed. RuntimeError, with what to do, when pcscd cannot be had.
    """

    def __init__(self, readers: int = 2) -> None:
        self.slots: tuple[Slot, ...] = ()
        self._readers = readers
        self._free: deque[Slot] = deque()
        self._process: subprocess.Popen[bytes] | None = None
        self._directory = Path()

    def __enter__(self) -> Self:
        self._program = _program("pcscd")
        if not DRIVER.exists():
            raise RuntimeError(f"the virtual reader driver {DRIVER} is missing: {INSTALL}")
        enter_private_namespace()
        self._directory = Path(tempfile.mkdtemp(prefix="juying-pcscd-"))
        try:
            self._set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process id of pcscd."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """What pcscd said so far."""
        return (self._directory / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start pcscd with the readers chosen before and wait until it lists them."""
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    _program("setpriv"), "--pdeathsig", "KILL",
                    self._program, "--foreground", "--config", str(self._directory / "readers"),
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + DEADLINE
        while _readers() != sorted(slot.name for slot in self.slots):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(0.01)
                raise RuntimeError(f"pcscd ended with {code}:\n{self.log}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"pcscd does not list the virtual readers, only {_readers()}:\n{self.log}")

    def stop(self) -> None:
        """End pcscd; its clients get errors, cards in readers are disconnected."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(DEADLINE)
        except subprocess.TimeoutExpired:  # a silent card can hold a driver thread
            self._process.kill()
            self._process.wait()
        self._process = None
        for left in namespace.RUN.glob("pcscd.*"):
            left.unlink()

    def restart(self, *, readers: int | None = None) -> None:
        """Stop and start again, with the same ports; ``readers`` keeps only the first so many."""
        self.stop()
        if readers is not None:
            self._configure(readers)
        self.start()

    @contextlib.contextmanager
    def slot(self) -> Iterator[Slot]:
        """Lend an empty reader that nobody else uses; it must be given back empty."""
        slot = self._free.popleft()
        try:
            yield slot
            self.wait_for_card(slot.name, present=False)
        finally:
            self._free.append(slot)

    def wait_for_card(self, reader: str, *, present: bool) -> None:
        """Wait until pcscd has seen a card come into (or leave) ``reader``."""
        _, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
        wanted = scard.SCARD_STATE_PRESENT if present else scard.SCARD_STATE_EMPTY
        state, deadline = scard.SCARD_STATE_UNAWARE, time.monotonic() + DEADLINE
        try:
            while not state & wanted:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"pcscd never saw the card {'come' if present else 'go'}:\n{self.log}")
                _, [(_, state, _)] = scard.SCardGetStatusChange(context, 1000, [(reader, state)])
        finally:
            scard.SCardReleaseContext(context)

    def wait_until_looked_at(self, slot: Slot) -> None:
        """Wait until pcscd has looked at the empty ``slot`` once more.

        When pcscd cannot reset a card, it calls the reader empty; but should the next card come before it looks
        again, it takes that for the old one and never powers it. A look is a question for the ATR, and not getting
        one it finds the reader empty. The reset that failed may have asked too, so it takes two questions.
        """
        questions = 0
        while questions < 2:
            with socket.create_connection(("127.0.0.1", slot.port), timeout=DEADLINE) as probe:
                questions += probe.recv(len(ASK_FOR_ATR), socket.MSG_WAITALL) == ASK_FOR_ATR

    def _set_up(self) -> None:
        """Choose ports and start; another process may take a port before pcscd does, so try more than once."""
        for attempt in range(3):
            self._ports = _free_ports(-(-self._readers // SLOTS_PER_DRIVER))
            self._configure(self._readers)
            try:
                self.start()
                break
            except RuntimeError:
                self.stop()
                if attempt == 2:
                    raise

    def _configure(self, readers: int) -> None:
        """Write the reader configuration, one copy of the driver for every two readers."""
        configuration = self._directory / "readers"
        shutil.rmtree(configuration, ignore_errors=True)
        configuration.mkdir()
        slots = []
        for index, port in enumerate(self._ports[: -(-readers // SLOTS_PER_DRIVER)]):
            driver = self._directory / f"libifdvpcd{index}.so"
            if not driver.exists():
                shutil.copy(DRIVER, driver)
            name = f"Virtual Reader {index + 1}"
            (configuration / f"reader{index}").write_text(
                f'FRIENDLYNAME "{name}"\nDEVICENAME /dev/null:0x{port:04X}\nLIBPATH {driver}\nCHANNELID 0x{port:04X}\n'
            )
            slots += [Slot(f"{name} 00 {slot:02X}", port + slot) for slot in range(SLOTS_PER_DRIVER)]
        self.slots = tuple(slots)
        self._free = deque(slots)


def _program(name: str) -> str:
    """The full path of a program, also where ordinary users' PATH does not look."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin")
    if found is None:
        raise RuntimeError(f"{name} is not installed: {INSTALL}")
    return found


def _readers() -> list[str] | None:
    """The readers that pcscd lists, or None while it does not answer."""
    code, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if code != scard.SCARD_S_SUCCESS:
        return None
    try:
        return sorted(scard.SCardListReaders(context, [])[1])
    finally:
        scard.SCardReleaseContext(context)


def _free_ports(count: int) -> list[int]:
    """``count`` ports, each free together with the next one, below the range of outgoing connections."""
    ports: list[int] = []
    candidates = list(range(20000, 32000, SLOTS_PER_DRIVER))
    random.shuffle(candidates)
    while len(ports) < count:
        port = candidates.pop()
        if all(_is_free(port + slot) for slot in range(SLOTS_PER_DRIVER)):
            ports.append(port)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
