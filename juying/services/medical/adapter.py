"""Medical settlement as a service: asks the platform, with the patience of the site's policy, and gives a verdict."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from juying.services.guard import Guard
from juying.services.medical.channel import Channel
from juying.services.medical.client import AsyncNhsaClient, NhsaClient, tls
from juying.services.medical.eligibility import Examination, examine, shown
from juying.services.medical.person import PersonQuery
from juying.services.medical.site import Site, load_sites
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.verdict import Verdict
from juying.text import Text


class MedicalAdapter:
    """One institution, asked about cards and e-vouchers by 1101 and 2001. It moves no money."""

    def __init__(self, site: Site) -> None:
        """Raises `InputError` for certificates that are no use."""
        self.site, self.name = site, site.name
        self.title = Text(
            f"医保结算 {site.fixmedins_name}", f"medical settlement {site.name.partition('.')[2]}".strip()
        )
        self._channel, self._context = Channel(site), tls(site)
        self._client = NhsaClient(self._channel, context=self._context)
        self._guard = Guard(site.name, site.resilience)

    def check(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        """As `juying.services.adapter.Adapter.check`."""
        query, check = shown(self.site, presentation)
        if query is None:
            return Verdict.of(self.name, [check], now=now)
        return self._guard.ask(
            _subject(query),
            lambda until: self._examine(examine(self.site, query, check, now=now), until),
            now=now,
            deadline=deadline,
        )

    async def acheck(self, presentation: Presentation, *, now: datetime, deadline: Deadline | None = None) -> Verdict:
        """As `juying.services.adapter.Adapter.acheck`."""
        query, check = shown(self.site, presentation)
        if query is None:
            return Verdict.of(self.name, [check], now=now)
        return await self._guard.aask(
            _subject(query),
            lambda until: self._aexamine(examine(self.site, query, check, now=now), until),
            now=now,
            deadline=deadline,
        )

    def _examine(self, examination: Examination, until: Deadline) -> Verdict:
        try:
            ask = next(examination)
            while True:
                result = self._client.call(ask.transaction, ask.question, insured_in=ask.insured_in, deadline=until)
                ask = examination.send(result)
        except StopIteration as end:
            verdict: Verdict = end.value
            return verdict

    async def _aexamine(self, examination: Examination, until: Deadline) -> Verdict:
        # A client belongs to its event loop, and an adapter may be asked from several.
        async with AsyncNhsaClient(self._channel, context=self._context) as client:
            try:
                ask = next(examination)
                while True:
                    result = await client.call(ask.transaction, ask.question, insured_in=ask.insured_in, deadline=until)
                    ask = examination.send(result)
            except StopIteration as end:
                verdict: Verdict = end.value
                return verdict


def _subject(query: PersonQuery) -> str:
    return f"{query.mdtrt_cert_type}:{query.mdtrt_cert_no}:{query.card_sn}"


def medical_adapter(config: Mapping[str, Any]) -> Sequence[MedicalAdapter]:
    """The adapters of the table ``[medical]``, one for each ``[medical.NAME]``. Raises `InputError`."""
    return [MedicalAdapter(site) for site in load_sites(config)]
