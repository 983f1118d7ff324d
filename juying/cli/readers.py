"""``juying readers``."""

from contextlib import suppress
from typing import Annotated, Any

import typer

from juying.cli.options import Json
from juying.cli.output import Exit, console, print_json, print_text


def readers(
    watch: Annotated[
        bool, typer.Option("--watch", help="持续报告插拔，Ctrl-C 结束 / follow events until Ctrl-C")
    ] = False,
    json: Json = False,
) -> int:
    """列出读卡器和其中的卡 / list readers and the cards in them; with --watch --json one JSON object a line."""
    if watch:
        return _watch(as_json=json)
    from juying.card.pcsc import readers as all_readers

    found = all_readers()
    if json:
        print_json(
            {
                "readers": [
                    {
                        "name": reader.name,
                        "card": reader.card_present,
                        "atr": reader.atr.hex().upper(),
                        "mute": reader.mute,
                        "held": reader.held,
                    }
                    for reader in found
                ]
            }
        )
        return Exit.DONE
    from rich.table import Table

    table = Table()
    for heading in ("读卡器 / reader", "卡 / card", "ATR"):
        table.add_column(heading, overflow="fold")
    for reader in found:
        state = "无应答 / mute" if reader.mute else "有 / yes" if reader.card_present else "无 / none"
        table.add_row(reader.name, state, reader.atr.hex().upper())
    if found:
        console().print(table)
    else:
        print_text("没有读卡器 / there is no reader")
    return Exit.DONE


def _watch(*, as_json: bool) -> int:
    """One line for each event; with ``--json`` one JSON object a line."""
    import json
    import sys

    from juying.card.monitor import ReaderMonitor

    with suppress(KeyboardInterrupt), ReaderMonitor() as monitor:
        for event in monitor.watch():
            line: Any = event.text
            if as_json:
                fields = {"event": event.kind.value, "reader": event.reader, "atr": event.atr.hex().upper()}
                line = json.dumps({**fields, "gap": round(event.gap, 3)}, ensure_ascii=False)
            print_text(str(line))
            sys.stdout.flush()
    return Exit.DONE
