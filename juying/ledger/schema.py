"""The tables of the ledger, for SQLite and PostgreSQL.

What must never happen is forbidden by the database itself: a second live card of a person, a blank used twice, a place
of a status list given twice, a card number given twice, an event changed. Personal values are sealed (columns called
``sealed``) or kept as keyed hashes (columns called ``…_key``); see `juying.ledger.vault`.

Instants are whole microseconds since 1970 (UTC). A change of a table needs a migration; the triggers that keep
rows from being changed or deleted stand in the migrations alone.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from juying.ledger.states import (
    LIVE_CARDS,
    WAITING_ORDERS,
    BlankState,
    CardState,
    CredentialState,
    LotState,
    OrderKind,
    OrderState,
    PermitState,
)

REVISION = "0001"
"""The revision of the migrations that these tables are."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """A point in time as the database has it."""
    return (at - _EPOCH) // timedelta(microseconds=1)


class Instant(sa.types.TypeDecorator[datetime]):
    """A point in time, with its time zone in Python and as whole microseconds in the database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """To microseconds."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """From microseconds."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # only INTEGER counts up by itself in SQLite
Key = sa.LargeBinary(16)


def _id() -> sa.Column[int]:
    return sa.Column("id", Id, primary_key=True, autoincrement=True)


def _ref(name: str, table: str, *, null: bool = False, index: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Id, sa.ForeignKey(f"{table}.id"), nullable=null, index=index)


def _state(states: type[StrEnum], name: str = "state") -> tuple[sa.Column[str], sa.CheckConstraint]:
    return (
        sa.Column(name, sa.String(16), nullable=False),
        sa.CheckConstraint(in_list(name, tuple(states)), name=name),
    )


def in_list(column: str, values: Sequence[StrEnum]) -> str:
    """SQL: the column has one of these values."""
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


