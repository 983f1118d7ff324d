"""Make the cards of a sheet, virtual ones: python examples/batch.py [SHEET] [FOLDER]. Once more makes the rest.

`invented_people.py` writes a sheet of a thousand. `juying issue` does the same, and may be killed at any point.
"""

import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import juying

sheet = Path(sys.argv[1] if len(sys.argv) > 1 else "examples/applications.csv")
folder = Path(sys.argv[2] if len(sys.argv) > 2 else "build/batch")

signer, trust = juying.demonstration_keys(Path("build/demo-keys"), region="331000")
office = juying.Office(signer=signer, trust=trust, region="331000")
profile = juying.load_profile("ssc-v3")

with juying.Ledger.open(folder / "ledger.db", region="331000") as ledger:
    rows = juying.read_applications(sheet, today=date.today())
    found = juying.import_rows(ledger, ledger.local, rows, name=sheet.stem).preview
    print(", ".join(f"{status.text}: {count}" for status, count in found.counts.items()))

    production, cards, start = juying.Production(ledger, office, ledger.local), 0, time.perf_counter()
    while True:
        card = juying.VirtualCard.blank(profile, region="331000")
        with juying.LocalTransport(card) as transport:  # juying.open_card() is the one in a reader
            made = production.work(transport)
        if made.claim is None:  # no order waits any more
            break
        if made.credentials is not None:  # or else the card is spoiled, and its order gets the next one
            place = folder / made.claim.card_number
            juying.keep_credentials(place, made.credentials, office)
            juying.save_card(card, place / "card.vcard")
            cards += 1
    print(f"{cards} cards in {folder}, {cards / (time.perf_counter() - start):.1f} a second")
    register = juying.LedgerRegister(ledger, ledger.local)
    juying.publish(register, folder / "lists", signer, trust, now=datetime.now(UTC))
