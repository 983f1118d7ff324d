"""The exceptions of juying, all in one tree.

::

    JuyingError
    ├── InputError                bad use or bad input; nothing was done with it
    │   ├── FieldError            one value breaks a rule (names field, problem and rule, never the value)
    │   ├── RecordError           several FieldErrors of one record
    │   ├── ProfileError          a profile file is wrong (file, line, nearest known key)
    │   └── DecodeError           bytes or text that no parser of ours accepts
    ├── KeyUseError               a key is missing, unusable or may not be used for this
    ├── PlatformUnavailable       a server could not be asked, so nothing can be said
    │   └── LedgerUnavailable         the ledger's database is gone; the step goes on when it is back
    └── CardError                 reader or card
        ├── TransportError        no connection to the card
        │   ├── ServiceUnavailable    the smart-card service is not running
        │   ├── ReaderUnavailable     no such reader, or it was unplugged
        │   ├── CardRemoved           no card in the reader, or it was pulled out
        │   └── CommandTimeout        the card did not answer in time
        ├── StatusError           the card answered with an error status word
        │   └── AccessRefused         it wants a key or PIN that it was not shown
        ├── ProtocolError         the card's answer breaks ISO 7816
        ├── CardRefused           this card must not be written (somebody else's, blocked, wrong profile)
        └── ReadBackError         the card does not hold what was written

Every message exists in Chinese and English and says what failed, where, and what to do. No message holds
personal data, a key or a PIN.
"""

from collections.abc import Sequence

from juying.text import Text


class JuyingError(Exception):
    """Root of the tree.

    ``text`` is the message in both languages, ``where`` the place (file, row, record, step) or empty.
    """

    def __init__(self, zh: str, en: str, *, where: str = "") -> None:
        """Take the message in both languages and the place it belongs to."""
        self.text = Text(zh, en)
        self.where = where
        super().__init__(zh, en)

    def __str__(self) -> str:
        """The place, then both languages."""
        return f"{self.where}: {self.text}" if self.where else str(self.text)


class InputError(JuyingError):
    """Bad use or bad input; nothing was done with it."""


class FieldError(InputError):
    """One value breaks a rule.

    ``field`` is the name of the field in the model, ``problem`` what is wrong with the value and ``rule``
    where the rule comes from. The value itself is not kept: it may be personal.
    """

    def __init__(self, field: str, problem: Text, rule: Text) -> None:
        """Name the field, the problem and the rule."""
        self.field = field
        self.problem = problem
        self.rule = rule
        super().__init__(f"{problem.zh}（规则：{rule.zh}）", f"{problem.en} (rule: {rule.en})", where=field)


class RecordError(InputError):
    """One record breaks several rules; ``errors`` holds each of them."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        """Gather the errors of one record; there must be at least one."""
        self.errors = tuple(errors)
        super().__init__(
            "；".join(f"{error.where}：{error.text.zh}" for error in self.errors),
            "; ".join(f"{error.where}: {error.text.en}" for error in self.errors),
        )


class ProfileError(InputError):
    """A profile file is wrong; ``where`` is ``file:line``."""


class DecodeError(InputError):
    """Bytes or text that no parser of ours accepts: wrong length, wrong structure, over a limit."""


class KeyUseError(JuyingError):
    """A key is missing, cannot be used, or may not be used for this."""


class PlatformUnavailable(JuyingError):
    """A server could not be asked, or its answer was not understood: nothing can be said, least of all "no"."""


class LedgerUnavailable(PlatformUnavailable):
    """The database of the ledger cannot be used now; what was recorded stays."""


class CardError(JuyingError):
    """Something between us and the card went wrong."""


class TransportError(CardError):
    """There is no connection to the card (any more)."""


class ServiceUnavailable(TransportError):
    """The smart-card service of the machine is not running."""


class ReaderUnavailable(TransportError):
    """There is no such reader, or it was unplugged."""


class CardRemoved(TransportError):
    """There is no card in the reader, or it was pulled out."""


class CommandTimeout(TransportError):
    """The card did not answer in time."""


class StatusError(CardError):
    """The card answered with an error status word, ``sw`` (0x0000 to 0xFFFF)."""

    def __init__(self, sw: int, meaning: Text, *, where: str = "") -> None:
        """Keep the status word and its meaning; ``where`` names the step."""
        self.sw = sw
        super().__init__(f"卡片返回 {sw:04X}：{meaning.zh}", f"the card answered {sw:04X}: {meaning.en}", where=where)


class AccessRefused(StatusError):
    """The card wants a key or the holder's PIN that it was not, or could not be, shown.

    ``rule`` is the access rule of the profile (empty where none applies), ``missing`` the grants in it that could not
    be had, such as ``key:UK7``. ``sw`` is what the card answered; 6982 when it was not even asked, because the
    answer was clear.
    """

    def __init__(self, sw: int, text: Text, *, rule: str = "", missing: Sequence[str] = (), where: str = "") -> None:
        """Keep the status word, the whole explanation, and what it is about; ``where`` names the step."""
        self.sw = sw
        self.rule = rule
        self.missing = tuple(missing)
        CardError.__init__(self, *text, where=where)


class ProtocolError(CardError):
    """The card's answer breaks ISO 7816, or exceeds a limit of ours."""


class CardRefused(CardError):
    """This card must not be written: it is somebody else's, blocked, or of another profile."""


class ReadBackError(CardError):
    """The card does not hold what was written."""
