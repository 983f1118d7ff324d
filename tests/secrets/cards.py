"""Scenarios around cards: made, issued, read, guarded, blocked, torn, recorded and explained."""

import itertools
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from juying.card import administration
from juying.card.access import Access
from juying.card.channel import Channel
from juying.card.pin import file_pin, typed_pin
from juying.card.ssc import SscCard
from juying.card.trace import Recorder
from juying.card.tunion import read_transit
from juying.card.tunion_psam import TransitPsam
from juying.card.tunion_purchase import purchase
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault, Garbage, TearAfterByte, TearAfterCommand, WrongStatus
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.tunion import TransitIssue
from juying.card.virtual.tunion_psam import VirtualTransitPsam
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from juying.codec.tunion.files import HolderData
from juying.credential.trust import TrustList
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.crypto.software_keys import SoftwareKeys
from juying.errors import CardError, CardRemoved, InputError, JuyingError
from juying.issuance.demo_keys import FOLDER, TRUST_FILE
from juying.services.reading import read_card
from tests.cli.desk import ROOT
from tests.path.samples import blank, contents
from tests.secrets.marks import Kind, Person
from tests.secrets.stage import Stage, scenario

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")
CITY = "331000"
STORE = "office.keys"


def key_store(stage: Stage) -> str:
    """An office's key store, named by the environment; its pass phrase."""
    phrase = stage.phrase("pass phrase of the key store")
    stage.setting("JUYING_KEYS_PASSPHRASE", phrase)
    stage.juying("keys", "init", "--keys", STORE, "--city", CITY)
    stage.mark_store(STORE, phrase)
    return phrase


def issued(stage: Stage, profile: str = "ssc-v3") -> tuple[Person, str]:
    """A marked applicant's virtual card; the applicant and the card's image."""
    person = stage.person()
    stage.juying("issue", stage.sheet(person), "--out", "out", "--profile", profile)
    return person, f"out/{person.row['card_number']}/card.vcard"


class Guarded(NamedTuple):
    """An applicant's card with the keys of a random store and a marked PIN, and not known to be a virtual one."""

    person: Person
    image: str
    pin: str
    phrase: str


def guarded(stage: Stage, profile: str = "ssc-v3") -> Guarded:
    """Make such a card; the store is `STORE`."""
    person, image = issued(stage, profile)
    card = load_card(image)
    phrase = key_store(stage)
    pin = stage.pin()
    with SoftwareKeys.open(STORE, phrase) as store, LocalTransport(card) as transport:
        session = SscCard.open(transport, access=Access(DemonstrationKeys()))
        administration.load_keys(session, AfterDemonstration(store))
        administration.reload_pin(session, pin)
    card.memory.historical = bytes.fromhex("00814E43") + card.memory.historical[4:]
    card = VirtualCard(card.profile, card.memory)
    for name, key in card.memory.keys.items():
        stage.mark_bytes(Kind.KEY, f"{name} of the card", bytes(key.value))
    save_card(card, "real.vcard")
    return Guarded(person, "real.vcard", pin, phrase)


class AfterDemonstration(DemonstrationKeys):
    """The keys of a store, the main key that was on the card before being that of the demonstration."""

    def __init__(self, store: SoftwareKeys) -> None:
        super().__init__()
        self._store = store

    def _city_key(self, key: CardKey) -> bytearray | None:
        return super()._city_key(key) if key.previous else self._store._city_key(key)


