"""Libraries as services: ``[library.NAME]`` of the configuration, one adapter for each library and each branch."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

from juying.errors import FieldError, PlatformUnavailable
from juying.services.adapter import Blocking
from juying.services.guard import Guard
from juying.services.library.client import LibraryClient
from juying.services.library.codec import Received
from juying.services.library.eligibility import checks, evidence
from juying.services.library.messages import PatronInformationAnswer, PatronStatusAnswer
from juying.services.library.plans import check_number
from juying.services.library.site import Site, sites
from juying.services.presentation import NUMBERS, Presentation
from juying.services.resilience import Deadline
from juying.services.verdict import Verdict
from juying.text import Text

AskPin = Callable[[Presentation], str | None]
"""Asks the reader for the PIN; None where there is none."""


class LibraryAdapter(Blocking):
    """May the one who shows this borrow at this library?

    Connections stay open between questions and are shared by threads; `close` closes them.
    """

    def __init__(self, site: Site, *, ask_pin: AskPin | None = None) -> None:
        """``ask_pin`` is a terminal's own way to ask for the PIN; without one none is sent."""
        self.site = site
        self.name = f"library.{site.name}"
        self.title = site.title
        self.client = LibraryClient(site)
        self._ask_pin = ask_pin
        self._guard = Guard(self.name, site.resilience)
        self._salt = secrets.token_bytes(16)

    def check(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        """Ask the library; a system that is slow, away or confused is UNDETERMINED."""
        number = presentation.number(self.site.reader_number)
        if not number:
            return self._without_number(now)
        reader = self.site.reader_prefix + number
        try:
            check_number(reader, "reader")
        except FieldError as error:
            return Verdict.unknown(self.name, "reader-number-unusable", error.text, now=now, name="reader")
        pin = self._ask_pin(presentation) if self._ask_pin else None
        subject = reader
        if pin:  # an answer from before counts for the same PIN only, and no file may know it
            subject += "\0" + blake2b(pin.encode(), key=self._salt).hexdigest()

        def attempt(left: Deadline) -> Verdict:
            return self._verdict(self.client.reader(reader, pin, deadline=left), reader, pin, now)

        try:
            return self._guard.ask(subject, attempt, now=now, deadline=deadline)
        except FieldError as error:  # a PIN, or a setting, that the protocol cannot carry
            return Verdict.unknown(self.name, "cannot-be-sent", error.text, now=now)

    def close(self) -> None:
        """Close all connections."""
        self.client.close()

    def _verdict(self, received: Received, reader: str, pin: str | None, now: datetime) -> Verdict:
        answer = received.message
        if not isinstance(answer, PatronInformationAnswer | PatronStatusAnswer):
            raise PlatformUnavailable("应答不是读者信息", "the answer is not about a reader", where=self.name)
        found = evidence(answer, reader) | {"asked_by": self.site.reader_number}
        if received.problems:
            found["problems"] = [problem._asdict() for problem in received.problems]
        return Verdict.of(self.name, checks(answer, self.site.policy, pin_sent=bool(pin)), evidence=found, now=now)

    def _without_number(self, now: datetime) -> Verdict:
        title = NUMBERS[self.site.reader_number]
        return Verdict.unknown(
            self.name,
            "reader-number-missing",
            Text(f"出示的卡或码中没有{title.zh}，无法查询", f"what was shown holds no {title.en}, so nobody was asked"),
            now=now,
            name="reader",
        )


def library_adapter(table: Mapping[str, Any]) -> Sequence[LibraryAdapter]:
    """The adapters of the table ``library`` of a configuration. Raises `InputError` for what is wrong in it."""
    return tuple(LibraryAdapter(site) for site in sites(table))
