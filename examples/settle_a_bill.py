"""Settle an outpatient's bill: python examples/settle_a_bill.py SITES.toml CARD_NUMBER CARD_IDENTIFIER AMOUNT."""

import sys
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from juying.services.medical.client import NhsaClient
from juying.services.medical.journal import Journal
from juying.services.medical.person import Credential, PersonQuery
from juying.services.medical.settlement import Bill, Order
from juying.services.medical.site import load_sites
from juying.services.medical.till import Till
from juying.services.medical.transactions import PERSON, PREVIEW, REGISTER
from juying.services.medical.visit import Registration

if len(sys.argv) != 5:
    sys.exit(__doc__)
file, card_number, card_identifier, amount = sys.argv[1:]
site = load_sites(tomllib.loads(Path(file).read_text("utf-8"))["medical"])[0]
client = NhsaClient(site)

with Journal(site.journal) as journal:
    till = Till(client, journal)
    till.finish()  # whatever a crash left behind

    card = Credential.SOCIAL_SECURITY_CARD
    query = PersonQuery(mdtrt_cert_type=card, mdtrt_cert_no=card_number, card_sn=card_identifier)
    person = client.call(PERSON, query).known()
    if not person.insuinfo:
        sys.exit("未参保 / not insured")
    number, insurance = person.baseinfo.psn_no, person.insuinfo[0]
    here = insurance.insuplc_admdvs

    visit = client.call(
        REGISTER,
        Registration(
            mdtrt_cert_type=card,
            mdtrt_cert_no=card_number,
            psn_no=number,
            insutype=insurance.insutype,
            begntime=datetime.now(UTC),
            ipt_otp_no="O20261201-1",
            atddr_no="D331002000001",
            dr_name="样本医师",
            dept_code="0301",
            dept_name="内科",
            caty="A03",
        ),
        insured_in=here,
    ).known()
    # Diagnoses (UPLOAD_VISIT) and charges (UPLOAD_CHARGES) go here.

    bill = Bill(
        mdtrt_cert_type=card,
        mdtrt_cert_no=card_number,
        card_sn=card_identifier,
        psn_no=number,
        med_type="11",
        medfee_sumamt=Decimal(amount),
        psn_setlway="01",
        mdtrt_id=visit.mdtrt_id,
        chrg_bchno="1",
        acct_used_flag="1",
        insutype=insurance.insutype,
    )
    preview = client.call(PREVIEW, bill, insured_in=here).known()
    payment = till.pay(Order.of(bill, preview), insured_in=here)

    entry = payment.entry
    print(f"{entry.state.text}: {entry.amount}")
    if payment.paid:
        print(f"基金 / fund {entry.fund}, 账户 / account {entry.account}, 现金 / cash {entry.cash}")
