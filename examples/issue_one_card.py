"""Issue one 聚英卡: a virtual card and its QR picture, into build/one-card."""

from datetime import UTC, date, datetime
from pathlib import Path

import juying

signer, trust = juying.demonstration_keys(Path("build/demo-keys"), region="331000")
office = juying.Office(signer=signer, trust=trust, region="331000")

holder = juying.Holder(
    name="ERIKSSON ANNA MARIA",  # the specimen of ICAO 9303
    nationality="UTO",
    birth_date=date(1974, 8, 12),
    sex=juying.Sex.FEMALE,
    document_number="L898902C3",
)
permit = juying.WorkPermit(
    number="ZJ20260001",
    category=juying.PermitCategory.A,
    employer=juying.Employer(name="椒江样本医药研究院", code="123310020000DDD18Q"),
    position="首席科学家",
    valid_from=date(2026, 1, 1),
    valid_until=date(2030, 12, 31),
    authority="台州市示范签发机关（样本）",
)
application = juying.Application(holder=holder, permit=permit)

credentials = juying.sign_permit(office, application)
blank = juying.VirtualCard.blank(juying.load_profile("ssc-v3"), region="331000")
with juying.LocalTransport(blank) as transport:
    plan = juying.issue_card(office, application, "JYX000010", credentials, juying.SscCard.open(transport))

out = Path("build/one-card")
out.mkdir(parents=True, exist_ok=True)
juying.save_card(blank, out / "card.vcard")
text = juying.to_text(credentials.full)
verified = juying.verify(text, trust, now=datetime.now(UTC))
juying.save_picture(text, verified, out / "credential.png")
print(f"{len(plan.writes)} writes, credential of {len(credentials.full)} bytes: {verified.verdict.text}")