def _only(name: str, *columns: str, where: str) -> sa.Index:
    """A unique index over those rows only for which ``where`` is true."""
    return sa.Index(name, *columns, unique=True, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _some(name: str, *columns: str, where: str) -> sa.Index:
    return sa.Index(name, *columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


ledger = sa.Table(
    "ledger",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.CheckConstraint("id = 1", name="one"),
    sa.Column("name", sa.String(32), nullable=False),  # 32 hexadecimal digits that no other ledger has
    sa.Column("region", sa.String(6), nullable=False),  # whose key wraps the data key
    sa.Column("cipher", sa.String(8), nullable=False),
    sa.Column("wrapped_key", sa.LargeBinary, nullable=False),
    sa.Column("retention_days", sa.Integer, nullable=False, server_default="1826"),  # see `juying.ledger.privacy`
    sa.Column("made_at", Instant, nullable=False),
)
"""One row: what the ledger is, and its data key, sealed."""

operators = sa.Table(
    "operators",
    metadata,
    _id(),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("roles", sa.String(64), nullable=False),  # with commas between them
    sa.Column("password_hash", sa.String(255)),  # NULL: cannot log in
    sa.Column("active", sa.Boolean, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),  # wrong passwords in a row
    sa.Column("failed_at", Instant),
    sa.Column("made_at", Instant, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("token_hash", sa.LargeBinary(32), primary_key=True),
    _ref("operator_id", "operators", index=True),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("used_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

stations = sa.Table(
    "stations",
    metadata,
    _id(),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("seen_at", Instant),
    sa.Column("status", sa.Text),  # JSON for the display: readers, what they do, rate, failures
)

approvals = sa.Table(
    "approvals",
    metadata,
    _id(),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),  # canonical JSON without personal data
    _ref("asked_by", "operators"),
    sa.Column("asked_at", Instant, nullable=False),
    _ref("given_by", "operators", null=True),
    sa.Column("given_at", Instant),
    sa.Column("used_at", Instant),
    sa.CheckConstraint("given_by <> asked_by", name="second_person"),
)

lots = sa.Table(
    "lots",
    metadata,
    _id(),
    sa.Column("name", sa.String(100), nullable=False, unique=True),
    *_state(LotState),
    sa.Column("source", sa.String(200), nullable=False),  # file name, without its folder
    sa.Column("profile", sa.String(32), nullable=False),
    sa.Column("box_size", sa.Integer, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("closed_at", Instant),
)

persons = sa.Table(
    "persons",
    metadata,
    _id(),
    sa.Column("sealed", sa.LargeBinary),  # the holder; NULL when erased
    sa.Column("photo", sa.LargeBinary),  # sealed as well: a JPEG that fits the card
    sa.Column("document_key", Key),  # nationality and document number
    sa.Column("number_key", Key),  # social security number
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("erased_at", Instant),
    _only("uq_persons_document", "document_key", where="document_key IS NOT NULL"),
    _only("uq_persons_number", "number_key", where="number_key IS NOT NULL"),
    _some("ix_persons_erased_at", "erased_at", where="erased_at IS NOT NULL"),
)

terms = sa.Table(
    "terms",
    metadata,
    sa.Column("term", Key, primary_key=True),
    sa.Column("person_id", Id, sa.ForeignKey("persons.id"), primary_key=True, index=True),
)
"""What a person is found by: keyed hashes of the words of the name and of all numbers."""

permits = sa.Table(
    "permits",
    metadata,
    _id(),
    _ref("person_id", "persons", index=True),
    *_state(PermitState),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("number_key", Key, index=True),
    sa.Column("employer_key", Key, index=True),  # the employer's credit code
    sa.Column("category", sa.String(1), nullable=False),
    sa.Column("valid_from", sa.Date, nullable=False),
    sa.Column("valid_until", sa.Date, nullable=False),
    _ref("before_id", "permits", null=True),  # the permit whose place it took
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("ended_by", sa.String(32)),  # the kind of application, or "expiry"
    sa.Column("suspended_at", Instant),  # NULL unless its credentials are suspended, those that come later too
    _only("uq_permits_live_person", "person_id", where="state = 'valid'"),
    _only("uq_permits_live_number", "number_key", where="state = 'valid'"),
    _some("ix_permits_live_until", "valid_until", where="state = 'valid'"),
)

applications = sa.Table(
    "applications",
    metadata,
    _id(),
    sa.Column("kind", sa.String(32), nullable=False),
    _ref("person_id", "persons", index=True),
    _ref("permit_id", "permits", index=True),
    _ref("lot_id", "lots", null=True, index=True),
    sa.Column("row", sa.Integer),  # as the spreadsheet counts
    sa.Column("digest", Key, index=True),  # of all that it says, to tell the same from a changed one
    sa.Column("made_at", Instant, nullable=False),
)

blanks = sa.Table(
    "blanks",
    metadata,
    _id(),
    sa.Column("identifier", sa.String(24), nullable=False, unique=True),  # 卡识别码 without check code, hexadecimal
    *_state(BlankState),
    sa.Column("profile", sa.String(32), nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("reason", sa.String(100), nullable=False, server_default=""),
)

cards = sa.Table(
    "cards",
    metadata,
    _id(),
    _ref("blank_id", "blanks"),
    _ref("person_id", "persons", index=True),
    *_state(CardState),
    sa.Column("number", sa.String(9)),  # NULL when the person was erased
    sa.Column("number_key", Key),  # of the number, which is given to nobody else even then
    sa.Column("issued_on", sa.Date, nullable=False),
    sa.Column("expires_on", sa.Date, nullable=False),
    _ref("permit_id", "permits", null=True),  # the permit on the chip, as far as we know
    _ref("credential_id", "credentials", null=True),  # its record on the chip
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.UniqueConstraint("blank_id"),
    _only("uq_cards_live_person", "person_id", where=in_list("state", LIVE_CARDS)),
    _only("uq_cards_number", "number", where="state <> 'spoiled'"),
    _only("uq_cards_number_key", "number_key", where="state <> 'spoiled'"),
)

orders = sa.Table(
    "orders",
    metadata,
    _id(),
    sa.Column("kind", sa.String(8), nullable=False),
    sa.CheckConstraint(in_list("kind", tuple(OrderKind)), name="kind"),
    *_state(OrderState),
    _ref("lot_id", "lots", null=True),
    sa.Column("position", sa.Integer, nullable=False),  # in the lot, from 1
    _ref("application_id", "applications", index=True),
    _ref("person_id", "persons"),
    _ref("permit_id", "permits", null=True, index=True),  # what the card is to hold; NULL to wipe
    sa.Column("card_number", sa.String(9)),  # allotted when imported, or asked for
    sa.Column("issued_on", sa.Date),  # asked for
    sa.Column("due_on", sa.Date),  # of an update: the first day of the permit, before which the card stays as it is
    _ref("card_id", "cards", null=True, index=True),
    _ref("station_id", "stations", null=True),
    sa.Column("reader", sa.String(100)),
    sa.Column("box", sa.Integer),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("note", sa.String(500), nullable=False, server_default=""),  # of the last failure or suspension
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("begun_at", Instant),
    sa.Column("sealed_at", Instant),
    sa.Column("delivered_at", Instant),
    _ref("handover_id", "handovers", null=True, index=True),
    sa.CheckConstraint("kind = 'new' OR card_id IS NOT NULL", name="card"),
    # One new card is on its way for a person at most, and one order at a time has a card.
    _only("uq_orders_waiting_person", "person_id", where=f"kind = 'new' AND {in_list('state', WAITING_ORDERS)}"),
    _only("uq_orders_waiting_card", "card_id", where=in_list("state", WAITING_ORDERS)),
    _only("uq_orders_waiting_number", "card_number", where=f"kind = 'new' AND {in_list('state', WAITING_ORDERS)}"),
    sa.UniqueConstraint("lot_id", "position"),
    sa.Index("ix_orders_lot_state", "lot_id", "state", "position"),
    sa.Index("ix_orders_person", "person_id"),
    _some("ix_orders_to_claim", "lot_id", "position", "id", where="kind = 'new' AND state = 'planned'"),
)

credentials = sa.Table(
    "credentials",
    metadata,
    _id(),
    _ref("person_id", "persons", index=True),
    _ref("permit_id", "permits", index=True),
    sa.Column("tier", sa.String(8), nullable=False),
    *_state(CredentialState),
    sa.Column("list", sa.Integer),
    sa.Column("place", sa.Integer),
    sa.Column("sealed", sa.LargeBinary),  # the COSE_Sign1 record
    _ref("before_id", "credentials", null=True),  # the one whose place it takes
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("ended_at", Instant),
    sa.UniqueConstraint("list", "place"),
    sa.ForeignKeyConstraint(["list", "place"], ["status_entries.list", "status_entries.place"]),
    _only("uq_credentials_live_tier", "permit_id", "tier", where="state = 'live'"),
)

status_lists = sa.Table(
    "status_lists",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("capacity", sa.Integer, nullable=False),
    sa.Column("allotted", sa.Integer, nullable=False, server_default="0"),
    sa.Column("decoys", sa.Integer, nullable=False, server_default="0"),
    sa.Column("published", sa.BigInteger, nullable=False, server_default="0"),
)

status_entries = sa.Table(
    "status_entries",
    metadata,
    sa.Column("list", sa.Integer, sa.ForeignKey("status_lists.number"), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("decoy", sa.Boolean, nullable=False),
    sa.Column("subject_key", Key),  # of the permit number
    sa.Column("replaces_list", sa.Integer),
    sa.Column("replaces_place", sa.Integer),
    _some("ix_status_entries_subject", "subject_key", where="subject_key IS NOT NULL"),
    _some("ix_status_entries_replaced", "replaces_list", "replaces_place", where="replaces_list IS NOT NULL"),
    _some("ix_status_entries_changed", "list", "place", where="status <> 0"),
)

status_changes = sa.Table(
    "status_changes",
    metadata,
    _id(),
    sa.Column("list", sa.Integer, nullable=False),
    sa.Column("place", sa.Integer, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column("reason", sa.String(32), nullable=False),
    sa.ForeignKeyConstraint(["list", "place"], ["status_entries.list", "status_entries.place"]),
    sa.Index("ix_status_changes_entry", "list", "place"),
)

handovers = sa.Table(
    "handovers",
    metadata,
    _id(),
    sa.Column("employer_key", Key, nullable=False, index=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("document_hash", sa.LargeBinary(32), nullable=False),  # SHA-256 of the signed list
    sa.Column("made_at", Instant, nullable=False),
)

reminders = sa.Table(
    "reminders",
    metadata,
    sa.Column("permit_id", Id, sa.ForeignKey("permits.id"), primary_key=True),
    sa.Column("kind", sa.String(32), primary_key=True),  # which of the dates before expiry
    sa.Column("made_at", Instant, nullable=False),
)

enrolments = sa.Table(
    "enrolments",
    metadata,
    sa.Column("person_id", Id, sa.ForeignKey("persons.id"), primary_key=True),
    sa.Column("service", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("executor", sa.String(64), primary_key=True),  # a run of a worker; no two have the same
    _ref("station_id", "stations"),
    sa.Column("kinds", sa.String(100), nullable=False),  # the jobs that it does, with commas between them
    sa.Column("began_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),  # changes as long as it lives
)
"""The workers that run now, or ended without saying so; see `juying.issuance.workflows`."""

LONGEST_KIND = 32

SUBJECTS = ("person", "permit", "application", "order", "blank", "card", "credential", "lot", "handover")
"""What an event may be about, each the id of a record."""

events = sa.Table(
    "events",
    metadata,
    sa.Column("number", Id, primary_key=True, autoincrement=False),  # 1, 2, 3 … without a gap
    sa.Column("at", Instant, nullable=False),
    sa.Column("kind", sa.String(LONGEST_KIND), nullable=False),
    _ref("operator_id", "operators"),
    _ref("station_id", "stations", null=True),
    *(sa.Column(f"{subject}_id", Id) for subject in SUBJECTS),
    sa.Column("details", sa.Text, nullable=False),  # canonical JSON without personal data
    sa.Column("previous", sa.LargeBinary(32), nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
    *(
        _some(f"ix_events_{subject}", f"{subject}_id", where=f"{subject}_id IS NOT NULL")
        for subject in ("person", "order", "card", "lot", "blank")
    ),
)

chain = sa.Table(
    "chain",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.CheckConstraint("id = 1", name="one"),
    sa.Column("number", Id, nullable=False),
    sa.Column("hash", sa.LargeBinary(32), nullable=False),
)
"""One row: the last event. Whoever appends events holds it."""
