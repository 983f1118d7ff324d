"""Connections: TLS that cannot be talked down, a bounded pool, keeping idle ones alive."""

import asyncio
import datetime
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from juying.errors import InputError, PlatformUnavailable
from juying.services.library.async_client import AsyncLibraryClient
from juying.services.library.client import LibraryClient
from juying.services.library.selftest import selftest
from juying.services.library.session import Open, Plan
from juying.services.library.site import Site
from juying.services.resilience import Deadline
from tests.library.asking import Asked, Loop
from tests.library.conftest import LibrarySystem
from tests.peers.running import running

Ask = Callable[..., Asked]


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """A certificate that signs itself, for ``name`` and 127.0.0.1, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    names = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(paths[0]), str(paths[1])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def secure(folder: Path) -> Iterator[tuple[LibrarySystem, str]]:
    """A library system behind TLS, and the authority that its certificate leads to."""
    path, key = certificate(folder, "sip2.example")
    with running("tests.peers.sip2", "--tls", path, key) as peer:
        yield LibrarySystem(peer), path


def test_verified_tls(ask: Ask, secure: tuple[LibrarySystem, str]) -> None:
    system, authority = secure
    system.begin()
    for name in ({}, {"server_name": "sip2.example"}):
        client = ask(port=system.port, tls=True, ca_file=authority, **name)
        assert client.reader("R0001").message.valid
    assert system.sent.count("93") == 2


def test_an_unknown_certificate_is_sent_nothing(ask: Ask, secure: tuple[LibrarySystem, str], folder: Path) -> None:
    system, _ = secure
    system.begin()
    other, _ = certificate(folder, "other.example")
    for authority in ({}, {"ca_file": other}):
        with pytest.raises(PlatformUnavailable, match="certificate of the server does not count"):
            ask(port=system.port, tls=True, **authority).reader("R0001")
    assert system.sent == []


def test_a_certificate_for_another_name_is_sent_nothing(ask: Ask, secure: tuple[LibrarySystem, str]) -> None:
    system, authority = secure
    system.begin()
    with pytest.raises(PlatformUnavailable, match="Hostname mismatch"):
        ask(port=system.port, tls=True, ca_file=authority, server_name="impostor.example").reader("R0001")
    assert system.sent == []


def test_no_clear_text_where_tls_was_wanted(ask: Ask, system: LibrarySystem) -> None:
    """The port has no TLS: the terminal's password does not go over it."""
    with pytest.raises(PlatformUnavailable):
        ask(tls=True, impatient=True).reader("R0001")
    assert "93" not in system.sent


def test_authorities_that_are_not_there(ask: Ask, site: Callable[..., Site], folder: Path) -> None:
    """A mistake in the configuration is found before anybody shows a card."""
    (folder / "empty.pem").write_bytes(b"")
    for name, reason in (("no-such-file.pem", "FileNotFoundError"), (str(folder / "empty.pem"), "SSLError")):
        with pytest.raises(InputError, match=reason) as caught:
            ask(tls=True, ca_file=name)
        assert caught.value.where == "library.sample.ca_file"
        with pytest.raises(InputError, match=reason):
            selftest(site(tls=True, ca_file=name))


def test_a_host_that_nobody_knows(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(PlatformUnavailable, match="the name of the host cannot be resolved"):
        ask(host="no-such-host.invalid").reader("R0001")


def test_the_pool_is_bounded(client: Callable[..., LibraryClient], system: LibrarySystem) -> None:
    one = client(connections=2)
    threads = [threading.Thread(target=one.reader, args=("R0001",)) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    told = system.told
    assert told["connections"] <= 2
    assert told["sent"].count("63") == 12


def test_nobody_waits_for_a_place_beyond_the_deadline(client: Callable[..., LibraryClient]) -> None:
    """A plan that is on its way holds the only place; another one gives up in time."""
    one = client(connections=1)

    def plan() -> Plan[str]:
        yield Open.ANY
        with pytest.raises(PlatformUnavailable, match="all connections are in use") as caught:
            one.status(deadline=Deadline.after(0.05))
        return caught.value.text.en

    assert one.run(plan()).startswith("Sample Library")


def test_no_task_waits_for_a_place_beyond_the_deadline(site: Callable[..., Site], system: LibrarySystem) -> None:
    system.begin("silent")

    async def both() -> list[BaseException | Any]:
        async with AsyncLibraryClient(site(connections=1, impatient=True)) as one:
            waiting = one.status(deadline=Deadline.after(0.05))
            return await asyncio.gather(one.status(), waiting, return_exceptions=True)

    silent, waited = asyncio.run(both())
    assert "no answer in time" in str(silent)
    assert "all connections are in use" in str(waited)


def test_idle_connections_are_kept_alive(system: LibrarySystem, site: Callable[..., Site]) -> None:
    now = [0.0]
    with asyncio.Runner() as runner:
        for make in (LibraryClient, lambda *a, **o: Loop(*a, runner, **o)):
            system.begin()
            one = make(site(keep_alive=100), clock=lambda: now[0])
            one.reader("R0001")
            assert one.keep_alive() == 1
            assert system.sent == ["93", "99", "63"]  # it was heard of just now
            now[0] += 60
            assert one.keep_alive() == 1
            assert system.sent == ["93", "99", "63", "99"]
            system.change("no-status")
            now[0] += 60
            assert one.keep_alive() == 0
            assert one.keep_alive() == 0
            one.close()


def test_connections_are_kept_alive_by_themselves(ask: Ask, system: LibrarySystem) -> None:
    one = ask(keep_alive=0.05)
    one.reader("R0001")
    while (one.meanwhile(lambda: system.sent) if isinstance(one, Loop) else system.sent).count("99") < 3:
        pass


def test_a_client_that_nobody_holds_is_not_kept_alive(site: Callable[..., Site], system: LibrarySystem) -> None:
    one = LibraryClient(site(keep_alive=0.05))
    one.reader("R0001")
    keeper, gone = one._keeper, weakref.ref(one)
    assert keeper is not None
    del one
    keeper.join()
    assert gone() is None


def test_a_loan_is_not_sent_on_a_connection_that_was_cut(ask: Ask, system: LibrarySystem) -> None:
    """99 comes first, on the old connection in vain, then on a new one; the loan is sent once."""
    one = ask()
    system.begin("hang-up")
    one.reader("R0001")
    system.begin()
    assert one.checkout("R0001", "B0001").done
    assert system.sent == ["93", "99", "11"]
    assert one.checkin("B0001").done
    assert system.sent[3:] == ["99", "09"]


def test_what_cannot_be_sent_is_not_lost(ask: Ask, system: LibrarySystem, unused_port: int) -> None:
    """Before a loan is on its way an error is an error, and nothing has happened."""
    with pytest.raises(PlatformUnavailable):
        ask(port=unused_port).checkout("R0001", "B0001")
    one = ask()
    system.change("cut")
    with pytest.raises(PlatformUnavailable):
        one.pay("R0005", 5)
    assert system.ledger == []


def test_no_time_is_left(ask: Ask, system: LibrarySystem) -> None:
    with pytest.raises(PlatformUnavailable, match=r"no answer in time|all connections are in use"):
        ask().reader("R0001", deadline=Deadline.after(0))
