"""How a message ended. There are three ways, and only one of them is a no."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

from juying.errors import PlatformUnavailable
from juying.services.medical.fields import Record
from juying.text import Text

Answer = TypeVar("Answer", bound=Record)


NOTHING = Text("", "")


class Ending(StrEnum):
    """How a message ended."""

    SUCCESS = "success"
    FAIL = "fail"
    """The platform itself said no: it did nothing."""
    UNKNOWN = "unknown"
    """No answer, or one that cannot be understood: it may have been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[Answer]):
    """The outcome of one message.

    ``output`` is there with SUCCESS only. ``code`` and ``reason`` say why there is none; ``message`` is what the
    platform said in its own words, which may name people. ``sent`` is False when the message certainly never left.
    """

    ending: Ending
    message_id: str
    output: Answer | None = None
    code: str = ""
    reason: Text = NOTHING
    message: str = field(default="", repr=False)
    sent: bool = True

    def known(self) -> Answer:
        """The output; `PlatformUnavailable` when the ending is another than SUCCESS."""
        if self.output is None:
            raise PlatformUnavailable(*self.reason)
        return self.output


UNREACHABLE = "unreachable"
"""Code of a message that never left."""
LATE = "late"
UNREADABLE = "unreadable"