@scenario
def a_sheet_is_issued(stage: Stage) -> None:
    """Good rows with a photo, and the same again; drawn, verified, scanned, and the photo taken off the card."""
    noise = BytesIO()
    size = 260, 320
    Image.frombytes("L", size, stage.make.random.randbytes(size[0] * size[1])).save(noise, "PNG")
    stage.given("face.png", noise.getvalue())
    person, other = stage.person(photo="face.png"), stage.person()
    sheet = stage.sheet(person, other)
    stage.both("issue", sheet, "--dry-run")
    stage.both("issue", sheet, "--out", "out")
    folder = f"out/{person.row['card_number']}"
    card = load_card(f"{folder}/card.vcard")
    (photo,) = card.profile.by_field("holder.photo")
    stage.mark_bytes(Kind.PERSON, "photo", bytes(card.memory.files[photo[0].address][0][1000:1032]))
    stage.both(
        "read", "--virtual", f"{folder}/card.vcard", "--photo", "photo.jpg", "--record", "photo.jsonl", status=(0, 2)
    )
    stage.both("verify", f"{folder}/credential.txt")
    stage.both("verify", f"{folder}/minimal.png")
    stage.juying("credential", "draw", f"{folder}/credential.txt", "--out", "code.pdf")
    stage.juying("credential", "draw", f"{folder}/credential.txt", f"{folder}/minimal.txt", "--out", "sheet.pdf")
    stage.both("scan", "--frames", folder, "--once")
    stage.both("scan", "--frames", folder, "--once", "--claims")


@scenario
def wrong_rows(stage: Stage) -> None:
    """Every column wrong in turn, by itself and all at once, in a sheet of each kind."""
    wrong: dict[str, object] = {
        "nationality": "XXZ",
        "sex": "7",
        "birth_date": "1999-13-45",
        "document_number": f"{stage.make.letters(6)}!{stage.make.letters(6)}",
        "phone": f"{stage.make.digits(9)}x{stage.make.letters(7)}",
        "email": f"{stage.make.letters(12)}at",
        "permit_number": f"{stage.make.letters(9)}?",
        "employer_code": f"{stage.make.digits(17)}I",
        "category": stage.make.letters(9),
        "valid_until": f"{stage.make.letters(9)}",
        "card_number": f"{stage.make.letters(9)}",
        "region": stage.make.letters(7),
        "name": f"{stage.make.letters(9)}9{stage.make.digits(4)}",
        "mrz": f"P<UTO{stage.make.letters(9)}<<{stage.make.letters(9)}",
        "photo": f"{stage.make.letters(9)}.jpg",
    }
    for column, value in wrong.items():
        stage.mark(Kind.PERSON, f"wrong {column}", str(value)) if len(str(value)) > 8 else None
    people = [stage.person(**{column: value}) for column, value in wrong.items()]
    people += [stage.person(**wrong)]
    stage.both("issue", stage.sheet(*people), "--out", "out", status=1)
    heads = list(people[0].row)
    rows = [heads, *([str(person.row.get(head, "")) for head in heads] for person in people)]
    table = "\n".join(",".join(row) for row in rows)
    stage.both("issue", stage.given("sheet.csv", table), "--out", "out2", status=(1, 2))
    stage.both("issue", stage.given("broken.csv", table + '\n"' + people[0].row["address"] * 3), status=(1, 2))
    stage.both("issue", stage.given("broken.json", "[" + table), status=2)
    stage.both("issue", stage.given("gbk.csv", table.encode("gb18030") + b"\xff"), "--out", "out3", status=(1, 2))


@scenario
def two_people_and_one_number(stage: Stage) -> None:
    """A card number that belongs to somebody else, a permit that has a card already."""
    person = stage.person()
    other = stage.person(card_number=person.row["card_number"])
    again = stage.person(permit_number=person.row["permit_number"])
    stage.juying("issue", stage.sheet(person), "--out", "out")
    stage.both("issue", stage.sheet(other), "--out", "out", status=1)
    stage.both("issue", stage.sheet(again), "--out", "out", status=1)


@scenario
def a_card_is_read(stage: Stage) -> None:
    """With its keys and without, as text and as JSON, whole and in part, and recorded."""
    for profile in PROFILES:
        _, image = issued(stage, profile)
        for more in ((), ("--all",), ("--record", f"{profile}.jsonl")):
            stage.juying("read", "--virtual", image, *more)
        stage.juying("read", "--replay", f"{profile}.jsonl", "--all", "--json", status=(0, 1, 4))
    card = load_card(image)
    with LocalTransport(card) as transport:
        trust = TrustList.load(FOLDER / TRUST_FILE)
        read_card(SscCard.open(transport), trust, now=datetime.now(UTC), photo=True, everything=True)


