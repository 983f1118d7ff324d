"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Rows that stay as they are, or at least stay.
_KEPT = {
    "events": ("UPDATE", "DELETE"),
    "status_changes": ("UPDATE", "DELETE"),
    "status_entries": ("DELETE",),
    "operators": ("DELETE",),
    "persons": ("DELETE",),
    "permits": ("DELETE",),
    "orders": ("DELETE",),
    "blanks": ("DELETE",),
    "cards": ("DELETE",),
    "credentials": ("DELETE",),
}


def _triggers(dialect: str) -> list[str]:
    """The statements that make the triggers: what stays, stays, whoever asks. ``dialect`` as SQLAlchemy names it."""
    if dialect == "sqlite":
        return [
            *(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT raise(ABORT, '{table} stay'); END"
                for table, verbs in _KEPT.items()
                for verb in verbs
            ),
            "CREATE TRIGGER revoked_is_for_good BEFORE UPDATE ON status_entries "
            "WHEN OLD.status = 1 AND NEW.status <> 1 BEGIN SELECT raise(ABORT, 'revoked is for good'); END",
        ]
    return [
        "CREATE FUNCTION juying_stays() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% stay', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$",
        *(
            f"CREATE TRIGGER {table}_stay BEFORE {' OR '.join(verbs)} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION juying_stays()"
            for table, verbs in _KEPT.items()
        ),
        *(f"CREATE TRIGGER {table}_keep BEFORE TRUNCATE ON {table} EXECUTE FUNCTION juying_stays()" for table in _KEPT),
        "CREATE TRIGGER revoked_is_for_good BEFORE UPDATE ON status_entries FOR EACH ROW "
        "WHEN (OLD.status = 1 AND NEW.status <> 1) EXECUTE FUNCTION juying_stays()",
    ]


def upgrade() -> None:
    """Make them, and the triggers."""
    _make_tables()
    for statement in _triggers(op.get_bind().dialect.name):
        op.execute(statement)


