"""From a spreadsheet to 1,000 cards: a lot on a ledger, and virtual blanks one after the other. In build/batch."""

import sys
import time
from datetime import date
from pathlib import Path

from invented_people import write_sheet

import juying
from juying.issuance.lot_import import import_rows
from juying.issuance.lot_listing import find_lot
from juying.issuance.production import Outcome, Production

folder, count = Path("build/batch"), int(sys.argv[1]) if len(sys.argv) > 1 else 1000
sheet = write_sheet(folder / "applications.csv", count)

signer, trust = juying.demonstration_keys(Path("build/demo-keys"), region="331000")
office = juying.Office(signer=signer, trust=trust, region="331000")
profile = juying.load_profile("ssc-v3")

with juying.Ledger.open(folder / "ledger.db", region="331000") as ledger:
    rows = juying.read_applications(sheet, today=date.today())
    found = import_rows(ledger, ledger.local, rows, "batch", source=sheet.name).preview
    print(", ".join(f"{status.text.en}: {number}" for status, number in found.counts.items()))

    production, made, start = Production(ledger, office, ledger.local), 0, time.perf_counter()
    while True:
        card = juying.VirtualCard.blank(profile, region="331000")
        with juying.LocalTransport(card) as transport:
            done = production.work(transport)
        if done.claim is None or done.outcome is not Outcome.SEALED:
            break  # no order waits any more
        juying.save_card(card, folder / f"{done.claim.card_number}.vcard")
        made += 1
    seconds = time.perf_counter() - start
    print(f"{made} cards in {seconds:.1f} s, {made / seconds:.1f} a second")
    with ledger.reading() as db:
        print(", ".join(f"{state.text.en}: {orders}" for state, orders in find_lot(db, "batch").counts.items()))
