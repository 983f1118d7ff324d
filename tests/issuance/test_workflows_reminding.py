"""Reminders: when, of what, to whom, in which words, and each once."""

import email
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from juying.errors import InputError, PlatformUnavailable
from juying.issuance.permit_life import Step
from juying.issuance.workflows.delivery import PASSWORD, Mail, Outbox
from juying.issuance.workflows.reminding import Reminding, body, due
from juying.ledger import schema
from tests import people
from tests.issuance.working import TODAY, Desk, desk
from tests.library.test_connections import certificate

SENDER = "office@example.org"


@pytest.fixture
def office(database: str, tmp_path: Path) -> Iterator[Desk]:
    with desk(database, tmp_path) as opened:
        yield opened


def in_days(days: int) -> date:
    return TODAY + timedelta(days=days)


@pytest.mark.parametrize(
    ("left", "step"),
    [
        (91, None),
        (90, Step.WINDOW_OPENS),
        (45, Step.WINDOW_OPENS),
        (44, Step.WINDOW_CLOSES),
        (30, Step.WINDOW_CLOSES),
        (29, None),
        (8, None),
        (7, Step.ENDS),
        (0, Step.ENDS),
        (-1, None),
    ],
)
def test_what_is_due(left: int, step: Step | None) -> None:
    found = due(people.permit(valid_until=in_days(left)), TODAY)
    assert (found.step if found else None) == step


def outbox(office: Desk) -> list[EmailMessage]:
    folder = office.folder / "outbox"
    files = sorted(folder.iterdir()) if folder.exists() else []
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    return [email.message_from_bytes(file.read_bytes(), EmailMessage, policy=SMTP) for file in files]


def test_each_is_told_once_and_the_next_one_later(office: Desk) -> None:
    office.add(3, holder={"email": "anna@example.org"}, valid_until=in_days(60))
    office.add(1, first=7, valid_until=in_days(91))
    task = Reminding(Outbox(office.folder / "outbox"), SENDER, size=2)
    assert office.do(task) == {"reminded": 3, "problems": []}
    assert office.do(task) == {"reminded": 0, "problems": []}
    assert len(outbox(office)) == 3
    assert {message["To"] for message in outbox(office)} == {"anna@example.org"}
    assert office.do(task, in_days(20))["reminded"] == 3
    assert office.do(task, in_days(60))["reminded"] == 3
    assert len(outbox(office)) == 9
    assert len(office.rows(schema.reminders)) == len(office.events("reminded")) == 9