@scenario
def a_guarded_card_is_read(stage: Stage) -> None:
    """Random keys and a PIN: all of it, none of it, wrong ones, and a locked PIN; every command recorded."""
    _, image, pin, _ = guarded(stage)
    wrong = stage.pin("wrong PIN")
    stage.given("pin", pin + "\n")
    stage.given("wrong", wrong)
    stage.given("odd", wrong + "\xe9" + wrong)
    stage.both("read", "--virtual", image, "--keys", STORE, "--all")
    stage.both("read", "--virtual", image, "--pin-file", "given/pin")
    stage.both("read", "--virtual", image)
    stage.juying("read", "--virtual", image, "--keys", STORE, "--pin-file", "given/pin", "--record", "all.jsonl")
    stage.both("read", "--replay", "all.jsonl", "--keys", STORE, "--pin-file", "given/pin", status=(0, 1, 4))
    stage.both("read", "--virtual", image, "--pin-file", "given/odd", status=2)
    stage.both("read", "--virtual", image, "--pin-file", "given/missing", status=2)
    stage.both("read", "--virtual", image, "--keys", "demo")
    stage.setting("JUYING_PIN", wrong)
    for number in range(4):
        stage.juying("read", "--virtual", image, "--record", f"wrong{number}.jsonl")
        stage.juying("read", "--virtual", image, "--json")
    stage.juying("doctor", "--virtual", image, "--keys", STORE, status=(0, 4))


@scenario
def a_recorded_card_is_decoded(stage: Stage) -> None:
    """What stands on a card as hexadecimal digits, whole and broken off; the trace in the open as far as it may be."""
    _, image = issued(stage)
    card = load_card(image)
    for address in ("SSSE/EF06", "DF01/EF06"):
        raw = b"".join(bytes(record) for record in card.memory.files[address])
        stage.both("decode", "ssc-v3", address, raw.hex())
        stage.both("decode", "ssc-v3", address, raw[:-3].hex(), status=(0, 2))
        stage.both("decode", "ssc-v3", address, raw.hex() + "Q", status=2)
        stage.both("decode", "ssc-v3", "SSSE/EF77", raw.hex(), status=2)
    lines = Path(image).read_text()
    stage.given("broken.vcard", lines[:-40])
    stage.given("other.vcard", lines.replace("ssc-v3", "ssc-v2"))
    stage.given("longer.vcard", lines.replace('["', '["00'))
    for name in ("broken", "other", "longer"):
        stage.both("read", "--virtual", f"given/{name}.vcard", status=(0, 2, 4))
        stage.both("doctor", "--virtual", f"given/{name}.vcard", status=(0, 2, 4))


@scenario
def a_pin_is_changed_reloaded_and_unblocked(stage: Stage) -> None:
    """By its holder and by the office, rightly and wrongly, while a recorder without any mask looks on."""
    _, image, pin, phrase = guarded(stage)
    card, profile = load_card(image), load_profile("ssc-v3")
    new, wrong = stage.pin("new PIN"), stage.pin("wrong PIN")
    with SoftwareKeys.open(STORE, phrase) as keys, LocalTransport(card) as transport:
        recorder = Recorder(transport, profile, "open.jsonl")
        session = SscCard.open(recorder, access=Access(keys, typed_pin(lambda: pin)))
        session.verify_pin()
        session.change_pin(lambda: new)
        stage.fails(JuyingError, lambda: session.change_pin(lambda: new[:-1] + "x"))
        stage.fails(JuyingError, lambda: session.change_pin(lambda: "123456"))
        administration.reload_pin(session, pin)
        stage.fails(JuyingError, lambda: administration.reload_pin(session, wrong + "7"))
        session.present(Access(keys, typed_pin(lambda: wrong)))
        for _ in range(7):
            stage.fails(JuyingError, session.verify_pin)
            session.present(Access(keys, typed_pin(lambda: wrong)))
        administration.unblock_pin(session)
        session.present(Access(None, file_pin(stage.given("pin", pin))))
        session.verify_pin()
        recorder.close()


