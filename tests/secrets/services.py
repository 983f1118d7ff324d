"""Scenarios around services: hospital, library and e-voucher, well and ill; the terminal interface and its bridge."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from juying.card.pin import typed_pin
from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.psam import VirtualPsam
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.tunion import TransitIssue
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from juying.crypto.software_keys import SoftwareKeys
from juying.errors import InputError, JuyingError
from juying.services.library.client import LibraryClient
from juying.services.library.site import Site as LibrarySite
from juying.services.medical.channel import Channel
from juying.services.medical.client import NhsaClient
from juying.services.medical.journal import Journal
from juying.services.medical.person import PersonQuery
from juying.services.medical.settlement import Bill, Order
from juying.services.medical.site import Site as MedicalSite
from juying.services.medical.till import Till
from juying.services.medical.transactions import PERSON, PREVIEW
from juying.services.platform import Person as ResolvedPerson
from juying.terminal.bridge import Bridge
from juying.terminal.interface import Terminal
from juying.terminal.slots import PsamSlot, Slots, Store
from tests.path.samples import contents
from tests.peers import nhsa, sip2
from tests.peers.running import Peer, running
from tests.secrets.cards import STORE, guarded
from tests.secrets.marks import Kind, Person
from tests.secrets.stage import Stage, scenario
from tests.services.places import PASSWORD_ENV, hospital, library, toml

NUMBER = "JYX000010"
"""The card number that the peers know."""
QUICK = {"attempts": 1, "timeout": 0.2, "connect": 0.5, "total": 0.5, "cache_for": 3600, "cache_file": "kept.db"}
ILL_LIBRARY = (
    "garbage", "gbk", "other-reader", "no-trailer", "wrong-checksum", "96-always", "cut", "sentence", "refuse-login",
    "silent", "many-fields", "off-line",
)  # fmt: skip
ILL_PLATFORM = (
    "wrong-type", "output-encrypted", "codes-as-numbers", "not-insured-text", "half-answer", "http-502", "silent",
    "member-twice", "rubbish-bytes", "error-text-in-gbk", "unknown-members", "birthday-with-time", "redirects",
)  # fmt: skip


def peer(stage: Stage, module: str, *arguments: str) -> Peer:
    """A peer, whose process is the test's own."""
    started = stage.opened.enter_context(running(module, *arguments))
    stage.watch.processes.clear()
    return started


def known_card(stage: Stage) -> Person:
    """``card.vcard``: a marked person's card that hospital and library know."""
    person = stage.person(card_number=NUMBER)
    stage.mark(Kind.PERSON, "number of the platform", nhsa.ANNA)
    stage.mark(Kind.PERSON, "name at the platform", "ERIKSSON ANNA MARIA")
    stage.mark(Kind.PERSON, "document number at the platform", "L898902C3")
    stage.mark(Kind.PERSON, "card identifier", nhsa.CARD_IDENTIFIER)
    identifier = bytes.fromhex(nhsa.CARD_IDENTIFIER)
    card = VirtualCard.blank(load_profile("ssc-v3"), serial=identifier[8:12], transit=TransitIssue(balance_fen=500))
    card.memory.files["SSSE/EF05"][0][2:] = identifier
    names = ("name", "chinese_name", "phone", "document_number", "address")
    with LocalTransport(card) as transport:
        write_card(SscCard.open(transport), contents(**{name: person.row[name] for name in names}))
    save_card(card, "card.vcard")
    return person


