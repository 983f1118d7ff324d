"""Changes of the tables over time, applied by Alembic."""

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


def configuration() -> Config:
    """Alembic's configuration, without a file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def upgrade(db: sa.Connection, revision: str = "head") -> None:
    """Bring the tables to ``revision`` in the transaction of ``db``."""
    config = configuration()
    config.attributes["connection"] = db
    command.upgrade(config, revision)
