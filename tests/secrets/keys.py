"""Scenarios around keys: stores, ceremonies, tokens, signing keys, wallets, revocation."""

from datetime import UTC, date, datetime
from pathlib import Path

from juying.card.access import Access
from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.credential.claims import Claims, Tier
from juying.credential.issue import issue, to_text
from juying.credential.presentation import check_proof
from juying.credential.trust import TrustList
from juying.crypto.ceremony import ComponentFile, Joining, parse_component, split
from juying.crypto.key_file import KeyFile
from juying.crypto.key_set import KeyKind, KeySet, StoredKey, check_value
from juying.crypto.pkcs11 import Pkcs11Keys
from juying.crypto.signing import SoftwareSigner
from juying.crypto.software_keys import SoftwareKeys
from juying.crypto.token import Token
from juying.errors import InputError, JuyingError, KeyUseError
from juying.issuance.intake import Application, read_applications
from tests import people
from tests.crypto import softhsm
from tests.secrets.cards import CITY, STORE, issued, key_store
from tests.secrets.marks import Kind
from tests.secrets.stage import Stage, scenario


@scenario
def a_key_store(stage: Stage) -> None:
    """Made, listed, rotated, exported, taken in by another office; with wrong pass phrases, and damaged."""
    phrase = key_store(stage)
    wrong = stage.phrase("wrong pass phrase")
    keys = ("--keys", STORE)
    stage.both("keys", "list", *keys)
    stage.both("keys", "init", *keys, "--city", CITY, status=2)
    stage.juying("keys", "init", "--keys", "other.keys", "--signing", "ES256")
    stage.mark_store("other.keys", phrase)
    stage.both("keys", "rotate", "DF01/UK7", *keys, "--kind", "sm4", "--city", CITY, status=(0, 2))
    stage.both("keys", "rotate", "DF01/UK7", *keys, status=2)
    stage.juying("keys", "rotate", "DF01/UK7", *keys, "--kind", "sm4", "--drop-previous")
    ceremony = ("keys", "ceremony", "between", "--kind", "aes-256")
    stage.juying(*ceremony, *keys, "--split", 2, "--out", "components")
    stage.both(*ceremony, *keys, "--split", 2, "--out", "components", status=2)
    sheets = [word for path in sorted(Path("components").iterdir()) for word in ("--component", path)]
    stage.juying("keys", "import", *sheets, "--keys", "other.keys")
    stage.both("keys", "import", *sheets[:2], "--keys", "other.keys", status=2)
    stage.juying("keys", "export-wrapped", "wrapped.json", *keys, "--under", "between")
    stage.both("keys", "export-wrapped", "wrapped.json", *keys, "--under", "between", status=2)
    stage.both("keys", "export-wrapped", "none.json", "between", *keys, "--under", "between", status=2)
    stage.juying("keys", "import", "--wrapped", "wrapped.json", "--keys", "other.keys")
    stage.mark_store("other.keys", phrase)
    stage.mark_store(STORE, phrase)
    wrapped = Path("wrapped.json").read_bytes()
    stage.given("forged.json", wrapped.replace(b"DF01", b"DF02"))
    stage.given("cut.json", wrapped[:-9])
    for name in ("forged", "cut"):
        stage.both("keys", "import", "--wrapped", f"given/{name}.json", "--keys", "other.keys", status=2)
    data = Path(STORE).read_bytes()
    stage.given("damaged.keys", data[:-1] + bytes((data[-1] ^ 1,)))
    stage.both("keys", "list", "--keys", "given/damaged.keys", status=2)
    stage.setting("JUYING_KEYS_PASSPHRASE", wrong)
    stage.both("keys", "list", *keys, status=2)
    stage.setting("JUYING_KEYS_PASSPHRASE", None)
    stage.both("keys", "list", *keys, status=2)
    stage.given("phrase", phrase + "\n")
    stage.given("two-lines", f"{phrase}\n{wrong}\n")
    stage.both("keys", "list", *keys, "--passphrase-file", "given/phrase")
    stage.both("keys", "list", *keys, "--passphrase-file", "given/two-lines", status=2)
    with stage.at_a_terminal(phrase, wrong):
        stage.juying("keys", "list", *keys)
        stage.juying("keys", "list", *keys, status=2)


