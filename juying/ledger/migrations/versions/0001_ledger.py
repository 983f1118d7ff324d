"""The first tables."""

from alembic import op

from juying.ledger.schema import metadata, triggers

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    connection = op.get_bind()
    metadata.create_all(connection)
    for statement in triggers(connection.dialect.name):
        op.execute(statement)