def test_a_worker_that_dies_before_it_notes_it_leaves_one_message(
    office: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.add(1, holder={"email": "anna@example.org"}, valid_until=in_days(60))
    task = Reminding(Outbox(office.folder / "outbox"), SENDER)
    with monkeypatch.context() as patch:
        patch.setattr(Reminding, "_set_told", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            office.do(task)
    (first,) = outbox(office)
    assert office.do(task)["reminded"] == 1
    (second,) = outbox(office)
    assert first["Message-ID"] == second["Message-ID"]


def test_holders_without_an_address_are_the_offices_or_told(office: Desk) -> None:
    office.add(1, valid_until=in_days(60))
    done = office.do(Reminding(Outbox(office.folder / "outbox"), SENDER))
    assert (done["reminded"], done["problems"]) == (
        0, [["permits/1", "没有电子邮件地址 / there is no e-mail address"]],
    )  # fmt: skip
    assert office.do(Reminding(Outbox(office.folder / "outbox"), SENDER, "desk@example.org"))["reminded"] == 1
    assert outbox(office)[0]["To"] == "desk@example.org"


def test_the_words_name_nobody(office: Desk) -> None:
    office.add(1, holder={"email": "anna@example.org"}, valid_until=in_days(40))
    office.do(Reminding(Outbox(office.folder / "outbox"), SENDER))
    (message,) = outbox(office)
    text = message.get_content()
    assert "有效期至 2027-01-10。2026-12-11 是申请延期的最后一天。" in text
    assert "is valid until 2027-01-10. 2026-12-11 is the last day to apply for an extension." in text
    assert message["Subject"] == "外国人工作许可到期提醒 / Your work permit ends soon"
    assert message["From"] == SENDER
    for value in ("ERIKSSON", "安娜", "X0000000", "ZJ00000000"):
        assert value not in text
    permit = people.permit(valid_until=in_days(3))
    (last,) = [step for step in [due(permit, TODAY)] if step]
    assert "0001" in body(permit, last)
    assert "gives no right to work" in body(permit, last)


def test_a_file_that_cannot_be_written_is_tried_later(tmp_path: Path) -> None:
    (tmp_path / "1.eml" / "x").mkdir(parents=True)
    with pytest.raises(PlatformUnavailable, match="cannot be written"):
        Outbox(tmp_path).deliver(message())


def test_an_outbox_that_is_away_is_tried_later(office: Desk) -> None:
    office.add(1, holder={"email": "anna@example.org"}, valid_until=in_days(60))
    (office.folder / "outbox").write_text("a file")
    with pytest.raises(PlatformUnavailable):
        office.do(Reminding(Outbox(office.folder / "outbox"), SENDER))
    assert office.rows(schema.reminders) == []


@dataclass
class Server:
    """A mail server in a thread: takes one message, or answers ``refuse`` with a code to one of its commands."""

    context: ssl.SSLContext
    at_once: bool = False
    refuse: dict[str, int] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    message: bytes = b""

    def __enter__(self) -> "Server":
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with closing(self.socket):
            self.thread.join()

    def serve(self) -> None:
        with suppress(ssl.SSLError):  # the client does not trust us
            self.answer()

    def answer(self) -> None:
        line, _ = self.socket.accept()
        with closing(line):
            if self.at_once:
                line = self.context.wrap_socket(line, server_side=True)
            line.sendall(b"220 ready\r\n")
            stream = line.makefile("rb")
            while data := stream.readline():
                command = data.decode().split()[0].upper()
                self.commands.append(data.decode().strip())
                code = self.refuse.get(command)
                if code is not None:
                    line.sendall(f"{code} no\r\n".encode())
                elif command == "EHLO":
                    line.sendall(b"250-here\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
                elif command == "STARTTLS":
                    line.sendall(b"220 go\r\n")
                    line = self.context.wrap_socket(line, server_side=True)
                    stream = line.makefile("rb")
                elif command == "AUTH":
                    line.sendall(b"235 welcome\r\n")
                elif command == "DATA":
                    line.sendall(b"354 go\r\n")
                    self.message = b"".join(iter(stream.readline, b".\r\n"))
                    line.sendall(b"250 taken\r\n")
                elif command == "QUIT":
                    line.sendall(b"221 bye\r\n")
                    break
                else:
                    line.sendall(b"250 fine\r\n")
            stream.close()
            line.close()


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's and the client's."""
    path, key = certificate(tmp_path_factory.mktemp("mail"), "mail.example")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path, key)
    return server, ssl.create_default_context(cafile=path)


def message() -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"], made["Message-ID"] = SENDER, "anna@example.org", "x", "<1@x>"
    made.set_content("您好")
    return made


@pytest.mark.parametrize("user", ["", "office"])
def test_mail_goes_out_over_tls(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "secret")
    with Server(contexts[0]) as server:
        mail = Mail("127.0.0.1", server.port, user, contexts[1])
        mail.deliver(message())
    assert b"Message-ID: <1@x>" in server.message
    assert server.commands.index("STARTTLS") < server.commands.index("mail FROM:<office@example.org>")
    assert any(command.startswith("AUTH") for command in server.commands) == bool(user)
    assert "office" not in repr(mail)
    assert "secret" not in repr(mail)


def test_mail_on_the_port_for_tls_begins_with_it(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(contexts[0], at_once=True) as server:
        monkeypatch.setattr(smtplib, "SMTP_SSL_PORT", server.port)
        Mail("127.0.0.1", server.port, context=contexts[1]).deliver(message())
    assert server.message


@pytest.mark.parametrize(("command", "code"), [("RCPT", 550), ("DATA", 554)])
def test_what_a_server_refuses_for_good_is_told(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], command: str, code: int
) -> None:
    with Server(contexts[0], refuse={command: code}) as server, pytest.raises(InputError, match="refuses"):
        Mail("127.0.0.1", server.port, context=contexts[1]).deliver(message())


@pytest.mark.parametrize(("command", "code"), [("RCPT", 450), ("DATA", 451), ("EHLO", 421), ("STARTTLS", 454)])
def test_what_a_server_cannot_do_now_is_tried_later(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext], command: str, code: int
) -> None:
    refuse = {command: code, **({"HELO": code} if command == "EHLO" else {})}
    with Server(contexts[0], refuse=refuse) as server, pytest.raises(PlatformUnavailable) as caught:
        Mail("127.0.0.1", server.port, context=contexts[1]).deliver(message())
    assert "example.org" not in str(caught.value)


def test_a_server_whose_certificate_does_not_count_gets_nothing(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    with Server(contexts[0]) as server, pytest.raises(PlatformUnavailable, match="SSLCertVerificationError"):
        Mail("127.0.0.1", server.port).deliver(message())
    assert server.message == b""


def test_a_message_that_is_refused_is_a_problem_and_stays_untold(
    office: Desk, contexts: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    office.add(1, holder={"email": "anna@example.org"}, valid_until=in_days(60))
    with Server(contexts[0], refuse={"RCPT": 550}) as server:
        done = office.do(Reminding(Mail("127.0.0.1", server.port, context=contexts[1]), SENDER))
    assert done == {"reminded": 0, "problems": [["permits/1", "邮件服务器拒收 / the mail server refuses the message"]]}
    assert office.rows(schema.reminders) == []
