"""The gateway as tests see it, and the site, people and bills of these tests."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from juying.services.medical.settlement import Order
from juying.services.medical.site import Site
from juying.services.presentation import Presentation
from tests.peers.nhsa import ANNA, AREA, CARD_IDENTIFIER
from tests.peers.running import Peer

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
INSTITUTION = "H33100200001"


@dataclass(frozen=True)
class Gateway:
    peer: Peer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.peer.port}"

    def plays(self, habit: str, number: str = "", times: int = -1) -> None:
        self.peer.ask({"habit": habit, "infno": number, "times": times})

    def books_what_it_put_aside(self) -> None:
        self.peer.ask({"book": True})

    @property
    def ledger(self) -> dict[str, Any]:
        return self.peer.ask({"ledger": True})

    @property
    def booked(self) -> list[dict[str, str]]:
        """The settlements that stand."""
        return [entry for entry in self.ledger["settlements"] if entry["state"] == "booked"]

    @property
    def messages(self) -> list[str]:
        """The numbers of the transactions that came, in order."""
        return [message.split()[0] for message in self.ledger["messages"]]

    @property
    def stands(self) -> list[str]:
        """The numbers of the settlements that stand."""
        return [entry["setl_id"] for entry in self.booked]

    def site(self, **changes: object) -> Site:
        return Site.from_dict(self.table(**changes), "medical.test")

    def table(self, **changes: object) -> dict[str, Any]:
        table: dict[str, object] = {
            "url": self.url,
            "fixmedins_code": INSTITUTION,
            "fixmedins_name": "台州市样本医院",
            "mdtrtarea_admvs": AREA,
            "opter": "0001",
            "opter_name": "样本",
            "resilience": {"attempts": 1, "timeout": 5, "breaker_failures": 1000},
        }
        return json.loads(json.dumps({**table, **changes}))


def card(number: str = "A10000001", **changes: Any) -> Presentation:
    return Presentation(
        **{
            "carrier": "chip",
            "chip_read": True,
            "chip_authenticated": True,
            "card_number": number,
            "card_identifier": CARD_IDENTIFIER,
            **changes,
        }
    )


def order(**changes: Any) -> Order:
    fields: dict[str, Any] = {
        "psn_no": ANNA,
        "mdtrt_cert_type": "03",
        "mdtrt_cert_no": "A10000001",
        "card_sn": CARD_IDENTIFIER,
        "med_type": "11",
        "medfee_sumamt": Decimal("600.10"),
        "psn_setlway": "01",
        "mdtrt_id": "V000001",
        "chrg_bchno": "B0001",
        "acct_used_flag": "1",
        "insutype": "310",
        "fulamt_ownpay_amt": Decimal("0"),
        "overlmt_selfpay": Decimal("0"),
        "preselfpay_amt": Decimal("0"),
        "inscp_scp_amt": Decimal("600.10"),
    }
    return Order(**{**fields, **changes})
