"""Verify a QR credential, offline: python examples/verify_a_code.py [PICTURE OR TEXT FILE] [STATUS LISTS]."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import juying

_, trust = juying.demonstration_keys(Path("build/demo-keys"), region="331000")

path = Path(sys.argv[1] if len(sys.argv) > 1 else "build/one-card/credential.png")
text = path.read_text().rstrip("\r\n") if path.suffix == ".txt" else juying.read_qr(path)
lists = Path(sys.argv[2] if len(sys.argv) > 2 else "build/batch/lists")  # as examples/batch.py publishes them
now = datetime.now(UTC)
status = juying.StatusLists.load(lists, trust, now=now) if lists.exists() else None
result = juying.verify(text, trust, now=now, status=status)

print(result.verdict.text)
for check in result.checks:
    print(f"{check.outcome:8} {check.name:15} {check.reason}")
sys.exit(0 if result.valid else 1)
