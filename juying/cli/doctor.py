"""``juying doctor``."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

from juying.cli.options import Json, KeyStore, Reader, Virtual, open_transport
from juying.cli.output import Exit, print_json
from juying.cli.plain import Cell, print_line, print_rows
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from juying.card.doctor import Finding

_COLOURS = {"good": "green", "fault": "bold red", "unknown": "yellow"}
_STATES = {
    "good": Text("正常", "good"),
    "fault": Text("故障", "FAULT"),
    "unknown": Text("未知", "unknown"),
}


def doctor(reader: Reader = None, virtual: Virtual = None, keys: KeyStore = None, json: Json = False) -> int:
    """哪里出了问题：服务、驱动、读卡器、卡片还是密钥 / what is wrong: service, driver, reader, card or keys.

    Exit status 0 when all is well, 4 for a fault.
    """
    from juying.card.access import Access
    from juying.card.doctor import State, attached_readers, examine_card, examine_reader
    from juying.card.pcsc import readers
    from juying.cli.key_options import open_keys

    def findings() -> "Iterator[Finding]":
        if virtual is None:
            machine = list(examine_reader(readers, reader, attached_readers()))
            yield from machine
            if any(finding.state is State.FAULT for finding in machine):
                return
        with open_keys(keys) as opened, ExitStack() as stack:
            card = open_transport(reader, virtual, None)
            yield from examine_card(lambda: stack.enter_context(card), Access(keys=opened))

    found = list(findings())
    fault = next((finding for finding in found if finding.state is State.FAULT), None)
    if json:
        print_json(
            {
                "fault": str(fault.part) if fault else None,
                "findings": [
                    {"part": str(entry.part), "state": str(entry.state), **entry.text._asdict()} for entry in found
                ],
            }
        )
    else:
        print_rows(
            [
                [
                    Cell(str(_STATES[entry.state]), _COLOURS[entry.state]),
                    Cell(str(entry.part.text), "bold"),
                    Cell(str(entry.text)),
                ]
                for entry in found
            ]
        )
        if fault is None:
            print_line(str(Text("没有发现故障", "no fault found")), "bold green")
    return Exit.CARD_FAULT if fault else Exit.DONE
