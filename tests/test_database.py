"""The file below register and journal, when somebody else is using it."""

import sqlite3
import threading
from pathlib import Path

import pytest

from juying.database import Database
from juying.errors import InputError
from juying.text import Text

SCHEMA = ("CREATE TABLE one (x)", "PRAGMA application_id = 7")


def opened(path: Path) -> Database:
    return Database(path, title=Text("本", "book"), application_id=7, schema=SCHEMA, make=True)


def test_who_opens_it_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody reads a file that keeps no write-ahead log yet."""
    monkeypatch.setattr("juying.database.PATIENCE", 0.0)
    opened(tmp_path / "book.db").close()
    reader = sqlite3.connect(tmp_path / "book.db", isolation_level=None)
    assert reader.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM one").fetchall()
    with pytest.raises(InputError, match="the book cannot be used"):
        opened(tmp_path / "book.db")
    reader.close()
    opened(tmp_path / "book.db").close()


def test_many_may_make_it_at_once(tmp_path: Path) -> None:
    failures, together = [], threading.Barrier(8)

    def work(path: Path) -> None:
        together.wait()
        try:
            opened(path).close()
        except InputError as error:
            failures.append(str(error))

    for number in range(50):
        threads = [threading.Thread(target=work, args=(tmp_path / f"{number}.db",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []
