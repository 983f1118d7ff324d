"""Read a card: from the reader, or from a virtual card named on the command line (see issue_one_card.py)."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import juying

_, trust = juying.demonstration_keys(Path("build/demo-keys"), region="331000")

image = sys.argv[1] if len(sys.argv) > 1 else None
with juying.LocalTransport(juying.load_card(image)) if image else juying.open_card() as transport:
    reading = juying.read_card(juying.SscCard.open(transport), trust, now=datetime.now(UTC))

for field, value in reading.data.values.items():
    print(f"{field:32} {value.hex() if isinstance(value, bytes) else value}")
print(f"permit signature: {reading.signature}")
for problem in reading.problems:
    print(f"{problem.where}: {problem.text}")