@scenario
def a_card_is_loaded_with_keys_and_blocked(stage: Stage) -> None:
    """Keys that fit, keys that do not, keys that are missing; applications and card blocked; each also torn."""
    _, image, _, phrase = guarded(stage)
    stage.juying("keys", "rotate", "DF01/UK7", "--keys", STORE, "--kind", "sm4", "--city", CITY)
    stage.mark_store(STORE, phrase)
    with SoftwareKeys.open(STORE, phrase) as keys:
        for number in (9, 40):
            card = load_card(image)
            with LocalTransport(TearAfterByte(card, number)) as transport:
                session = SscCard.open(transport, card.profile, Access(keys.previous()))
                stage.fails(CardRemoved, lambda session=session: administration.load_keys(session, keys))
        card = load_card(image)
        with LocalTransport(card) as transport:
            session = SscCard.open(transport, access=Access(DemonstrationKeys()))
            stage.fails(JuyingError, lambda: administration.load_keys(session, DemonstrationKeys()))
            stage.fails(CardError, lambda: administration.block_card(session))
            stage.fails(CardError, lambda: administration.block_application(session, "DF01"))
            session.present(Access(keys.previous()))
            administration.load_keys(session, keys)
            administration.block_application(session, "DF01")
            stage.fails(InputError, lambda: administration.block_application(session, "DF77"))
            administration.unblock_application(session, "DF01")
            administration.block_application(session, "DF01", for_ever=True)
            administration.block_card(session)
        save_card(card, image)
    stage.both("read", "--virtual", image, "--keys", STORE, status=4)
    stage.both("doctor", "--virtual", image, "--keys", STORE, status=4)


@scenario
def a_card_is_torn_or_talks_nonsense(stage: Stage) -> None:
    """While it is written and while it is read, at many points."""
    person, image = issued(stage)
    names = ("name", "chinese_name", "phone", "document_number", "address")
    wanted = contents(**{name: person.row[name] for name in names})

    def write(session: SscCard) -> None:
        write_card(session, wanted)

    for number in range(0, 90, 6):
        faults: list[Callable[[VirtualCard], Fault]] = [
            lambda card, number=number: TearAfterCommand(card, number),
            lambda card, number=number: WrongStatus(card, number + 1, 0x6982),
            lambda card, number=number: Garbage(card, number + 1, b"\x61"),
        ]
        for fault, act in itertools.product(faults, (write, SscCard.read)):
            card = blank("ssc-v3") if act is write else load_card(image)
            with suppress(JuyingError), LocalTransport(fault(card)) as transport:
                act(SscCard.open(transport, card.profile, Access(DemonstrationKeys())))
    stage.juying("virtual", "new", "new.vcard", "--profile", "ssc-v2")
    stage.both("doctor", "--virtual", "new.vcard")
    stage.both("virtual", "new", "new.vcard", status=2)


