"""The tables of libraries and hospitals that the peers of the tests play."""

import json
from collections.abc import Mapping
from typing import Any

from juying.services.presentation import Presentation
from tests.peers import nhsa, sip2
from tests.peers.running import Peer

PASSWORD_ENV = "SIP2_PASSWORD"


def library(peer: Peer, **changes: object) -> dict[str, Any]:
    """The table of a library; its password stands in the environment, `PASSWORD_ENV`."""
    return {
        "host": "127.0.0.1",
        "port": peer.port,
        "tls": False,
        "institution": sip2.INSTITUTION,
        "login": sip2.LOGIN,
        "password_env": PASSWORD_ENV,
        **changes,
    }


def hospital(peer: Peer, **changes: object) -> dict[str, Any]:
    """The table of a hospital."""
    return {
        "url": f"http://127.0.0.1:{peer.port}",
        "fixmedins_code": "H33100200001",
        "fixmedins_name": "椒江样本医院",
        "mdtrtarea_admvs": nhsa.AREA,
        "opter": "001",
        "opter_name": "样本",
        **changes,
    }


def reader(number: int) -> Presentation:
    """The card of a reader of the library: those with odd numbers may not borrow."""
    return Presentation(carrier="chip", card_number=f"P{number % 500:05}")


def patient(number: int) -> Presentation:
    """The card of somebody who is or is not insured: `INSURED` says who."""
    return Presentation(carrier="chip", card_number=f"A1000000{number % 9 + 1}", card_identifier=nhsa.CARD_IDENTIFIER)


INSURED = frozenset({1, 4, 5, 6})
"""The last digits of card numbers of those who are."""


def toml(tables: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The tables of services and sites as the text of a configuration file."""
    lines = []
    for service, sites in tables.items():
        for site, values in sites.items():
            lines.append(f"[{service}.{site}]")
            lines += [f"{name} = {_value(value)}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
