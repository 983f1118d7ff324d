"""No class shows a secret or personal value in its ``repr``: found by the names of what it holds, in all of juying.

`SHOWN` lists what has such a name and may be shown, each with its reason. A new class whose fields have such names
fails here until it hides them (``field(repr=False)``, ``repr=False``, a ``__repr__`` of its own) or is listed.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from typer.main import get_command

from juying.cli.app import app
from tests.secrets.watch import classes

TELLING = re.compile(
    r"(?:^|_)(?:pins?|passwords?|phrases?|tokens?|secrets?|keys?|material|components?|names?|numbers?|numero|phone|email|"
    r"address|photo|records?|persons?|holders?|birth\w*|identifiers?|certno|values?|payload|plain|raw|data|claims|"
    r"contents?|texts?|rows?|answers?|files|credentials?|login|patron|trips|rides|carried|headings)$"
)
"""Names of what may be secret or personal."""

PUBLIC = "of files, records, fields, functions or services, not of people"
OWN_REPR = "an object with a repr of its own, which is looked at by itself"
COUNTED = "a counter or an ordinal"
PUBLIC_KEY = "public keys and the lists of them"
SIZED = "shown as a length, a count or a name only"
TO_PEOPLE = "a message for people, which holds nothing of the kind"
SETTING = "a setting of the site, no secret"
OPTION = "a path or a name from the command line"
RECORD_ID = "the id of a record in the ledger"

KEYED_HASH = "a hash under the key of the ledger"
SHOWN: dict[str, dict[str, str]] = {
    "juying.card.access.Access": {"keys pin": OWN_REPR},
    "juying.card.access._Failure": {"text": TO_PEOPLE},
    "juying.card.access._Known": {"keys key": OWN_REPR},
    "juying.card.apdu.Command": {"data": SIZED},
    "juying.card.apdu.Response": {"data": SIZED},
    "juying.card.contents.EncodedContents": {"records": OWN_REPR},
    "juying.card.contents.PlannedRecord": {"name": PUBLIC},
    "juying.card.debit.Deal": {"number": COUNTED},
    "juying.card.debit.Offer": {"number": COUNTED},
    "juying.card.doctor.Finding": {"text": TO_PEOPLE},
    "juying.card.mask._Place": {"files": PUBLIC},
    "juying.card.pcsc.ReaderState": {"name": PUBLIC},
    "juying.card.pcsc.ReaderStatus": {"name": PUBLIC},
    "juying.card.pcsc_codes.Meaning": {"text": TO_PEOPLE},
    "juying.card.permit_seal.PermitSeal": {"key name": "the name of the key"},
    "juying.card.psam.PsamKeys": {"terminal_number": "the number of a machine"},
    "juying.card.secure_messaging.SecureMessaging": {"_key name": "the name of the key"},
    "juying.card.ssc.Problem": {"text": TO_PEOPLE},
    "juying.card.virtual.card.VirtualCard": {"name": "of the profile"},
    "juying.card.virtual.memory.Memory": {"files": SIZED},
    "juying.card.virtual.psam.VirtualPsam": {"_keys values": SIZED},
    "juying.card.virtual.purse.Change": {"address": PUBLIC, "data": SIZED},
    "juying.card.virtual.purse._Open": {"rides": OWN_REPR},
    "juying.card.virtual.session.Request": {"data": SIZED},
    "juying.card.virtual.tree.Dedicated": {"name": PUBLIC, "keys": OWN_REPR},
    "juying.card.virtual.tree.Elementary": {"address": PUBLIC},
    "juying.card.virtual.tree.HeldKey": {"secret": OWN_REPR},
    "juying.card.virtual.tunion.TransitIssue": {"holder keys": OWN_REPR},
    "juying.card.virtual.tunion_psam.VirtualTransitPsam": {"_files": SIZED},
    "juying.card.virtual.tunion_psam._Session": {"lock_key": OWN_REPR},
    "juying.card.writer.Write": {"secret": "whether it is one", "number": COUNTED},
    "juying.cli.plain.Cell": {"text": SIZED},
    "juying.cli.terminal._Setup": {"keys": OPTION, "ask_pin": OPTION, "terminal_number device_number": OPTION},
    "juying.codec.caption.Line": {"text": "what stands under a code: initials and a day"},
    "juying.codec.cose.Sign1": {"payload": SIZED},
    "juying.codec.decoding.Explained": {"name": PUBLIC},
    "juying.codec.file.Item": {"raw": SIZED},
    "juying.codec.permit_slots.PermitSlot": {"name": "of the form"},
    "juying.codec.qr_pdf.Grid": {"rows": COUNTED},
    "juying.codec.rules.AccessRule": {"text": PUBLIC},
    "juying.codec.signed_file.SignedFile": {"payload": SIZED},
    "juying.codec.tunion.fci.Control": {"name": PUBLIC},
    "juying.codec.tunion.layout.Row": {"values": "the names of the fields"},
    "juying.codec.tunion.layout.Trouble": {"text": TO_PEOPLE},
    "juying.credential.card_face.CardFace": {"claims": SIZED},
    "juying.credential.claims.Claims": {"name": "of the tier"},
    "juying.credential.claims.StatusReference": {"list_number": COUNTED},
    "juying.credential.presentation.Presentation": {"carried": SIZED},
    "juying.credential.publish.Published": {"content": OWN_REPR},
    "juying.credential.register.Snapshot": {"number": COUNTED},
    "juying.credential.renew.Renewal": {"claims": OWN_REPR},
    "juying.credential.status.HeldList": {"content": OWN_REPR, "key": PUBLIC_KEY, "token": "a published list"},
    "juying.credential.status_client.Refresh": {"number": COUNTED},
    "juying.credential.status_list.StatusList": {"number": COUNTED},
    "juying.credential.status_server._Answer": {"token": "a published list"},
    "juying.credential.trust_file.Content": {"keys": PUBLIC_KEY},
    "juying.credential.trust_file.Edition": {"number": COUNTED},
    "juying.credential.trust_root.Root": {"key": PUBLIC_KEY, "name": PUBLIC},
    "juying.credential.trusted_key.TrustedKey": {"key": PUBLIC_KEY},
    "juying.credential.verdict.Check": {"name": PUBLIC},
    "juying.credential.verdict.Verification": {"claims": OWN_REPR, "key": PUBLIC_KEY},
    "juying.crypto.block.BlockKey": {"value": "the name of the cipher"},
    "juying.crypto.ceremony.ComponentFile": {"name": "of the key", "number": COUNTED},
    "juying.crypto.diversify.Template": {"name": PUBLIC},
    "juying.crypto.key_file.KeyFile": {"keys": SIZED},
    "juying.crypto.key_set.KeyInfo": {"name": "of the key", "check_value": "known to all holders of the key"},
    "juying.crypto.key_set.StoredKey": {
        "name": "of the key",
        "check_value": "known to all holders of the key",
        "public_key": PUBLIC_KEY,
    },
    "juying.crypto.keys.CardKey": {"name": "of the key", "hsm_address": "where an HSM has it"},
    "juying.crypto.mac.MacKey": {"_key value": "the name of the cipher"},
    "juying.crypto.software_keys.SoftwareKeys": {"keys": SIZED},
    "juying.issuance.changes.Applied": {"person": RECORD_ID},
    "juying.issuance.changes._Source": {"row": COUNTED},
    "juying.issuance.columns.Column": {"key": PUBLIC},
    "juying.issuance.compare.Comparison": {"text": TO_PEOPLE},
    "juying.issuance.dossier.Dossier": {"credentials": OWN_REPR},
    "juying.issuance.dossier.Pending": {"person": RECORD_ID},
    "juying.issuance.handover.Delivered": {"number": COUNTED},
    "juying.issuance.handover.Made": {"number": COUNTED},
    "juying.issuance.handover_cards.Lists": {"lot_name": PUBLIC, "key": PUBLIC_KEY},
    "juying.issuance.handover_pdf.HandoverList": {"number": COUNTED},
    "juying.issuance.handover_pdf._Row": {"number": COUNTED},
    "juying.issuance.handover_signature.SignedList": {"number": COUNTED, "key": PUBLIC_KEY},
    "juying.issuance.intake.Application": {"holder": OWN_REPR},
    "juying.issuance.intake.Row": {"number": COUNTED},
    "juying.issuance.lot_figures.Box": {"number": COUNTED},
    "juying.issuance.lot_figures.LotReport": {"with_names": "whether there are any"},
    "juying.issuance.lot_figures.OrderLine": {"row": COUNTED},
    "juying.issuance.lot_listing.Listed": {"row": COUNTED},
    "juying.issuance.lot_listing.Lot": {"name": PUBLIC},
    "juying.issuance.lots.Finding": {"row": COUNTED, "person": RECORD_ID},
    "juying.issuance.on_file.OnFile": {"person": RECORD_ID},
    "juying.issuance.permit_kinds.Transition": {"text": TO_PEOPLE, "credentials": "what becomes of them"},
    "juying.issuance.permit_life.Refusal": {"text": TO_PEOPLE},
    "juying.issuance.produced.Produced": {"text": TO_PEOPLE},
    "juying.issuance.report.RowResult": {"row": COUNTED},
    "juying.issuance.sheet.Limits": {"rows": COUNTED},
    "juying.issuance.standing.Standing": {"person": RECORD_ID},
    "juying.issuance.station_state.Happening": {"text": TO_PEOPLE},
    "juying.issuance.station_state.ReaderView": {"in_a_row": COUNTED},
    "juying.issuance.stray.Stray": {"text": TO_PEOPLE},
    "juying.issuance.workflows.enrolling.Drop": {"name": PUBLIC},
    "juying.issuance.workflows.signing.Wanted": {"person": RECORD_ID},
    "juying.ledger.approvals.Approval": {"number": COUNTED},
    "juying.ledger.audit._Check": {"text": TO_PEOPLE},
    "juying.ledger.credentials.Signed": {"person": RECORD_ID},
    "juying.ledger.credentials.Stored": {"person": RECORD_ID},
    "juying.ledger.ledger.Event": {"number": COUNTED},
    "juying.ledger.order_records.Claim": {"person": RECORD_ID},
    "juying.ledger.order_records.Known": {"person": RECORD_ID},
    "juying.ledger.order_records.NewOrder": {"person": RECORD_ID},
    "juying.ledger.order_records.Wanted": {"person": RECORD_ID},
    "juying.ledger.people.HolderKeys": {"number": KEYED_HASH},
    "juying.ledger.privacy.Obstacle": {"person": RECORD_ID},
    "juying.ledger.verify.Finding": {"text": TO_PEOPLE},
    "juying.ledger.verify.Head": {"number": COUNTED},
    "juying.model.countries.Country": {"name": PUBLIC},
    "juying.model.mrz.Mrz": {"value": "the kind of document"},
    "juying.model.mrz._Layout": {"name number birth long_number": PUBLIC},
    "juying.model.permit.WorkPermit": {"value": "the category"},
    "juying.scan.gate.Sight": {"texts": SIZED},
    "juying.scan.layouts.Layout": {"name": PUBLIC},
    "juying.services.library.conversation._Question": {"data": SIZED},
    "juying.services.library.layout.Fixed": {"name": PUBLIC},
    "juying.services.library.layout.Layout": {"fixed_names fixed_values named_values": PUBLIC},
    "juying.services.library.layout.Named": {"name": PUBLIC},
    "juying.services.library.policy.BorrowingPolicy": {"pin": "whether one is wanted"},
    "juying.services.library.selftest.Finding": {"name": PUBLIC, "value": "what the system is, not whom it knows"},
    "juying.services.library.session.Transaction": {"answer": OWN_REPR},
    "juying.services.library.site.Site": {"name login": SETTING, "reader_number": "which number a reader has there"},
    "juying.services.library.site.Tls": {"server_name": SETTING},
    "juying.services.medical.fields.One": {"record": PUBLIC},
    "juying.services.medical.fields.Rows": {"record": PUBLIC},
    "juying.services.medical.journal.Entry": {"number": COUNTED},
    "juying.services.medical.signing.Csb": {"api_name access_key": "the name of the account, not its secret"},
    "juying.services.medical.site.Site": {
        "fixmedins_name opter_name name numbers": SETTING,
        "certificate_key": "the path of a file",
        "input_as_text amounts_as_text": SETTING,
    },
    "juying.services.medical.transactions.Transaction": {"number answer": PUBLIC},
    "juying.services.platform.Answer": {"person": OWN_REPR},
    "juying.services.platform.EsscPlatform": {"name": PUBLIC},
    "juying.services.platform.Shown": {"person": OWN_REPR},
    "juying.services.platform.VoucherPlatform": {"operator_name office_name name": SETTING},
    "juying.services.reading.Reading": {"data": OWN_REPR},
    "juying.services.transit.cities.City": {"name": PUBLIC},
    "juying.services.transit.journal.Entry": {"number": COUNTED},
    "juying.services.transit.site.Site": {"name": SETTING},
    "juying.services.verdict.Check": {"name": PUBLIC},
    "juying.terminal.addresses.FileAddress": {"name": PUBLIC},
    "juying.terminal.basic.BasicData": {"terminal_number device_number": "the numbers of machines"},
    "juying.terminal.places.Place": {"number": COUNTED},
    "juying.wallet.store.Held": {"claims name": "the name of the tier"},
}


def title(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def shown(kind: type) -> set[str]:
    """What the ``repr`` of a class shows, as far as can be seen: its fields, or what its own method looks at."""
    method = kind.__repr__
    if is_dataclass(kind) and hasattr(method, "__wrapped__"):  # made by dataclass
        return {field.name for field in fields(kind) if field.repr}
    if issubclass(kind, tuple) and method.__module__ == "collections":  # made by NamedTuple
        return set(getattr(kind, "_fields", ()))
    if "__repr__" in vars(kind):
        tree = ast.parse(textwrap.dedent(inspect.getsource(method)))
        return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return set()


def test_what_a_class_shows_is_neither_secret_nor_personal() -> None:
    listed = {name: set(" ".join(entry).split()) for name, entry in SHOWN.items()}
    telling = {title(kind): {name for name in shown(kind) if TELLING.search(name)} for kind in classes()}
    found = {name: sorted(names - listed.get(name, set())) for name, names in telling.items()}
    assert not {name: names for name, names in found.items() if names}, "hide these, or say in SHOWN why not"


def test_the_list_names_nothing_that_is_not_there() -> None:
    there = {title(kind): shown(kind) for kind in classes()}
    gone = {
        f"{name}.{field}"
        for name, entry in SHOWN.items()
        for field in set(" ".join(entry).split()) - there.get(name, set())
    }
    assert not gone


def options() -> Iterator[tuple[str, str, object]]:
    """Every option and argument of every command: the command, its name and its type."""
    waiting: list[tuple[str, Any]] = [("juying", get_command(app))]
    while waiting:
        line, command = waiting.pop()
        for parameter in command.params:
            if hasattr(parameter, "type_descriptor"):  # not --help
                yield line, parameter.name, parameter.type_descriptor.annotation
        waiting += [(f"{line} {name}", below) for name, below in getattr(command, "commands", {}).items()]


SECRET_OPTION = re.compile(r"(?:^|_)(?:pin|password|passphrase|phrase|secret|token)(?:_|$)")


def test_no_secret_is_an_argument() -> None:
    """What is called after a secret is a switch or the name of a file."""
    found = [(line, name, kind) for line, name, kind in options() if SECRET_OPTION.search(name)]
    assert len({line for line, _, _ in found}) > 5
    assert all(kind in (Path, bool) for _, _, kind in found), found