@scenario
def a_library(stage: Stage) -> None:
    """Asked about a reader, with PIN and password, in good days and bad ones; a loan; the self-test."""
    known_card(stage)
    pin, wrong = stage.mark(Kind.PIN, "PIN of the reader", sip2.PIN), stage.pin("wrong PIN of the reader")
    stage.setting(PASSWORD_ENV, stage.mark(Kind.PHRASE, "password of the terminal", sip2.PASSWORD))
    stage.setting("JUYING_LIBRARY_PASSWORD", sip2.PASSWORD)
    system = peer(stage, "tests.peers.sip2")
    table = library(system, resilience=QUICK)
    stage.given("sites.toml", toml({"library": {"taizhou": table}}))
    sites = ("--sites", "given/sites.toml")
    check = ("check", "library", "--virtual", "card.vcard", *sites)
    any_status = (0, 1, 3)
    stage.both(*check)
    stage.both("library", "status", *sites)
    stage.juying("library", "selftest", f"127.0.0.1:{system.port}", "--plain", "--login", sip2.LOGIN, status=any_status)
    stage.juying("library", "selftest", "taizhou", *sites, "--json", "--timeout", 0.2, status=any_status)
    for habit in ILL_LIBRARY:
        system.ask({"habits": [habit]})
        stage.juying(*check, "--json", status=any_status)
        site = LibrarySite.from_dict({**table, "resilience": {**QUICK, "cache_for": 0}}, "library.taizhou")
        stage.watch.look_at(site)
        with LibraryClient(site) as client:
            for act in _loans(client, pin, wrong):
                _tried(stage, act)
    system.kill()
    stage.both(*check, status=any_status)
    stage.both("library", "status", *sites, status=3)
    stage.setting(PASSWORD_ENV, None)
    stage.both(*check, status=2)
    stage.given("sites.toml", toml({"library": {"taizhou": {**table, "password": sip2.PASSWORD}}}))
    stage.both(*check, status=2)


def _loans(client: LibraryClient, pin: str, wrong: str) -> Iterator[Callable[[], object]]:
    for digits in (pin, wrong, None):
        yield lambda digits=digits: client.reader(NUMBER, digits)
        yield lambda digits=digits: client.patron_information(NUMBER, digits)
    yield lambda: client.checkout(NUMBER, "B0001")
    yield lambda: client.reader(f"{NUMBER}|AD{pin}\r", pin)


def _tried(stage: Stage, act: Callable[[], object]) -> None:
    """Do something that may end well or not; either way it is looked at."""
    try:
        stage.watch.look_at(act())
    except JuyingError as error:
        stage.watch.raised(error)


@scenario
def a_hospital(stage: Stage) -> None:
    """Asked whether somebody is insured, in good days and bad ones; a bill paid, and its journal."""
    known_card(stage)
    secret = stage.phrase("secret of the gateway").replace(" ", "")
    stage.mark(Kind.PHRASE, "secret of the gateway as it is used", secret)
    stage.setting("GATEWAY_SECRET", secret)
    platform = peer(stage, "tests.peers.nhsa")
    table = hospital(platform, resilience=QUICK, layers=[])
    table.pop("layers")
    stage.given("sites.toml", toml({"medical": {"hospital": table}}))
    check = ("check", "medical", "--virtual", "card.vcard", "--sites", "given/sites.toml")
    stage.both(*check)
    for habit in ILL_PLATFORM:
        platform.ask({"reset": True})
        platform.ask({"habit": habit})
        stage.juying(*check, "--json", status=(0, 1, 3))
    platform.ask({"reset": True})
    _pay(stage, MedicalSite.from_dict({**table, "resilience": {"attempts": 1}}, "medical.hospital"), platform)
    stage.given("layers.toml", toml({"medical": {"hospital": table}}) + '[[medical.hospital.layers]]\nkind = "x-tif"\n')
    stage.both("check", "medical", "--virtual", "card.vcard", "--sites", "given/layers.toml", status=2)
    platform.kill()
    stage.both(*check, status=(0, 3))


