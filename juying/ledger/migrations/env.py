"""Alembic's way in: everything happens in the transaction of the connection that `upgrade` was given."""

from alembic import context

from juying.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
