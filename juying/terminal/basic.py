"""The eleven fields of iReadCardBas."""

from dataclasses import dataclass

from juying.codec.rules import AccessRule, access_rule
from juying.codec.spec import Profile
from juying.errors import AccessRefused
from juying.terminal.addresses import ENVIRONMENT
from juying.terminal.answers import told
from juying.terminal.card import TerminalCard

NUMBER, NAME, CARD_NUMBER = "holder.social_security_number", "holder.registered_name", "card.number"
HIDDEN = (NUMBER, CARD_NUMBER, NAME)
"""The fields that a card of the third generation shows after authentication only: 2, 3 and 5."""


def hidden_rules(profile: Profile) -> list[AccessRule]:
    """The read rules of those three fields, where they are not free."""
    rules = [access_rule(record.read) for name in HIDDEN for _, record in profile.by_field(name) if record is not None]
    return [rule for rule in rules if not rule.allows(frozenset())]


@dataclass(frozen=True, slots=True)
class BasicData:
    """The two fields that come from the terminal: 终端机编号 (12 digits) and 终端设备号 (20 digits)."""

    terminal_number: str = ""
    device_number: str = ""

    def read(self, card: TerminalCard, *, may_hide: bool) -> str:
        """All eleven, each ended by ``|``.

        With ``may_hide`` fields that the card does not show are empty. Raises `CallError` otherwise, and when the card
        has no identifier.
        """
        identifier = card.identifier()

        def value(field: str) -> str:
            try:
                return told(card.value(field))
            except AccessRefused as error:
                if may_hide and field in HIDDEN:
                    return ""
                raise card.why(error, ENVIRONMENT) from None

        fields = (
            identifier[:6],
            value(NUMBER),
            value(CARD_NUMBER),
            identifier,
            value(NAME),
            card.historical.hex().upper(),
            value("card.version"),
            value("card.issued_on"),
            value("card.expires_on"),
            self.terminal_number,
            self.device_number,
        )
        return "".join(f"{field}|" for field in fields)
