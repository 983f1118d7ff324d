"""Invented people, permits and cards for the tests, and the specimen of ICAO 9303."""

from datetime import UTC, date, datetime, timedelta

from juying.credential.trust import TrustedKey, TrustList
from juying.crypto.signing import SoftwareSigner
from juying.issuance.intake import Application
from juying.issuance.office import Office
from juying.model import Employer, Holder, PermitCategory, Sex, WorkPermit
from juying.text import Text

NOW = datetime(2026, 12, 1, 4, tzinfo=UTC)
LONG_NAME = "SCHNEEFLOCKENWANDERSTEINER MAXIMILIANE ROSALINDE BEISPIELHAFTER"


def holder(**changes: object) -> Holder:
    fields: dict[str, object] = {
        "name": "ERIKSSON ANNA MARIA",
        "nationality": "UTO",
        "birth_date": date(1974, 8, 12),
        "sex": Sex.FEMALE,
        "document_number": "L898902C3",
        "chinese_name": "安娜",
        "phone": "10000000001",
        "address": "台州市虚构路1号",
        "address_region": "331002",
    }
    return Holder(**{**fields, **changes})


def permit(**changes: object) -> WorkPermit:
    fields: dict[str, object] = {
        "number": "ZJ20260001",
        "category": PermitCategory.A,
        "employer": Employer(name="椒江样本医药研究院", code="123310020000DDD18Q"),
        "position": "首席科学家",
        "valid_from": date(2026, 6, 1),
        "valid_until": date(2030, 5, 31),
        "authority": "台州市示范签发机关（样本）",
        "region": "331002",
    }
    return WorkPermit(**{**fields, **changes})


def application(**changes: object) -> Application:
    return Application(**{"holder": holder(), "permit": permit(), **changes})


def trusted(signer: SoftwareSigner, **changes: object) -> TrustedKey:
    fields: dict[str, object] = {
        "issuer": Text("测试签发机关", "issuer of the tests"),
        "region": "331000",
        "not_before": NOW - timedelta(days=30),
        "not_after": NOW + timedelta(days=60),
    }
    return TrustedKey.of(signer, **{**fields, **changes})


def office(now: datetime = NOW) -> Office:
    signer = SoftwareSigner.generate()
    return Office(signer=signer, trust=TrustList([trusted(signer)]), clock=lambda: now)
