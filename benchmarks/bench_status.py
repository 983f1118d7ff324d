"""Status lists: making, reading and asking them, their sizes, and what the register costs.

"Reference" is zlib alone over the same packed bytes, the floor of every Token Status List. One entry in a hundred is
revoked, at random.

    python benchmarks/bench_status.py
"""

import random
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path

from common import Row, clocked, microseconds, private_postgres, show, side_by_side

from juying.credential.claims import StatusReference
from juying.credential.status import Status, StatusLists
from juying.credential.status_list import pack, read_status_list, sign_status_list
from juying.credential.trust import TrustedKey, TrustList
from juying.crypto.signing import SoftwareSigner
from juying.ledger.ledger import Ledger
from juying.ledger.register import LedgerRegister
from juying.text import Text

NOW = datetime.now(UTC).replace(microsecond=0)
SIGNER = SoftwareSigner.generate()
TRUST = TrustList([TrustedKey.of(SIGNER, issuer=Text("测", "test"), region="", not_before=NOW, not_after=NOW)])
CITY, MILLION = 100_000, 1_000_000


def statuses(entries: int) -> bytes:
    """A list of which one entry in a hundred is revoked."""
    values = bytearray(entries)
    for place in random.Random(4).sample(range(entries), entries // 100):
        values[place] = Status.INVALID
    return bytes(values)


def list_rows(entries: int, make_target: float | None = None, read_target: float | None = None) -> list[Row]:
    """Making and reading a list of so many entries; the small one is mostly its signature and envelope."""
    values = statuses(entries)
    packed = pack(values)
    token = sign_status_list(values, SIGNER, number=1, issued_at=NOW)
    compressed = zlib.compress(packed, 9)
    make, raw_make, read, raw_read = (
        timing.best * 1e3
        for timing in side_by_side(
            lambda: sign_status_list(values, SIGNER, number=1, issued_at=NOW),
            lambda: zlib.compress(packed, 9),
            lambda: read_status_list(token),
            lambda: zlib.decompress(compressed),
            rounds=5,
        )
    )
    return [
        Row(f"{entries:,} entries, size", len(token) / 1000, len(compressed) / 1000, "zlib stream", unit="kB"),
        Row(f"{entries:,} entries, pack, compress and sign", make, raw_make, "zlib.compress", target=make_target),
        Row(f"{entries:,} entries, parse and unpack", read, raw_read, "zlib.decompress", target=read_target),
    ]


def lookup_row() -> Row:
    """What a terminal adds to a verification."""
    lists = StatusLists()
    lists.add(sign_status_list(statuses(CITY), SIGNER, number=1, issued_at=NOW), TRUST, now=NOW)
    (issuer,) = TRUST
    reference = StatusReference(1, 70_001)
    (asked,) = microseconds(lambda: lists.lookup(reference, now=NOW, issuer=issuer))
    return Row("ask for one credential", asked, unit="µs")


def register_rows(title: str, where: str | Path) -> list[Row]:
    """Places in the register of a ledger, each on the disk when the call returns."""
    with Ledger.open(where, region="331000") as ledger:
        register = LedgerRegister(ledger, ledger.local)
        single = min(clocked(lambda: register.allot("ZJ20260001")) for _ in range(50)) * 1e3
        bulk = clocked(lambda: register.allot_many(["ZJ20260001"] * CITY)) / CITY * 1e3
        whole = min(clocked(lambda: register.statuses(1)) for _ in range(5)) * 1e3
        places = register.find("ZJ20260001")[: CITY // 10]
        revoked = clocked(lambda: register.set_all(places, Status.INVALID)) / len(places) * 1e3
    return [
        Row(f"register on {title}, one place", single),
        Row(f"register on {title}, one of {CITY:,} places at once", bulk, single, "one by one"),
        Row(f"register on {title}, one of {CITY // 10:,} revoked at once", revoked),
        Row(f"register on {title}, all {CITY:,} statuses", whole),
    ]


def ledger_rows() -> list[Row]:
    """The register on both databases."""
    with tempfile.TemporaryDirectory() as folder, private_postgres() as postgres:
        return [
            *register_rows("SQLite", Path(folder, "ledger.db")),
            *register_rows("PostgreSQL", postgres.new_database()),
        ]


if __name__ == "__main__":
    show("Status lists", [*list_rows(CITY), *list_rows(MILLION, 1.5, 3), lookup_row(), *ledger_rows()])
