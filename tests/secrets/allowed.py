"""What may come out, where, and why. Everything else is a leak.

Nothing here allows a PIN, a pass phrase or a token anywhere on the screen. Keys come out in one place: the component
of a ceremony, to the one who is to keep it.
"""

import fnmatch
from collections.abc import Collection, Sequence
from typing import NamedTuple

from tests.secrets.marks import Kind

PERSON = frozenset({Kind.PERSON, Kind.PERMIT, Kind.CARD_NUMBER})
NUMBER = frozenset({Kind.CARD_NUMBER})
CREDENTIAL = frozenset({Kind.PERSON, Kind.PERMIT})
PERMIT = frozenset({Kind.PERMIT})


class OnScreen(NamedTuple):
    """``command`` (the first words of a command line, and the options that it must have) may write ``kinds`` on
    ``stream``.
    """

    command: str
    stream: str
    kinds: Collection[Kind]
    why: str


class InFile(NamedTuple):
    """A file that ``pattern`` fits may hold ``kinds``; only its owner may read it."""

    pattern: str
    kinds: Collection[Kind]
    why: str


ON_SCREEN = (
    OnScreen("read", "out", PERSON, "the clerk asked to see what is on the card"),
    OnScreen("decode", "out", PERSON, "the clerk asked what these bytes, which he gave, mean"),
    OnScreen("verify", "out", CREDENTIAL, "the clerk asked what the credential says"),
    OnScreen("wallet list", "out", CREDENTIAL, "the holder asked to see her own credentials"),
    OnScreen("wallet show", "out", CREDENTIAL, "this is the code that the holder shows"),
    OnScreen("scan --claims", "out", CREDENTIAL, "the option asks for what the credential says"),
    OnScreen("issue --dry-run", "out", PERSON, "the option asks for the commands, which are what the card gets"),
    OnScreen("keys ceremony --split", "err", {Kind.KEY}, "each component to its holder, on a terminal, then wiped"),
    OnScreen("issue", "out", NUMBER, "the clerk has to find the card and its folder"),
    OnScreen("issue", "err", NUMBER, "the clerk is asked for the card with this number"),
    *(
        OnScreen(f"credential {command}", "out", PERMIT, "the clerk has to see whose permits these are")
        for command in ("revoke", "suspend", "resume", "status", "renew")
    ),
    OnScreen("ledger export-person", "out", PERSON, "the option asks for all that is stored on the person"),
    OnScreen("ledger export-person --ask", "err", PERSON, "the clerk types it himself, and sees what he types"),
    OnScreen("permit show", "out", PERSON, "the clerk asked to see what there is on this person"),
    OnScreen("permit show --ask", "err", PERSON, "the clerk types it himself, and sees what he types"),
    OnScreen("permit pending", "out", NUMBER, "the clerk has to find the cards that lack something"),
    OnScreen("permit change", "out", NUMBER, "the clerk has to know which card is to be updated"),
    *(
        OnScreen(f"lot {command}", "out", NUMBER, "the clerk finds the order of a card by its number")
        for command in ("preview", "import", "orders", "search")
    ),
    OnScreen("transit journal", "out", NUMBER, "what goes to the clearing, which pays by card number"),
    OnScreen("terminal call", "out", PERSON, "the program that called asked for what is on the card"),
)

IN_FILE = (
    InFile("*.vcard", {*PERSON, Kind.PIN, Kind.KEY}, "a virtual card is all that a card is, its keys too"),
    InFile("renewed-credential.txt", CREDENTIAL, "the credential itself, signed anew"),
    InFile("out*/*/credential*", CREDENTIAL, "the credential itself, for the holder"),
    InFile("out*/*/minimal*", CREDENTIAL, "the credential itself, for the holder"),
    InFile("out*/report.csv", NUMBER, "what became of each row, by card number"),
    InFile("register.db*", PERMIT, "credentials are found by permit when they are revoked"),
    InFile("faces/*.png", CREDENTIAL, "the face of the card, for the card printer"),
    InFile("code.png", CREDENTIAL, "the code that the holder shows"),
    InFile("taps.db*", NUMBER, "the operator is paid by card number"),
    InFile("journal.db*", PERSON, "the bills, which have to be finished after a crash"),
    InFile("*.pdf", CREDENTIAL, "the codes of credentials, for printing"),
    InFile("photo.jpg", PERSON, "the photo that the clerk asked for"),
    InFile("wallet/credentials.txt", CREDENTIAL, "the holder's own credentials"),
    InFile("components/*.json", {Kind.KEY}, "a component of a key, for the one who keeps it"),
    InFile("exported.*", PERSON, "all that is stored on a person, for that person"),
    InFile("*ledger.db*", NUMBER, "the office finds a card by its number"),
    InFile("dump.sql", NUMBER, "the same ledger, dumped by the database"),
    InFile("postgres.log", NUMBER, "the server names a number that is taken"),
    InFile("lot.csv", NUMBER, "what became of each order, by card number"),
    InFile("endpoint", {Kind.TOKEN}, "where the bridge and those who may use it meet"),
)

IN_MESSAGES = (
    ("*out*/<card_number>*", "a folder has the name of its card number, and an error says where it happened"),
    ("*<card_number>*此卡号已发给另一位申请人*", "the clerk has to know which number was asked for twice"),
    ("*卡 <card_number> 待更新*", "the clerk has to know which card is to be put into a reader"),
    ("*该许可证已发过卡号为 <card_number> 的卡*", "the clerk has to find the card that the permit has"),
)
"""The last line of a message (``<card_number>`` stands for one) that may name a card number, and why."""

GIVEN = "given/"
"""What the test itself gives to the program: sheets, files with PINs and pass phrases."""


def on_screen(arguments: Sequence[str], stream: str) -> Collection[Kind]:
    """What a command line may write on ``stream``."""
    return {
        kind for entry in ON_SCREEN if entry.stream == stream and _is(entry.command, arguments) for kind in entry.kinds
    }


def in_message(line: str) -> Collection[Kind]:
    """What a message may name that ends with this line."""
    return NUMBER if any(fnmatch.fnmatch(line, pattern) for pattern, _ in IN_MESSAGES) else ()


def _is(command: str, arguments: Sequence[str]) -> bool:
    options = {word for word in command.split() if word.startswith("--")}
    words = [word for word in command.split() if word not in options]
    return list(arguments[: len(words)]) == words and options <= set(arguments)


def final_name(name: str) -> str:
    """The file that a draft (``.NAME.RANDOM``) is going to be; any other is its own."""
    folder, slash, last = name.rpartition("/")
    return folder + slash + (last[1:].rpartition(".")[0] if last.startswith(".") and "." in last[1:] else last)


def in_file(name: str) -> Collection[Kind]:
    """What a file, by its place below the working directory, may hold."""
    return {kind for entry in IN_FILE if fnmatch.fnmatch(name, entry.pattern) for kind in entry.kinds}
