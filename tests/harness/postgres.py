"""A PostgreSQL of our own, for one process and its children.

::

    with PrivatePostgres() as postgres:
        url = postgres.new_database()
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

SOCKET_PORT = 5432  # names the socket file; nothing listens on a network
INSTALL = "apt install postgresql"
DEADLINE = "60"  # seconds for the server to start or to end; only a broken machine needs that long


class PrivatePostgres:
    """Runs a server with an empty cluster while the ``with`` block lasts, reachable through a socket file only.

    The server ends with the process that started it, even when that is killed. Nothing is flushed to the disk unless
    ``durable``: a killed server process loses nothing all the same, only a power cut would. RuntimeError, with what to
    do, when PostgreSQL cannot be had.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._folder = Path()
        self._server: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="juying-pg-"))
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self._folder, "postgres", "postgres")
        try:
            self._run("initdb", "--pgdata", self._data, "--auth=trust", "--username=juying", "--encoding=UTF8",
                      "--locale=C.UTF-8", "--no-sync", "--no-instructions")  # fmt: skip
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server and wait until it answers; what it holds stays from one start to the next."""
        options = {
            "listen_addresses": "", "unix_socket_directories": str(self._folder), "port": str(SOCKET_PORT),
            "fsync": "on" if self._durable else "off", "max_connections": "200",
        }  # fmt: skip
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with (self._folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [*_as_postgres("--pdeathsig", "INT"), _program("postgres"), "-D", self._data, *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        while subprocess.run(
            [_program("pg_isready"), "--quiet", "--host", str(self._folder), "--port", str(SOCKET_PORT),
             "--timeout", DEADLINE], check=False,
        ).returncode:  # fmt: skip
            try:
                self._server.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError(f"PostgreSQL ended:\n{(self._folder / 'log').read_text(errors='replace')}")

    def stop(self, *, kill: bool = False) -> None:
        """End the server at once, connections and all; ``kill`` gives it no time to tidy up."""
        if self._server is None:
            return
        # Of the three ways to ask, QUIT tells every process of the server to leave without tidying up.
        self._server.send_signal(signal.SIGQUIT if kill else signal.SIGINT)
        self._server.wait(float(DEADLINE))
        self._server = None

    def new_database(self) -> str:
        """Make an empty database and give its URL."""
        name = f"juying{next(self._numbers)}"
        self._ask("createdb", name)
        return f"postgresql://juying@/{name}?host={self._folder}&port={SOCKET_PORT}"

    def drop_database(self, url: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._ask("dropdb", "--force", urlsplit(url).path.removeprefix("/"))

    def _ask(self, program: str, *arguments: str) -> None:
        self._run(program, "--host", str(self._folder), "--port", str(SOCKET_PORT), "--username=juying", *arguments)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        done = subprocess.run(
            [*_as_postgres(), _program(program), *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=self._folder,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr}")


def _as_postgres(*options: str) -> list[str]:
    """What runs a program as somebody else than root."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise RuntimeError("setpriv is not installed: apt install util-linux")
    user = ["--reuid", "postgres", "--regid", "postgres", "--init-groups"] if os.getuid() == 0 else []
    return [setpriv, *user, *options] if user or options else []


def _program(name: str) -> str:
    """The full path of a program; Debian keeps those of the server out of the way."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ.get("PATH", "")]))
    if found is None:
        raise RuntimeError(f"{name} is not installed: {INSTALL}")
    return found