@scenario
def a_ceremony(stage: Stage) -> None:
    """Components shown and typed, rightly and wrongly; as files, and one of these damaged."""
    phrase = key_store(stage)
    with KeyFile.open(STORE, phrase) as store:
        key = next(key for key in store.keys if key.kind is KeyKind.TDES)
        stage.mark_bytes(Kind.KEY, "the key of the ceremony", bytes(key.material))
        typed: list[str] = []
        for component in split(key.material, 3):
            stage.mark_bytes(Kind.KEY, "a typed component", bytes(component))
            typed += [component.hex(" ", 2), check_value(key.kind, component).hex()]
    join = ("--kind", "3des", "--city", CITY)
    wrong = [typed[0][:-4] + "0" * 4, typed[1], "zz" + typed[0], typed[1]]
    with stage.at_a_terminal(*wrong, *typed):
        stage.juying("keys", "ceremony", "JOINED/K", "--keys", STORE, "--join", 3, *join)
    with stage.at_a_terminal(*typed[:2], *typed):
        stage.juying("keys", "import", "JOINED/L", "--keys", STORE, "--components", 3, *join, status=(0, 2))
    with stage.at_a_terminal(*[""] * 9):
        stage.juying("keys", "ceremony", key.name, "--keys", STORE, "--split", 3, *join, status=(0, 2))
    stage.both("keys", "ceremony", key.name, "--keys", STORE, "--split", 3, *join, status=2)
    stage.juying("keys", "ceremony", key.name, "--keys", STORE, "--split", 2, *join, "--out", "components")
    sheet = Path("components/component-1-of-2.json").read_text()
    stage.given("damaged.json", sheet.replace('"component":"', '"component":"00'))
    stage.both("keys", "import", "--component", "given/damaged.json", "--keys", STORE, status=2)
    stage.fails(InputError, lambda: parse_component(typed[0] + "x"))
    with Joining(KeyKind.TDES, 2) as joining:
        stage.fails(InputError, lambda: joining.add(parse_component(typed[0]), b"123"))
        joining.add(parse_component(typed[0]), bytes.fromhex(typed[1]))
        stage.fails(InputError, lambda: joining.add(parse_component(typed[0]), bytes.fromhex(typed[1])))
        stage.fails(KeyUseError, joining.key)
    stage.watch.look_at(ComponentFile.load(Path("components/component-2-of-2.json")))


@scenario
def weak_and_misfit_keys(stage: Stage) -> None:
    """What a store refuses."""
    half = stage.mark_bytes(Kind.KEY, "half a weak key", stage.make.random.randbytes(8))
    whole = stage.mark_bytes(Kind.KEY, "a good key", stage.make.random.randbytes(16))
    make = StoredKey.symmetric
    for material in (half * 2, whole[:15], whole + b"1"):
        stage.fails(InputError, lambda material=material: make("K", KeyKind.TDES, bytearray(material), city=CITY))
    stage.fails(InputError, lambda: make("K!", KeyKind.TDES, bytearray(whole), city="nowhere"))
    stage.fails(InputError, lambda: make("K", KeyKind.ES256, bytearray(whole + whole)))
    held = make("K", KeyKind.TDES, bytearray(whole), city=CITY)
    with KeySet([held]) as keys:
        for again in (False, True):
            same = make("K", KeyKind.TDES, bytearray(whole), city=CITY)
            stage.fails(InputError, lambda same=same, again=again: keys.add(same, new_version=again))
        stage.fails(KeyUseError, held.signer)
        stage.fails(KeyUseError, lambda: keys.find("K", city="999999"))


