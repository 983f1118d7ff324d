"""Who signs: the issuing key of a desk that works on a ledger, and the trust list that has it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.renewing import open_signer

if TYPE_CHECKING:
    from juying.issuance.office import Office
    from juying.ledger.ledger import Ledger

Institution = Annotated[
    str,
    typer.Option(
        "--institution",
        metavar="DIGITS",
        help="初始化机构编号 24 位 / initialising institution on new cards, 24 digits",
    ),
]


@contextmanager
def open_office(
    ledger: "Ledger",
    key: Path | None,
    keys: str | None,
    name: str | None,
    trust: Path | None,
    root: Path | None,
    institution: str = "",
) -> "Iterator[Office]":
    """The office of ``ledger`` with the key of these options, else with that of the demonstration."""
    from juying.issuance.demo_keys import FOLDER, demonstration_keys
    from juying.issuance.office import Office

    if key is None and name is None and trust is None:
        signer, trusted = demonstration_keys(FOLDER, region=ledger.region)
        yield Office(signer=signer, trust=trusted, region=ledger.region, institution=institution, clock=ledger.clock)
        return
    with open_signer(key, keys, name, trust, root) as (held, trusted):
        yield Office(signer=held, trust=trusted, region=ledger.region, institution=institution, clock=ledger.clock)