def _make_tables() -> None:
    op.create_table(
        "blanks",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("identifier", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("profile", sa.String(length=32), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=100), server_default="", nullable=False),
        sa.CheckConstraint("state IN ('stock', 'in-use', 'used', 'spoiled', 'scrapped')", name=op.f("ck_blanks_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_blanks")),
        sa.UniqueConstraint("identifier", name=op.f("uq_blanks_identifier")),
    )
    op.create_table(
        "chain",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", _ID, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_chain_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain")),
    )
    op.create_table(
        "handovers",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("employer_key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("document_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handovers")),
    )
    op.create_index(op.f("ix_handovers_employer_key"), "handovers", ["employer_key"], unique=False)
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("region", sa.String(length=6), nullable=False),
        sa.Column("cipher", sa.String(length=8), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("retention_days", sa.Integer(), server_default="1826", nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_ledger_one")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger")),
    )
    op.create_table(
        "lots",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("profile", sa.String(length=32), nullable=False),
        sa.Column("box_size", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_lots_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lots")),
        sa.UniqueConstraint("name", name=op.f("uq_lots_name")),
    )
    op.create_table(
        "operators",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("roles", sa.String(length=64), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operators")),
        sa.UniqueConstraint("name", name=op.f("uq_operators_name")),
    )
    op.create_table(
        "persons",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("photo", sa.LargeBinary(), nullable=True),
        sa.Column("document_key", sa.LargeBinary(length=16), nullable=True),
        sa.Column("number_key", sa.LargeBinary(length=16), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_persons")),
    )
    op.create_index(
        "ix_persons_erased_at",
        "persons",
        ["erased_at"],
        unique=False,
        sqlite_where=sa.text("erased_at IS NOT NULL"),
        postgresql_where=sa.text("erased_at IS NOT NULL"),
    )
    op.create_index(
        "uq_persons_document",
        "persons",
        ["document_key"],
        unique=True,
        sqlite_where=sa.text("document_key IS NOT NULL"),
        postgresql_where=sa.text("document_key IS NOT NULL"),
    )
    op.create_index(
        "uq_persons_number",
        "persons",
        ["number_key"],
        unique=True,
        sqlite_where=sa.text("number_key IS NOT NULL"),
        postgresql_where=sa.text("number_key IS NOT NULL"),
    )
    op.create_table(
        "stations",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stations")),
        sa.UniqueConstraint("name", name=op.f("uq_stations_name")),
    )
    op.create_table(
        "status_lists",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("allotted", sa.Integer(), server_default="0", nullable=False),
        sa.Column("decoys", sa.Integer(), server_default="0", nullable=False),
        sa.Column("published", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_status_lists")),
    )
    op.create_table(
        "approvals",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("asked_by", _ID, nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("given_by", _ID, nullable=True),
        sa.Column("given_at", sa.BigInteger(), nullable=True),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("given_by <> asked_by", name=op.f("ck_approvals_second_person")),
        sa.ForeignKeyConstraint(["asked_by"], ["operators.id"], name=op.f("fk_approvals_asked_by")),
        sa.ForeignKeyConstraint(["given_by"], ["operators.id"], name=op.f("fk_approvals_given_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_table(
        "enrolments",
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("service", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_enrolments_person_id")),
        sa.PrimaryKeyConstraint("person_id", "service", name=op.f("pk_enrolments")),
    )
    op.create_table(
        "events",
        sa.Column("number", _ID, autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("operator_id", _ID, nullable=False),
        sa.Column("station_id", _ID, nullable=True),
        sa.Column("person_id", _ID, nullable=True),
        sa.Column("permit_id", _ID, nullable=True),
        sa.Column("application_id", _ID, nullable=True),
        sa.Column("order_id", _ID, nullable=True),
        sa.Column("blank_id", _ID, nullable=True),
        sa.Column("card_id", _ID, nullable=True),
        sa.Column("credential_id", _ID, nullable=True),
        sa.Column("lot_id", _ID, nullable=True),
        sa.Column("handover_id", _ID, nullable=True),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_events_operator_id")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_events_station_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
    )
    op.create_index(
        "ix_events_blank",
        "events",
        ["blank_id"],
        unique=False,
        sqlite_where=sa.text("blank_id IS NOT NULL"),
        postgresql_where=sa.text("blank_id IS NOT NULL"),
    )
    op.create_index(
        "ix_events_card",
        "events",
        ["card_id"],
        unique=False,
        sqlite_where=sa.text("card_id IS NOT NULL"),
        postgresql_where=sa.text("card_id IS NOT NULL"),
    )
    op.create_index(
        "ix_events_lot",
        "events",
        ["lot_id"],
        unique=False,
        sqlite_where=sa.text("lot_id IS NOT NULL"),
        postgresql_where=sa.text("lot_id IS NOT NULL"),
    )
    op.create_index(
        "ix_events_order",
        "events",
        ["order_id"],
        unique=False,
        sqlite_where=sa.text("order_id IS NOT NULL"),
        postgresql_where=sa.text("order_id IS NOT NULL"),
    )
    op.create_index(
        "ix_events_person",
        "events",
        ["person_id"],
        unique=False,
        sqlite_where=sa.text("person_id IS NOT NULL"),
        postgresql_where=sa.text("person_id IS NOT NULL"),
    )
    op.create_table(
        "permits",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("number_key", sa.LargeBinary(length=16), nullable=True),
        sa.Column("employer_key", sa.LargeBinary(length=16), nullable=True),
        sa.Column("category", sa.String(length=1), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("before_id", _ID, nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_by", sa.String(length=32), nullable=True),
        sa.Column("suspended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('valid', 'superseded', 'expired', 'cancelled', 'revoked')", name=op.f("ck_permits_state")
        ),
        sa.ForeignKeyConstraint(["before_id"], ["permits.id"], name=op.f("fk_permits_before_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_permits_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permits")),
    )
    op.create_index(op.f("ix_permits_employer_key"), "permits", ["employer_key"], unique=False)
    op.create_index(
        "ix_permits_live_until",
        "permits",
        ["valid_until"],
        unique=False,
        sqlite_where=sa.text("state = 'valid'"),
        postgresql_where=sa.text("state = 'valid'"),
    )
    op.create_index(op.f("ix_permits_number_key"), "permits", ["number_key"], unique=False)
    op.create_index(op.f("ix_permits_person_id"), "permits", ["person_id"], unique=False)
    op.create_index(
        "uq_permits_live_number",
        "permits",
        ["number_key"],
        unique=True,
        sqlite_where=sa.text("state = 'valid'"),
        postgresql_where=sa.text("state = 'valid'"),
    )
    op.create_index(
        "uq_permits_live_person",
        "permits",
        ["person_id"],
        unique=True,
        sqlite_where=sa.text("state = 'valid'"),
        postgresql_where=sa.text("state = 'valid'"),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("operator_id", _ID, nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_sessions_operator_id")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_operator_id"), "sessions", ["operator_id"], unique=False)
    op.create_table(
        "status_entries",
        sa.Column("list", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("decoy", sa.Boolean(), nullable=False),
        sa.Column("subject_key", sa.LargeBinary(length=16), nullable=True),
        sa.Column("replaces_list", sa.Integer(), nullable=True),
        sa.Column("replaces_place", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["list"], ["status_lists.number"], name=op.f("fk_status_entries_list")),
        sa.PrimaryKeyConstraint("list", "place", name=op.f("pk_status_entries")),
    )
    op.create_index(
        "ix_status_entries_changed",
        "status_entries",
        ["list", "place"],
        unique=False,
        sqlite_where=sa.text("status <> 0"),
        postgresql_where=sa.text("status <> 0"),
    )
    op.create_index(
        "ix_status_entries_replaced",
        "status_entries",
        ["replaces_list", "replaces_place"],
        unique=False,
        sqlite_where=sa.text("replaces_list IS NOT NULL"),
        postgresql_where=sa.text("replaces_list IS NOT NULL"),
    )
    op.create_index(
        "ix_status_entries_subject",
        "status_entries",
        ["subject_key"],
        unique=False,
        sqlite_where=sa.text("subject_key IS NOT NULL"),
        postgresql_where=sa.text("subject_key IS NOT NULL"),
    )
    op.create_table(
        "terms",
        sa.Column("term", sa.LargeBinary(length=16), nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_terms_person_id")),
        sa.PrimaryKeyConstraint("term", "person_id", name=op.f("pk_terms")),
    )
    op.create_index(op.f("ix_terms_person_id"), "terms", ["person_id"], unique=False)
    op.create_table(
        "workers",
        sa.Column("executor", sa.String(length=64), nullable=False),
        sa.Column("station_id", _ID, nullable=False),
        sa.Column("kinds", sa.String(length=100), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_workers_station_id")),
        sa.PrimaryKeyConstraint("executor", name=op.f("pk_workers")),
    )
    op.create_table(
        "applications",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("permit_id", _ID, nullable=False),
        sa.Column("lot_id", _ID, nullable=True),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.Column("digest", sa.LargeBinary(length=16), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_applications_lot_id")),
        sa.ForeignKeyConstraint(["permit_id"], ["permits.id"], name=op.f("fk_applications_permit_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_applications_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
    )
    op.create_index(op.f("ix_applications_digest"), "applications", ["digest"], unique=False)
    op.create_index(op.f("ix_applications_lot_id"), "applications", ["lot_id"], unique=False)
    op.create_index(op.f("ix_applications_permit_id"), "applications", ["permit_id"], unique=False)
    op.create_index(op.f("ix_applications_person_id"), "applications", ["person_id"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("permit_id", _ID, nullable=False),
        sa.Column("tier", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("list", sa.Integer(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("before_id", _ID, nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("state IN ('signed', 'live', 'superseded', 'revoked')", name=op.f("ck_credentials_state")),
        sa.ForeignKeyConstraint(["before_id"], ["credentials.id"], name=op.f("fk_credentials_before_id")),
        sa.ForeignKeyConstraint(
            ["list", "place"], ["status_entries.list", "status_entries.place"], name=op.f("fk_credentials_list_place")
        ),
        sa.ForeignKeyConstraint(["permit_id"], ["permits.id"], name=op.f("fk_credentials_permit_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_credentials_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("list", "place", name=op.f("uq_credentials_list_place")),
    )
    op.create_index(op.f("ix_credentials_permit_id"), "credentials", ["permit_id"], unique=False)
    op.create_index(op.f("ix_credentials_person_id"), "credentials", ["person_id"], unique=False)
    op.create_index(
        "uq_credentials_live_tier",
        "credentials",
        ["permit_id", "tier"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "reminders",
        sa.Column("permit_id", _ID, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["permit_id"], ["permits.id"], name=op.f("fk_reminders_permit_id")),
        sa.PrimaryKeyConstraint("permit_id", "kind", name=op.f("pk_reminders")),
    )
    op.create_table(
        "status_changes",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("list", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(
            ["list", "place"],
            ["status_entries.list", "status_entries.place"],
            name=op.f("fk_status_changes_list_place"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_changes")),
    )
    op.create_index("ix_status_changes_entry", "status_changes", ["list", "place"], unique=False)
    op.create_table(
        "cards",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("blank_id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("number", sa.String(length=9), nullable=True),
        sa.Column("number_key", sa.LargeBinary(length=16), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("permit_id", _ID, nullable=True),
        sa.Column("credential_id", _ID, nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('begun', 'live', 'suspended', 'replaced', 'cancelled', 'lost', 'spoiled')",
            name=op.f("ck_cards_state"),
        ),
        sa.ForeignKeyConstraint(["blank_id"], ["blanks.id"], name=op.f("fk_cards_blank_id")),
        sa.ForeignKeyConstraint(["credential_id"], ["credentials.id"], name=op.f("fk_cards_credential_id")),
        sa.ForeignKeyConstraint(["permit_id"], ["permits.id"], name=op.f("fk_cards_permit_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_cards_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cards")),
        sa.UniqueConstraint("blank_id", name=op.f("uq_cards_blank_id")),
    )
    op.create_index(op.f("ix_cards_person_id"), "cards", ["person_id"], unique=False)
    op.create_index(
        "uq_cards_live_person",
        "cards",
        ["person_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('live', 'suspended')"),
        postgresql_where=sa.text("state IN ('live', 'suspended')"),
    )
    op.create_index(
        "uq_cards_number",
        "cards",
        ["number"],
        unique=True,
        sqlite_where=sa.text("state <> 'spoiled'"),
        postgresql_where=sa.text("state <> 'spoiled'"),
    )
    op.create_index(
        "uq_cards_number_key",
        "cards",
        ["number_key"],
        unique=True,
        sqlite_where=sa.text("state <> 'spoiled'"),
        postgresql_where=sa.text("state <> 'spoiled'"),
    )
    op.create_table(
        "orders",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("lot_id", _ID, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("application_id", _ID, nullable=False),
        sa.Column("person_id", _ID, nullable=False),
        sa.Column("permit_id", _ID, nullable=True),
        sa.Column("card_number", sa.String(length=9), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("card_id", _ID, nullable=True),
        sa.Column("station_id", _ID, nullable=True),
        sa.Column("reader", sa.String(length=100), nullable=True),
        sa.Column("box", sa.Integer(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("note", sa.String(length=500), server_default="", nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=True),
        sa.Column("sealed_at", sa.BigInteger(), nullable=True),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("handover_id", _ID, nullable=True),
        sa.CheckConstraint("kind = 'new' OR card_id IS NOT NULL", name=op.f("ck_orders_card")),
        sa.CheckConstraint("kind IN ('new', 'update', 'wipe')", name=op.f("ck_orders_kind")),
        sa.CheckConstraint(
            "state IN ('planned', 'writing', 'written', 'verified', 'sealed', 'delivered', 'suspended', 'replaced', "
            "'cancelled')",
            name=op.f("ck_orders_state"),
        ),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_orders_application_id")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_orders_card_id")),
        sa.ForeignKeyConstraint(["handover_id"], ["handovers.id"], name=op.f("fk_orders_handover_id")),
        sa.ForeignKeyConstraint(["lot_id"], ["lots.id"], name=op.f("fk_orders_lot_id")),
        sa.ForeignKeyConstraint(["permit_id"], ["permits.id"], name=op.f("fk_orders_permit_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_orders_person_id")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fk_orders_station_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("lot_id", "position", name=op.f("uq_orders_lot_id_position")),
    )
    op.create_index(op.f("ix_orders_application_id"), "orders", ["application_id"], unique=False)
    op.create_index(op.f("ix_orders_card_id"), "orders", ["card_id"], unique=False)
    op.create_index(op.f("ix_orders_handover_id"), "orders", ["handover_id"], unique=False)
    op.create_index("ix_orders_lot_state", "orders", ["lot_id", "state", "position"], unique=False)
    op.create_index(op.f("ix_orders_permit_id"), "orders", ["permit_id"], unique=False)
    op.create_index("ix_orders_person", "orders", ["person_id"], unique=False)
    op.create_index(
        "ix_orders_to_claim",
        "orders",
        ["lot_id", "position", "id"],
        unique=False,
        sqlite_where=sa.text("kind = 'new' AND state = 'planned'"),
        postgresql_where=sa.text("kind = 'new' AND state = 'planned'"),
    )
    op.create_index(
        "uq_orders_waiting_card",
        "orders",
        ["card_id"],
        unique=True,
        sqlite_where=sa.text("state IN ('planned', 'suspended', 'writing', 'written', 'verified')"),
        postgresql_where=sa.text("state IN ('planned', 'suspended', 'writing', 'written', 'verified')"),
    )
    op.create_index(
        "uq_orders_waiting_number",
        "orders",
        ["card_number"],
        unique=True,
        sqlite_where=sa.text("kind = 'new' AND state IN ('planned', 'suspended', 'writing', 'written', 'verified')"),
        postgresql_where=sa.text(
            "kind = 'new' AND state IN ('planned', 'suspended', 'writing', 'written', 'verified')"
        ),
    )
    op.create_index(
        "uq_orders_waiting_person",
        "orders",
        ["person_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'new' AND state IN ('planned', 'suspended', 'writing', 'written', 'verified')"),
        postgresql_where=sa.text(
            "kind = 'new' AND state IN ('planned', 'suspended', 'writing', 'written', 'verified')"
        ),
    )