def _pay(stage: Stage, site: MedicalSite, platform: Peer) -> None:
    credential = {"mdtrt_cert_type": "03", "mdtrt_cert_no": NUMBER, "card_sn": nhsa.CARD_IDENTIFIER}
    client = NhsaClient(Channel(site))
    person = client.call(PERSON, PersonQuery(**credential)).known()
    bill = Bill(
        psn_no=person.baseinfo.psn_no,
        **credential,
        med_type=site.med_type,
        medfee_sumamt=Decimal("100.00"),
        psn_setlway="01",
        mdtrt_id="V000001",
        chrg_bchno="1",
        acct_used_flag="1",
        insutype="310",
    )
    with closing(Journal("journal.db")) as journal:
        preview = client.call(PREVIEW, bill, insured_in=nhsa.AREA).known()
        order = Order.of(bill, preview)
        for habit in ("", "books-and-hangs-up", "refuses"):
            if habit:
                platform.ask({"habit": habit, "infno": "2207", "times": 1})
            _tried(stage, lambda: Till(client, journal).pay(order, insured_in=nhsa.AREA))
        for thing in (person, person.baseinfo, bill, preview, order, *journal.entries(None, unfinished=False)):
            stage.watch.look_at(thing)
    stage.both("medical", "journal", "list", "--all", "--journal", "journal.db")


