"""Transit as a service among others: from a chip in few commands, in both forms, through the PC/SC service too."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from juying.card.channel import Channel
from juying.card.pcsc import PcscTransport
from juying.card.tunion import read_transit
from juying.card.tunion_psam import TransitPsam
from juying.card.virtual.faults import Fault
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.card.virtual.vpcd import VirtualReader
from juying.errors import InputError
from juying.services.asking import check
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.sites import adapters
from juying.services.transit.adapter import TransitAdapter, transit_adapter
from juying.services.transit.journal import TapJournal
from juying.services.transit.tap import tap
from juying.services.verdict import Decision
from juying.text import Text
from tests.harness import PrivatePcscd, Slot
from tests.transit.cards import blank
from tests.transit_gate.gates import NOW, TABLE, card, gate, inside


def chip(transit: object) -> Presentation:
    return Presentation(carrier="chip", chip_read=True, transit=transit)


def test_a_card_is_decided_at_once() -> None:
    adapter = TransitAdapter(gate())
    verdict = adapter.check(chip(card()), now=NOW)
    assert (verdict.service, verdict.decision, verdict.as_of) == ("transit", Decision.ELIGIBLE, NOW)
    assert asyncio.run(adapter.acheck(chip(card()), now=NOW)) == verdict
    assert TransitAdapter(gate("rail-exit")).check(chip(inside()), now=NOW).evidence["fare_fen"] == 300


@pytest.mark.parametrize(
    ("shown", "code"),
    [(Presentation(carrier="qr"), "no-chip"), (chip(None), "no-application"), (chip("?"), "no-application")],
)
def test_what_holds_no_transit_card_is_undetermined(shown: Presentation, code: str) -> None:
    verdict = TransitAdapter(gate()).check(shown, now=NOW)
    assert (verdict.decision, [check.code for check in verdict.checks]) == (Decision.UNDETERMINED, [code])


@pytest.mark.parametrize("mode", ["bus-flat", "bus-distance", "rail-entry"])
@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3", "tunion"])
def test_a_verdict_takes_at_most_twelve_commands(profile: str, mode: str) -> None:
    counted = _Counted(blank(profile, balance_fen=2000))
    seen = read_transit(Channel(LocalTransport(counted)))
    verdict = TransitAdapter(gate(mode)).check(chip(seen), now=NOW)
    assert verdict.decision is Decision.ELIGIBLE
    assert 0 < counted.commands <= 12


class _Counted(Fault):
    """A card that counts what goes over the line."""

    commands = 0

    def answer(self, number: int, command: bytes) -> bytes:
        self.commands = number
        return self.card.transmit(command)


def test_the_adapters_of_a_configuration() -> None:
    (alone,) = transit_adapter(TABLE)
    assert (alone.name, alone.title) == ("transit", Text("公交（一票制）", "bus, flat fare"))
    several = transit_adapter({"in": {**TABLE, "mode": "rail-entry"}, "bus": TABLE})
    assert [adapter.name for adapter in several] == ["transit.in", "transit.bus"]
    (named,) = adapters({"transit": {"in": {**TABLE, "mode": "rail-entry"}, "bus": TABLE}}, "transit.bus")
    assert named.check(chip(card()), now=NOW).service == "transit.bus"
    with pytest.raises(InputError, match="nearest is city"):
        transit_adapter({"citty": "3450"})


def test_without_a_configuration_a_card_is_never_let_pass() -> None:
    (adapter,) = adapters({}, "transit")
    assert (adapter.name, adapter.title.en) == ("transit", "China T-Union transit")
    result = check([adapter], chip(card()), now=NOW, deadline=Deadline.after(5))
    assert result.worst is Decision.UNDETERMINED
    result = check([adapter], chip(replace(card(), enabled_flag=0)), now=NOW, deadline=Deadline.after(5))
    assert result.worst is Decision.INELIGIBLE


def test_a_ride_through_the_real_pcscd(
    private_pcscd: PrivatePcscd, pcsc_reader: Slot, second_pcsc_reader: Slot, tmp_path: Path
) -> None:
    """Card and PSAM in two readers of the machine's PC/SC service: verdict, entry, exit."""
    with VirtualReader(port=pcsc_reader.port) as slot, VirtualReader(port=second_pcsc_reader.port) as sam_slot:
        slot.insert(blank("ssc-v3", balance_fen=2000))
        sam_slot.insert(VirtualTransitPsam())
        for reader in (pcsc_reader, second_pcsc_reader):
            private_pcscd.wait_for_card(reader.name, present=True)
        with (
            PcscTransport.open(pcsc_reader.name) as line,
            PcscTransport.open(second_pcsc_reader.name) as sam_line,
            TapJournal(tmp_path / "taps.db") as journal,
        ):
            channel, psam = Channel(line), TransitPsam.open(Channel(sam_line))
            assert TransitAdapter(gate()).check(chip(read_transit(channel)), now=NOW).eligible
            assert tap(channel, psam, gate("rail-entry"), journal, now=NOW).opens
            left = tap(channel, psam, gate("rail-exit"), journal, now=NOW)
            assert (left.opens, left.verdict.evidence["balance_fen"]) == (True, 1700)
            assert len(journal.entries()) == 2
