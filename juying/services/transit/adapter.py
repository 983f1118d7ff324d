"""Transit as a service: ``[transit]`` or ``[transit.NAME]`` of the configuration, one adapter for each gate.

An empty table, or none, is a gate that knows nothing of its city: it makes the checks that need no lists, and can
refuse a card but never let one pass.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from juying.card.tunion import TransitCard
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.transit.gate import SERVICE, rule
from juying.services.transit.site import Site, sites
from juying.services.verdict import Verdict
from juying.text import Text


class TransitAdapter:
    """May the one who shows this card ride here? Decided at once, from what was read of the chip."""

    def __init__(self, site: Site | None = None) -> None:
        """Take a gate; None for one that nothing is known of."""
        self.site = site
        self.name = site.name if site else SERVICE
        self.title = site.title if site else Text("交通联合", "China T-Union transit")

    def check(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        """Decide; a code, or a card without a transit application, is UNDETERMINED."""
        card = presentation.transit
        if isinstance(card, TransitCard):
            return rule(card, self.site, now=now).verdict
        code, text = _MISSING[presentation.carrier]
        return Verdict.unknown(self.name, code, text, now=now, name="application")

    async def acheck(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        """As `check`: nothing in it waits."""
        return self.check(presentation, now=now, deadline=deadline)


_MISSING = {
    "qr": (
        "no-chip",
        Text("二维码中没有交通卡，请出示实体卡", "a code holds no transit card; show the card itself"),
    ),
    "chip": (
        "no-application",
        Text("没有读到可用的交通联合应用", "no transit application that works was read from the card"),
    ),
}


def transit_adapter(table: Mapping[str, Any]) -> Sequence[TransitAdapter]:
    """The adapters of the table ``transit`` of a configuration. Raises `InputError` for what is wrong in it."""
    return [TransitAdapter(site) for site in sites(table)] or [TransitAdapter()]