class Scripted(BaseHTTPRequestHandler):
    """Answers every question with what it was told to."""

    answer: tuple[int, bytes] = (200, b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, body = self.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """It is no part of what is watched."""


@contextmanager
def scripted() -> Iterator[tuple[type[Scripted], int]]:
    """A server whose answer can be set, and its port."""

    class Handler(Scripted):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Handler, server.server_port
        server.shutdown()
        thread.join()


@scenario
def an_e_voucher(stage: Stage) -> None:
    """A code that a platform resolves; one that it does not; a platform that talks nonsense about the person."""
    code = stage.mark(Kind.TOKEN, "code of the e-voucher", "2" + stage.make.digits(27))
    token = stage.mark(Kind.TOKEN, "token of the e-voucher", stage.make.letters(24))
    row = stage.person().row
    person = {"ecToken": token, "userName": row["chinese_name"], "idNo": row["document_number"]}
    stage.watch.look_at(ResolvedPerson(str(row["name"]), str(row["document_number"]), token))
    answers = [
        (200, {"code": 0, "data": person}),
        (200, {"code": 30021, "message": json.dumps(person)}),
        (200, {"code": f"{code}", "data": person}),
        (200, {"code": 0, "data": [person]}),
        (200, [person]),
        (500, person),
        (302, person),
    ]
    refusals = [
        {"infcode": -1, "err_msg": f"{row['name']} {token} 未参保", "output": None},
        {"infcode": 0, "output": {"baseinfo": {"psn_no": row["document_number"], "certno": [row["name"]]}}},
        {"infcode": row["name"], "output": person},
    ]
    with scripted() as (resolver, port), scripted() as (platform, other):
        table = (
            f'[platform.voucher]\nurl = "http://127.0.0.1:{port}/{{}}"\norganisation = "H33100200001"\noperator = "1"\n'
            'operator_name = "样本"\nerrors = { 30021 = "expired" }\n'
        ).replace("/{}", "")
        site = {**hospital(Peer(other, {}, None, None)), "resilience": QUICK}
        stage.given("sites.toml", table + toml({"medical": {"hospital": site}}))
        check = ("check", "medical", "-", "--sites", "given/sites.toml", "--json")
        platform.answer = (200, b"{}")
        for status, body in answers:
            resolver.answer = (status, json.dumps(body).encode() + (b"" if status != 500 else b"}"))
            stage.juying(*check, stdin=code.encode(), status=(0, 1, 2, 3))
        resolver.answer = (200, json.dumps(answers[0][1]).encode())
        for refusal in refusals:
            platform.answer = (200, json.dumps(refusal, ensure_ascii=False).encode())
            stage.juying(*check, stdin=code.encode(), status=(0, 1, 3))
            stage.juying(*check[:-1], stdin=code.encode(), status=(0, 1, 3))
    stage.juying(*check, stdin=code.encode(), status=3)


def _calls(person: Person, pin: str, phrase: str) -> list[str]:
    """Names of functions with their arguments, right ones and wrong ones, with secrets where none belongs."""
    info, name, address = (
        f"|{person.row['card_number']}|",
        str(person.row["name"]).replace(" ", ""),
        person.row["address"],
    )
    phrase = phrase.replace(" ", "")
    return [
        "iReadCardBas 1",
        "iReadCardBas 9",
        f"iReadCard 1 2 {info} SSSEEF06|08|09|$",
        f"iReadCard 1 2 {info} SSSEEF06|08|$DF01EF06|20|21|$",
        f"iReadCard 1 1 {info} DF01EF06|20|$",
        f"iReadCard 1 2 {info}{pin} SSSEEF06|08|$",
        f"iReadCard 1 9 {info} {name}EF06|{pin}",
        f"iReadCard {phrase} 2 {info} SSSEEF06|08|$",
        f"iWriteCard 1 {info} DF01EF06|21|$ {address}|$",
        f"iWriteCard 1 {info} DF01EF06|21|$ {address}{name * 40}|$",
        f"iWriteCard 1 {info} SSSEEF06|08|$ {name}|$",
        f"iWriteCard 1 {pin} {pin} {pin}",
        "iVerifyPIN 1",
        f"iUnblockPIN 1 {info}",
        "iReadDebitRecord 1",
        f"iDoDebit 1 {info} {pin}|1|",
        "iReadCardBas_HSM_Step1 1",
        f"iReadCardBas_HSM_Step2 {pin}|{phrase}",
        f"iReadCard_HSM_Step1 1 {info} SSSEEF06|08|$",
        f"iReadCard_HSM_Step2 {phrase}",
        "iChangePIN 1",
        f"iReloadPIN 1 {info}",
        f"{phrase} {pin}",
        f"iReadCard {phrase}",
    ]


@scenario
def the_terminal_interface(stage: Stage) -> None:
    """Every function, with keys, with a PSAM and with nothing; wrong arguments; through the bridge, which breaks."""
    person, image, pin, phrase = guarded(stage)
    wrong, new = stage.pin("wrong PIN"), stage.pin("new PIN")
    card = load_card(image)
    typed, worked = [pin], 0
    psam = VirtualPsam.demonstration([load_profile("ssc-v3")])
    with SoftwareKeys.open(STORE, phrase) as keys:
        for module in (None, Store(keys), PsamSlot(lambda: LocalTransport(psam, name="PSAM"))):
            terminal = Terminal(
                Slots(contact=lambda: LocalTransport(card)),
                module=module,
                pin=typed_pin(lambda: typed[0]),
                new_pin=lambda: new,
            )
            with terminal, Bridge(terminal.call, Path("endpoint")) as bridge:
                secret = bridge.endpoint.read_text().split()[1]
                stage.mark(Kind.TOKEN, "secret of the bridge", secret)
                for digits in (pin, wrong):
                    typed[0] = digits
                    for words in _calls(person, pin, phrase):
                        answer = bridge.answer("\x1f".join([secret, *words.split()]).encode("gb18030")) or b""
                        worked += answer.startswith(b"0\x1f")
                stage.watch.look_at(bridge)
                stage.watch.look_at(terminal)
            card.memory.pin.value[:], card.memory.pin.tries = bytes.fromhex(pin), 6

    assert worked > 10, worked

    def breaks(name: str, arguments: object) -> tuple[int, str]:
        raise ValueError(f"{pin} {person.row['name']}")

    with Bridge(breaks, Path("endpoint")) as bridge:
        secret = bridge.endpoint.read_text().split()[1]
        bridge.answer(f"{secret}\x1fiVerifyPIN\x1f{pin}".encode())
        bridge.answer(f"{secret[:-1]}\x1fiVerifyPIN\x1f{pin}".encode())
    stage.given("pin", pin)
    stage.given("new", new)
    save_card(card, image)
    call = ("terminal", "call")
    card_options = ("--virtual", image, "--pin-file", "given/pin", "--new-pin-file", "given/new")
    stage.both(*call, "iReadCardBas", 1, *card_options, "--keys", STORE)
    stage.both(*call, "iReadCardBas", 1, *card_options, status=(0, 1, 4))
    stage.both(*call, "iVerifyPIN", 1, *card_options)
    stage.juying(*call, "iChangePIN", 1, *card_options)
    stage.both(*call, "iVerifyPIN", 1, *card_options, status=(1, 2, 4))
    stage.fails(InputError, lambda: Terminal(Slots(), terminal_number=pin))