@scenario
def keys_in_a_token(stage: Stage) -> None:
    """A PKCS#11 token: made, imported, used on a card, a wrong PIN, a locked one."""
    pin = stage.mark(Kind.PIN, "PIN of the token", softhsm.PIN)
    wrong = stage.pin("wrong PIN of the token")
    library = stage.opened.enter_context(softhsm.softhsm(stage.home, "office"))
    stage.watch.processes.clear()  # those of the test, which makes the token
    stage.setting("JUYING_PKCS11_MODULE", library)
    stage.setting("JUYING_TOKEN_PIN", pin)
    token = ("--keys", "pkcs11:token=office")
    stage.both("keys", "init", *token, "--city", CITY, "--profile", "ssc-v2", "--signing", "ES256")
    stage.both("keys", "list", *token)
    stage.both("keys", "rotate", "DF01/UK7", *token, "--city", CITY, status=(0, 2))
    stage.both("keys", "ceremony", "DF01/UK7", *token, "--split", 2, "--out", "components", status=2)
    material = stage.mark_bytes(Kind.KEY, "an imported key", stage.make.random.randbytes(16))
    with Token.open("office", pin, module=library, writable=True) as opened:
        opened.add(StoredKey.symmetric("DF01/NEW", KeyKind.TDES, bytearray(material), city=CITY))
        stage.watch.look_at(opened)
        card = VirtualCard.blank(load_profile("ssc-v2"))
        with LocalTransport(card) as transport:
            session = SscCard.open(transport, access=Access(Pkcs11Keys(opened)))
            session.read()
            assert session.authenticate() is False
    stage.fails(JuyingError, lambda: Token.open("none", pin, module=library))
    _, image = issued(stage, "ssc-v2")
    stage.both("read", "--virtual", image, *token)
    stage.setting("JUYING_TOKEN_PIN", wrong)
    stage.both("keys", "list", *token, status=2)
    stage.both("read", "--virtual", image, *token, status=2)
    stage.setting("JUYING_TOKEN_PIN", pin)


@scenario
def signing_keys(stage: Stage) -> None:
    """An office's own key, encrypted; issuing with it, with a wrong pass phrase, with a damaged file."""
    phrase, wrong = stage.phrase("pass phrase of the signing key"), stage.phrase("wrong pass phrase")
    signer = SoftwareSigner.generate()
    signer.save("issuer.pem", phrase)
    stage.watch.look_at(signer)
    stage.given("cut.pem", Path("issuer.pem").read_bytes()[:-60])
    store = key_store(stage)
    stage.setting("JUYING_KEY_PASSWORD", phrase)
    stage.juying("keys", "import", "issuer", "--pem", "issuer.pem", "--keys", STORE)
    stage.mark_store(STORE, store)
    person = stage.person()
    sheet = stage.sheet(person)
    own = ("--key", "issuer.pem", "--trust", "trust.json")
    stage.both("issue", sheet, "--out", "out", *own, status=2)
    stage.both("keys", "import", "cut", "--pem", "given/cut.pem", "--keys", STORE, status=2)
    for value in (wrong, None):
        stage.setting("JUYING_KEY_PASSWORD", value)
        stage.both("issue", sheet, "--out", "out", *own, status=2)
        stage.both("keys", "import", "wrong", "--pem", "issuer.pem", "--keys", STORE, status=2)
        stage.fails(JuyingError, lambda value=value: SoftwareSigner.load("issuer.pem", value))
    with SoftwareKeys.open(STORE, store) as keys:
        stage.watch.look_at(keys)
        stage.watch.look_at(keys.signer("issuer"))
        stage.fails(KeyUseError, lambda: keys.signer("nobody"))


NONCE = "00112233445566778899AABBCCDDEEFF"


def application() -> Application:
    """The applicant as the office has read the sheet."""
    (row,) = read_applications(Path("given/sheet.json"), today=date(2026, 12, 1))
    assert row.application is not None
    return row.application


