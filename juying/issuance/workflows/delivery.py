"""How reminders reach people: by mail, or as files that somebody else sends."""

import os
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Protocol

from juying.errors import InputError, PlatformUnavailable
from juying.issuance.workflows.folders import put

PASSWORD = "JUYING_SMTP_PASSWORD"  # noqa: S105
"""The variable with the password of the mail account."""
TIMEOUT = 20.0
"""Seconds that the mail server has for each answer."""


class Delivers(Protocol):
    """A way for messages to go out."""

    def deliver(self, message: EmailMessage) -> None:
        """Take over one message; when this returns, it is on its way.

        The ``Message-ID`` is the same whenever the same message is delivered. Raises `PlatformUnavailable` when it may
        be tried again later, `InputError` for a message that will never be taken.
        """


@dataclass(frozen=True, slots=True)
class Outbox:
    """A folder of ``.eml`` files, each readable by its owner only, that a mail program or a clerk sends.

    The same message is the same file, so delivering it twice leaves one.
    """

    folder: Path

    def deliver(self, message: EmailMessage) -> None:
        """Write the file."""
        name = message["Message-ID"].strip("<>").partition("@")[0]
        put(self.folder / f"{name}.eml", message.as_bytes(policy=SMTP))


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server, over TLS: from the beginning on port 465, else by STARTTLS.

    Without ``user`` nobody logs in. ``context`` says whose certificates are good, by default those of this machine.
    """

    host: str
    port: int = 465
    user: str = field(default="", repr=False)
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context, repr=False)

    def deliver(self, message: EmailMessage) -> None:
        """Send it; the server has taken it when this returns."""
        try:
            with self._connected() as server:
                server.send_message(message)
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as error:
            if _is_temporary(error):
                raise self._unavailable(error) from None
            raise InputError("邮件服务器拒收", "the mail server refuses the message", where=self.host) from None
        except (OSError, smtplib.SMTPException) as error:
            raise self._unavailable(error) from None

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        if self.port == smtplib.SMTP_SSL_PORT:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT, context=self.context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=TIMEOUT)
        with server:
            if self.port != smtplib.SMTP_SSL_PORT:
                server.starttls(context=self.context)
            if self.user:
                server.login(self.user, os.environ.get(PASSWORD, ""))
            yield server

    def _unavailable(self, error: Exception) -> PlatformUnavailable:
        # The server's own words may repeat addresses.
        reason = type(error).__name__
        return PlatformUnavailable(
            f"邮件发不出去（{reason}），稍后再试", f"mail cannot be sent ({reason}), to be tried later", where=self.host
        )


def _is_temporary(error: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError) -> bool:
    """Whether the server says that a later try may do: codes from 400 to 499."""
    if isinstance(error, smtplib.SMTPDataError):
        codes = [error.smtp_code]
    else:
        codes = [code for code, _ in error.recipients.values()]
    return all(400 <= code < 500 for code in codes)
