"""Verify a QR credential, offline: a picture or a text file named on the command line."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import juying

_, trust = juying.demonstration_keys(Path("build/demo-keys"), region="331000")

path = Path(sys.argv[1] if len(sys.argv) > 1 else "build/one-card/credential.png")
text = path.read_text().rstrip("\r\n") if path.suffix == ".txt" else juying.read_qr(path)
result = juying.verify(text, trust, now=datetime.now(UTC))

print(result.verdict.text)
for check in result.checks:
    print(f"{check.outcome:8} {check.name:15} {check.reason}")
sys.exit(0 if result.valid else 1)