@scenario
def a_wallet(stage: Stage) -> None:
    """The holder's app: made, opened wrongly, credentials put in and shown, damaged."""
    phrase, wrong = stage.phrase("pass phrase of the wallet"), stage.phrase("wrong pass phrase")
    stage.setting("JUYING_WALLET", "wallet")
    stage.setting("JUYING_WALLET_PASSWORD", phrase)
    stage.juying("wallet", "init")
    stage.juying("wallet", "init", status=2)
    proof = bytes.fromhex(stage.juying("wallet", "prove", NONCE).out)
    stage.sheet(stage.person())
    applied, now = application(), datetime.now(UTC)
    issuer = SoftwareSigner.generate()
    bound = check_proof(proof, bytes.fromhex(NONCE))
    for tier in Tier:
        for key, status in ((bound, 0), (SoftwareSigner.generate().public_key, 2)):
            claims = Claims.of(applied.holder, applied.permit, tier=tier, issued_at=now, holder_key=key)
            stage.watch.look_at(claims)
            stage.given("credential.txt", to_text(issue(claims, issuer)))
            stage.juying("wallet", "add", "given/credential.txt", status=status)
    stage.juying("wallet", "list")
    stage.juying("wallet", "list", "--json")
    stage.juying("wallet", "show", "--once")
    shown = stage.juying("wallet", "show", "--once", "--text", "--audience", "gate", "--nonce", NONCE).out
    stage.juying("wallet", "show", "--once", "--out", "code.png")
    TrustList([people.trusted(issuer)]).save("trust.json")
    stage.setting("JUYING_TRUST", "trust.json")
    stage.juying("verify", "-", "--json", stdin=shown.encode(), status=1)
    stage.juying("verify", "-", stdin=shown[:-30].encode(), status=1)
    stage.setting("JUYING_WALLET_PASSWORD", wrong)
    stage.juying("wallet", "list", status=2)
    stage.setting("JUYING_WALLET_PASSWORD", None)
    with stage.at_a_terminal(phrase, wrong):
        stage.juying("wallet", "list")
        stage.juying("wallet", "prove", NONCE, status=2)
    with stage.at_a_terminal(phrase):
        stage.juying("wallet", "prove", "zz", status=2)
    stage.setting("JUYING_WALLET_PASSWORD", phrase)
    held = Path("wallet/credentials.txt")
    held.write_text(held.read_text()[:-50])
    stage.juying("wallet", "list", "--json", status=2)


@scenario
def revocation_and_card_faces(stage: Stage) -> None:
    """On a ledger: suspended, resumed, renewed, revoked, published, looked up; the face of the card drawn."""
    stage.setting("JUYING_LEDGER", "ledger.db")
    person, image = issued(stage)
    text, number = f"{Path(image).parent}/credential.txt", person.row["permit_number"]
    key = ("--key", "build/demo-keys/issuer.pem", "--trust", "build/demo-keys/trust.json")
    stage.both("credential", "suspend", text)
    stage.both("credential", "status", "--permit", number, status=(0, 1, 3))
    stage.both("credential", "resume", text)
    stage.both("credential", "renew", text, "--out", "renewed-credential.txt", *key, status=(0, 1, 2))
    stage.both("credential", "revoke", "--permit", number, "--reason", "lost")
    stage.both("credential", "resume", text, status=(1, 2))
    stage.both("credential", "revoke", "--permit", stage.make.letters(9), status=(1, 2))
    stage.juying("credential", "revoke", "--permit", "-", stdin=f"{number}\n".encode())
    stage.both("credential", "publish", "lists", *key)
    stage.both("credential", "status", text, "--lists", "lists", status=(0, 1, 2, 3))
    stage.both("verify", text, "--lists", "lists", status=(0, 1, 2, 3))
    stage.both("credential", "card-face", "--virtual", image, "--out", "faces", status=(0, 1, 2))
    stage.both("credential", "status", "--permit", number, "--ledger", "given/none.db", status=(1, 2, 3))