@scenario
def the_office_and_its_cards(stage: Stage) -> None:
    """`juying card`: PINs and keys from files, variables and prompts; right, wrong and missing."""
    _, image, pin, phrase = guarded(stage)
    new, wrong = stage.pin("new PIN"), stage.pin("wrong PIN")
    for name, digits in (("pin", pin), ("new", new), ("wrong", wrong), ("long", wrong + new), ("word", phrase)):
        stage.given(name, digits)
    card, office = ("--virtual", image), ("--keys", STORE)
    pin_command = ("card", "pin")
    stage.both(*pin_command, "tries", *card)
    stage.juying(*pin_command, "change", *card, "--pin-file", "given/pin", "--new-pin-file", "given/new")
    stage.both(*pin_command, "change", *card, "--pin-file", "given/wrong", "--new-pin-file", "given/new", status=4)
    for odd in ("long", "word", "missing"):
        stage.both(*pin_command, "change", *card, "--pin-file", "given/new", "--new-pin-file", f"given/{odd}", status=2)
        stage.both(*pin_command, "reload", *card, *office, "--new-pin-file", f"given/{odd}", status=2)
    stage.both(*pin_command, "reload", *card, *office, "--new-pin-file", "given/pin")
    stage.setting("JUYING_PIN", wrong)
    stage.setting("JUYING_NEW_PIN", new)
    for _ in range(4):
        stage.both(*pin_command, "change", *card, status=4)
    stage.both(*pin_command, "unblock", *card, status=(2, 4))
    stage.both(*pin_command, "unblock", *card, "--keys", "demo", status=4)
    stage.both(*pin_command, "unblock", *card, *office)
    for name in ("JUYING_PIN", "JUYING_NEW_PIN"):
        stage.setting(name, None)
    stage.both(*pin_command, "change", *card, status=2)
    with stage.at_a_terminal(pin, new, wrong, pin):
        stage.juying(*pin_command, "change", *card)
        stage.juying(*pin_command, "change", *card, status=4)
    stage.both("card", "load-keys", *card, *office, "--from", STORE, status=(0, 2, 4))
    stage.both("card", "load-keys", *card, *office, "--from", "demo")
    stage.both("card", "load-keys", *card, "--keys", "demo", status=(0, 2, 4))
    stage.both("card", "block-application", "DF01", *card, *office, status=(0, 4))
    stage.both("card", "unblock-application", "DF01", *card, *office, status=(0, 4))
    stage.both("card", "block", *card, *office, status=2)
    stage.both("card", "block", *card, *office, "--yes", status=(0, 4))


@scenario
def a_transit_card(stage: Stage) -> None:
    """Holder, number and journeys: read, recorded, checked, tapped, in the terminal's journal, and torn out."""
    number = stage.mark(Kind.CARD_NUMBER, "card_number", f"3104{stage.make.digits(15)}")
    row = stage.person().row
    holder = HolderData(name=str(row["name"]), document_number=str(row["document_number"]))
    issue = TransitIssue(balance_fen=2000, card_number=number, holder=holder)
    stage.watch.look_at(issue)
    card = VirtualCard.blank(load_profile("tunion"), transit=issue)
    save_card(card, "transit.vcard")
    image = ("--virtual", "transit.vcard")
    stage.both("read", *image)
    stage.juying("read", *image, "--record", "transit.jsonl")
    stage.juying("read", "--replay", "transit.jsonl", "--json", status=(0, 4))
    table = (ROOT / "examples" / "transit" / "sites.toml").read_text("utf-8")
    stage.given("sites.toml", table.replace("examples/transit", str(ROOT / "examples" / "transit")))
    sites = ("--sites", "given/sites.toml")
    stage.both("check", "transit", *image, *sites, status=(0, 1, 3))
    for site in ("bus", "station-in", "station-out"):
        stage.both("transit", "tap", "--journal", "taps.db", *image, *sites, "--site", site, status=(0, 1))
    stage.both("transit", "journal", "--journal", "taps.db")
    for count in range(0, 60, 7):
        torn = load_card("transit.vcard")
        with suppress(JuyingError), LocalTransport(TearAfterByte(torn, count)) as transport:
            channel, psam = Channel(transport), VirtualTransitPsam()
            public = read_transit(channel).public
            assert public is not None
            with LocalTransport(psam) as slot:
                stage.watch.look_at(
                    purchase(channel, TransitPsam.open(Channel(slot)), 200, public=public, at=datetime(2026, 12, 1, 8))
                )
