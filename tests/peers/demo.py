"""One card walks through hospital, bus and library; also a phone, and a bad day: ``python -m tests.peers.demo``.

The card, the hospital's platform and the library's system are played by this machine; everything between them is what
a terminal does. Nobody and nothing in it is real.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir, closing, contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import juying
from juying.card.channel import Channel
from juying.card.tunion import read_transit
from juying.card.tunion_psam import TransitPsam
from juying.card.tunion_purchase import purchase
from juying.card.virtual.image import load_card
from juying.card.virtual.tunion import TransitIssue
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.cli.app import run
from juying.cli.plain import print_line
from juying.issuance.demo_keys import FOLDER, TRUST_FILE
from juying.services.library.client import LibraryClient
from juying.services.library.site import sites as library_sites
from juying.services.medical.channel import Channel as MedicalChannel
from juying.services.medical.client import NhsaClient
from juying.services.medical.journal import Journal
from juying.services.medical.person import PersonQuery
from juying.services.medical.settlement import Bill, Order
from juying.services.medical.site import load_sites as medical_sites
from juying.services.medical.till import Till
from juying.services.medical.transactions import PERSON, PREVIEW
from juying.services.sites import load_sites
from juying.text import Text
from tests.peers import nhsa, sip2
from tests.peers.running import Peer, running
from tests.services.places import PASSWORD_ENV, hospital, library, toml

NUMBER, BOOK = "JYX000010", "B0001"
CARD, CODE, SITES = "card.vcard", "credential.txt", "sites.toml"
FARES = "fares.toml"
BUS = {"city": "3450", "issuers": ["02113450"], "mode": "bus-flat", "fares": FARES}
KEPT = {"attempts": 1, "cache_for": 86400, "cache_file": "kept.db"}


def main() -> int:
    """The whole story, in a folder that is gone afterwards; the exit status is 0 when it went as it should."""
    with TemporaryDirectory() as folder, chdir(folder), ExitStack() as peers, _environment():
        platform = peers.enter_context(running("tests.peers.nhsa"))
        library_system = peers.enter_context(running("tests.peers.sip2"))
        _issue()
        _configure(platform, library_system)
        went = [
            _at_the_hospital(),
            _on_the_bus(),
            _in_the_library(),
            _everywhere(),
            _with_the_phone(),
            _on_a_bad_day(library_system),
        ]
    return 0 if all(went) else 1


@contextmanager
def _environment() -> Iterator[None]:
    settings = {
        "JUYING_SITES": SITES,
        "JUYING_TRUST": str(FOLDER / TRUST_FILE),
        PASSWORD_ENV: sip2.PASSWORD,
    }
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _issue() -> None:
    """A card with permit and transport application, and the code for the phone."""
    _title("签发", "A card is issued")
    signer, trust = juying.demonstration_keys(FOLDER, region="331000")
    office = juying.Office(signer=signer, trust=trust, region="331000")
    holder = juying.Holder(
        name="ERIKSSON ANNA MARIA",
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
        valid_from=date(2025, 1, 1),
        valid_until=date(2099, 12, 31),
        authority="台州市示范签发机关（样本）",
    )
    application = juying.Application(holder=holder, permit=permit)
    credentials = juying.sign_permit(office, application)
    identifier = bytes.fromhex(nhsa.CARD_IDENTIFIER)
    card = juying.VirtualCard.blank(
        juying.load_profile("ssc-v3"), serial=identifier[8:12], transit=TransitIssue(balance_fen=2000)
    )
    card.memory.files["SSSE/EF05"][0][2:] = identifier  # the platform knows this card
    with juying.LocalTransport(card) as transport:
        juying.issue_card(office, application, NUMBER, credentials, juying.SscCard.open(transport))
    juying.save_card(card, CARD)
    Path(CODE).write_text(juying.to_text(credentials.full), "utf-8")
    _say(
        Text(
            "虚构持卡人，芯片上有工作许可和交通钱包（20.00 元）", "an invented holder; permit and a purse of 20.00 yuan"
        )
    )


def _configure(platform: Peer, library_system: Peer) -> None:
    _title("配置", "What the terminals know: sites.toml")
    tables = {
        "medical": {"hospital": hospital(platform, resilience=KEPT)},
        "library": {
            "taizhou": library(
                library_system, title={"zh": "台州市样本图书馆", "en": "sample library of Taizhou"}, resilience=KEPT
            )
        },
    }
    text = toml({**tables, "transit": {"bus": BUS}})
    Path(FARES).write_text("flat = 200\n", "utf-8")
    Path(SITES).write_text(text, "utf-8")
    for line in text.splitlines():
        print_line(line, "dim")


def _at_the_hospital() -> bool:
    _title("医院：能结算吗？", "Hospital: is she insured?")
    eligible = _juying("check", "medical.hospital", "--virtual", CARD) == 0
    (site,) = medical_sites(load_sites(SITES)["medical"])
    credential = {"mdtrt_cert_type": "03", "mdtrt_cert_no": NUMBER, "card_sn": nhsa.CARD_IDENTIFIER}
    with closing(Journal("journal.db")) as journal:
        client = NhsaClient(MedicalChannel(site))
        person = client.call(PERSON, PersonQuery(**credential)).known()
        insurance = person.insuinfo[0]
        bill = Bill(
            psn_no=person.baseinfo.psn_no,
            **credential,
            med_type=site.med_type,
            medfee_sumamt=Decimal("100.00"),
            psn_setlway="01",
            mdtrt_id="V000001",
            chrg_bchno="1",
            acct_used_flag="1",
            insutype=insurance.insutype,
        )
        preview = client.call(PREVIEW, bill, insured_in=insurance.insuplc_admdvs).known()
        payment = Till(client, journal).pay(Order.of(bill, preview), insured_in=insurance.insuplc_admdvs)
        again = Till(client, journal).pay(Order.of(bill, preview), insured_in=insurance.insuplc_admdvs)
    _say(
        Text(f"账单 100.00 元：{payment.entry.state.text.zh}", f"a bill of 100.00 yuan: {payment.entry.state.text.en}")
    )
    once = again.entry.number == payment.entry.number
    _say(Text("再按一次结算：不会付第二次", "the button once more: it is not paid twice"))
    return eligible and payment.paid and once


def _on_the_bus() -> bool:
    _title("公交：能上车吗？", "Bus: may she ride?")
    eligible = _juying("check", "transit.bus", "--virtual", CARD) == 0
    card = load_card(CARD)
    with juying.LocalTransport(card) as transport, juying.LocalTransport(VirtualTransitPsam()) as slot:
        channel = Channel(transport)
        public = read_transit(channel).public
        assert public is not None
        receipt = purchase(channel, TransitPsam.open(Channel(slot)), 200, public=public, at=datetime.now())
        left = read_transit(channel).balance_fen
    juying.save_card(card, CARD)
    _say(Text(f"刷卡 2.00 元，余额 {left / 100:.2f} 元", f"a ride for 2.00 yuan, {left / 100:.2f} are left"))
    return eligible and receipt.verified and left == 1800


def _in_the_library() -> bool:
    _title("图书馆：能借书吗？", "Library: may she borrow?")
    eligible = _juying("check", "library.taizhou", "--virtual", CARD) == 0
    (site,) = library_sites(load_sites(SITES)["library"])
    with LibraryClient(site) as client:
        loan = client.checkout(NUMBER, BOOK)
    lent = loan.answer is not None and loan.answer.ok
    _say(Text(f"借 {BOOK}：{'已借出' if lent else '未借出'}", f"{BOOK} is {'lent' if lent else 'not lent'}"))
    return eligible and lent


def _everywhere() -> bool:
    _title("一次问遍", "All at once")
    return _juying("check", "all", "--virtual", CARD) == 0


def _with_the_phone() -> bool:
    _title("只带手机：二维码里没有卡号，问不到的就说不知道", "With the phone: a code names no card, so nobody pretends")
    return _juying("check", "all", CODE) == 3


def _on_a_bad_day(library_system: Peer) -> bool:
    _title("图书馆系统停机：给出此前的答复及其时间", "The library is down: its answer from before")
    library_system.kill()
    return _juying("check", "all", "--virtual", CARD) == 0


def _juying(*arguments: str) -> int:
    print_line(f"$ juying {' '.join(arguments)}", "bold")
    status = run(arguments)
    _say(Text(f"退出码 {int(status)}", f"exit status {int(status)}"))
    return status


def _title(zh: str, en: str) -> None:
    print_line("")
    print_line(f"== {zh} / {en}", "bold yellow")


def _say(text: Text) -> None:
    print_line(f"-> {text}", "green")


if __name__ == "__main__":
    sys.exit(main())
