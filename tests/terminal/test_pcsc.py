"""Card and PSAM in two readers of the machine, as they stand on a hospital's counter."""

from juying.card.pcsc import open_card
from juying.card.virtual.vpcd import VirtualReader
from juying.terminal.interface import Terminal
from juying.terminal.slots import PsamSlot, Slots
from tests.harness import PrivatePcscd, Slot
from tests.terminal.cards import DEVICE, INFO, PSAM_NUMBER, Desk, basic, personal, psam


def test_a_card_and_a_psam_in_two_readers(
    private_pcscd: PrivatePcscd, pcsc_reader: Slot, second_pcsc_reader: Slot
) -> None:
    card = personal("ssc-v3")
    with (
        VirtualReader(port=pcsc_reader.port) as here,
        VirtualReader(port=second_pcsc_reader.port) as there,
        Terminal(
            Slots(contact=lambda: open_card(pcsc_reader.name)),
            module=PsamSlot(lambda: open_card(second_pcsc_reader.name)),
            device_number=DEVICE,
        ) as terminal,
    ):
        assert terminal.call("iReadCardBas", ["1"])[0] == -2
        here.insert(card)
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        assert terminal.call("iReadCardBas", ["1"])[0] == -2201
        there.insert(psam())
        private_pcscd.wait_for_card(second_pcsc_reader.name, present=True)
        assert terminal.call("iReadCardBas", ["1"]) == (0, basic("ssc-v3", terminal=PSAM_NUMBER, device=DEVICE))
        write = ["3", INFO, "SSSEEF06|09|$DF01EF06|23|$", "SSSEEF06|MUSTER|$DF01EF06|椒江|$"]
        assert terminal.call("iWriteCard", write) == (0, "")
        assert terminal.call("iReadCard", ["4", "2", *write[1:3]]) == (0, write[3])
        code, text = terminal.call("iReadCard_HSM_Step1", ["1", "", "DF01EF06|23|$"])
        assert code == 0, text
        here.remove()
        private_pcscd.wait_for_card(pcsc_reader.name, present=False)
        key = Desk(card).pkey(text)
        assert terminal.call("iReadCard_HSM_Step2", [key])[0] == -2
