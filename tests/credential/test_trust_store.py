"""What a terminal remembers: no list goes back, none of another root comes in, and no kill or race changes that."""

import signal
import subprocess
import sys
import textwrap
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from juying.credential import trust_store
from juying.credential.trust import TrustList
from juying.credential.trust_root import Root
from juying.credential.trust_store import CLOCK_SKEW, MAX_OVERDUE, TrustStore, check_age, load_trusted
from juying.errors import InputError
from juying.files import write_atomically
from tests.credential.samples import NOW, OTHER_SIGNER, TRUST, trusted
from tests.credential.trusting import DAY, OTHER_ROOT, OTHER_ROOT_SIGNER, ROOT, SECOND, edition, signed_list


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    """A store with our root and no list."""
    store = TrustStore(tmp_path / "store")
    store.pin(ROOT)
    return store


def held(store: TrustStore) -> int:
    """The edition that the store gives."""
    loaded = store.load()
    assert loaded.edition is not None
    return loaded.edition.number


def files(store: TrustStore) -> list[str]:
    return sorted(path.name for path in store.folder.glob("*.cbor"))


def test_a_list_is_taken_in_and_given_out(store: TrustStore) -> None:
    taken = store.add(signed_list(3), now=NOW)
    assert list(store.load()) == list(taken) == [trusted()]
    assert store.load().root == ROOT
    assert (held(store), store.highest) == (3, 3)


def test_the_next_edition_takes_the_place_of_the_last(store: TrustStore) -> None:
    for number in (1, 2, 5):
        store.add(signed_list(number), now=NOW)
    assert held(store) == 5
    assert files(store) == ["list-5.cbor"]


def test_the_same_list_again_changes_nothing(store: TrustStore) -> None:
    store.add(signed_list(3), now=NOW)
    store.add(signed_list(3), now=NOW)
    assert files(store) == ["list-3.cbor"]


def test_an_old_list_that_cannot_be_deleted_does_no_harm(store: TrustStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """On Windows another process may still have it open."""

    def refuse(_: Path) -> None:
        raise PermissionError

    store.add(signed_list(1), now=NOW)
    monkeypatch.setattr(Path, "unlink", refuse)
    store.add(signed_list(2), now=NOW)
    assert (held(store), files(store)) == (2, ["list-1.cbor", "list-2.cbor"])


def test_numbers_are_compared_as_numbers(store: TrustStore) -> None:
    for number in (9, 10, 2**32 - 1):
        store.add(signed_list(number), now=NOW)
    assert held(store) == 2**32 - 1


def test_an_empty_store_has_no_list(store: TrustStore) -> None:
    assert store.highest == 0
    with pytest.raises(InputError, match="juying trust import") as caught:
        store.load()
    assert caught.value.where == str(store.folder)


def test_a_root_is_pinned_once_and_trusted_until_its_file_is_deleted(store: TrustStore) -> None:
    store.pin(ROOT)
    store.pin(OTHER_ROOT)
    assert set(store.roots()) == {ROOT, OTHER_ROOT}
    store.add(signed_list(1, signer=OTHER_ROOT_SIGNER), now=NOW)
    (store.folder / "roots" / f"{OTHER_ROOT.fingerprint}.json").unlink()
    assert store.roots() == (ROOT,)
    with pytest.raises(InputError, match="another root key"):
        store.load()
    store.add(signed_list(1), now=NOW)  # what is held is no list any more, so its number is free
    assert held(store) == 1


def test_a_root_under_the_fingerprint_of_another_is_refused(store: TrustStore) -> None:
    path = store.folder / "roots" / f"{ROOT.fingerprint}.json"
    OTHER_ROOT.save(path)
    with pytest.raises(InputError, match="not its fingerprint") as caught:
        store.roots()
    assert caught.value.where == str(path)


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        TrustStore(tmp_path / "file" / "store").pin(ROOT)


# Attacks


def test_attack_rolled_back_trust_list(store: TrustStore) -> None:
    """A genuine old list, with the key that was dropped since, is not taken again."""
    old, new = signed_list(1, trusted(), trusted(OTHER_SIGNER)), signed_list(2)
    store.add(old, now=NOW)
    store.add(new, now=NOW)
    with pytest.raises(InputError, match="older than edition 2"):
        store.add(old, now=NOW)
    assert list(store.load()) == [trusted()]


def test_attack_rolled_back_by_renaming_the_old_file(store: TrustStore) -> None:
    store.add(signed_list(2), now=NOW)
    (store.folder / "list-9.cbor").write_bytes(signed_list(1))
    with pytest.raises(InputError, match="not the one of its file name") as caught:
        store.load()
    assert caught.value.where.endswith("list-9.cbor")


def test_attack_list_signed_by_another_root(store: TrustStore) -> None:
    store.add(signed_list(1), now=NOW)
    with pytest.raises(InputError, match="another root key"):
        store.add(signed_list(2, signer=OTHER_ROOT_SIGNER), now=NOW)
    assert held(store) == 1


def test_attack_nothing_is_taken_before_a_root_is_pinned(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another root key"):
        TrustStore(tmp_path / "store").add(signed_list(), now=NOW)
    assert not (tmp_path / "store").exists()


def test_attack_two_lists_under_one_number(store: TrustStore) -> None:
    store.add(signed_list(1), now=NOW)
    with pytest.raises(InputError, match="signed twice under one number"):
        store.add(signed_list(1, trusted(OTHER_SIGNER)), now=NOW)
    assert list(store.load()) == [trusted()]


def test_attack_expired_list(store: TrustStore) -> None:
    """To a new terminal an old list is as good as a new one, but for its age."""
    late = NOW - DAY + timedelta(days=100) + MAX_OVERDUE
    with pytest.raises(InputError, match="overdue for 8 day"):
        store.add(signed_list(), now=late + SECOND)
    assert store.highest == 0
    store.add(signed_list(), now=late)
    with pytest.raises(InputError, match=r"edition 1 of the trust list is overdue for 1 day"):
        store.add(signed_list(days=1), now=NOW + SECOND, max_overdue=timedelta(0))


def test_attack_clock_set_back(store: TrustStore) -> None:
    """Who sets the clock back to make an old list fresh goes back before the list itself."""
    issued = NOW - DAY
    with pytest.raises(InputError, match="set the clock right"):
        store.add(signed_list(), now=issued - CLOCK_SKEW - SECOND)
    store.add(signed_list(), now=issued - CLOCK_SKEW)


def test_attack_unsigned_list(store: TrustStore, tmp_path: Path) -> None:
    TrustList([trusted()], edition=edition()).save(tmp_path / "list.json")
    with pytest.raises(InputError, match="not signed"):
        store.add((tmp_path / "list.json").read_bytes(), now=NOW)


def test_a_damaged_list_is_not_replaced_by_an_older_one_but_can_be_imported_again(store: TrustStore) -> None:
    store.add(signed_list(2), now=NOW)
    (store.folder / "list-1.cbor").write_bytes(signed_list(1))
    (store.folder / "list-2.cbor").write_bytes(signed_list(2)[:-1])
    with pytest.raises(InputError, match="CBOR") as caught:
        store.load()
    assert caught.value.where.endswith("list-2.cbor")
    with pytest.raises(InputError, match="older than edition 2"):
        store.add(signed_list(1), now=NOW)
    store.add(signed_list(2), now=NOW)
    assert held(store) == 2


def test_other_files_in_the_folder_are_left_alone(store: TrustStore) -> None:
    for name in ("list-x.cbor", "list-007.cbor", "list-5.cbor.bak", ".list-9.cbor.abcd", "list-99999999999.cbor"):
        (store.folder / name).write_bytes(b"")
    store.add(signed_list(1), now=NOW)
    assert held(store) == 1
    assert (store.folder / "list-x.cbor").exists()


# Killed and at once

KILLED = """
    import os, signal, sys
    from datetime import datetime
    from pathlib import Path
    from juying.credential.trust_store import TrustStore

    folder, data, now, when = sys.argv[1:]
    replace = Path.replace

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def killed_replace(self, target):
        if when == "before":
            die()
        replace(self, target)
        if when == "after":
            die()

    Path.replace = killed_replace
    Path.unlink = lambda self: die()
    TrustStore(folder).add(Path(data).read_bytes(), now=datetime.fromisoformat(now))
"""


@pytest.mark.parametrize(("when", "number"), [("before", 2), ("after", 3), ("while tidying up", 3)])
def test_killed_while_importing(store: TrustStore, tmp_path: Path, when: str, number: int) -> None:
    """The process is killed at each step of an import: either list is in use, whole, and the import can be repeated."""
    store.add(signed_list(1), now=NOW)
    store.add(signed_list(2), now=NOW)
    (tmp_path / "next.cbor").write_bytes(signed_list(3))
    arguments = [str(store.folder), str(tmp_path / "next.cbor"), NOW.isoformat(), when]
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(KILLED), *arguments], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert held(store) == number
    store.add(signed_list(3), now=NOW)
    assert held(store) == 3


def test_an_older_list_that_is_written_later_does_not_win(store: TrustStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two imports at once, both past their checks: the newer list stays, whoever writes last."""

    def overtaken(path: Path, data: bytes) -> None:
        monkeypatch.undo()
        store.add(signed_list(6), now=NOW)
        write_atomically(path, data)

    store.add(signed_list(4), now=NOW)
    monkeypatch.setattr(trust_store, "write_atomically", overtaken)
    store.add(signed_list(5), now=NOW)
    assert held(store) == 6
    with pytest.raises(InputError, match="older than edition 6"):
        store.add(signed_list(5), now=NOW)


def test_a_list_replaced_while_it_is_opened_gives_the_next(store: TrustStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(self: TrustStore) -> tuple[Root, ...]:
        monkeypatch.undo()
        store.add(signed_list(2), now=NOW)
        return self.roots()

    store.add(signed_list(1), now=NOW)
    monkeypatch.setattr(TrustStore, "roots", replaced)
    assert held(store) == 2


def test_many_imports_and_readers_at_once(store: TrustStore) -> None:
    """Whatever the order of eight imports, the newest list is held; a reader always finds a whole one."""
    store.add(signed_list(1), now=NOW)
    lists = [signed_list(number) for number in (9, 2, 7, 4, 5, 3, 8, 6)]
    start = threading.Barrier(len(lists) + 1)
    faults: list[Exception] = []

    def take(data: bytes) -> None:
        start.wait()
        try:
            store.add(data, now=NOW)
        except InputError as error:
            if "older than edition" not in error.text.en:
                faults.append(error)

    threads = [threading.Thread(target=take, args=[data]) for data in lists]
    for thread in threads:
        thread.start()
    start.wait()
    seen = [held(store) for _ in range(5)]
    for thread in threads:
        thread.join()
    assert not faults
    assert seen == sorted(seen)
    assert held(store) == 9


# What --trust takes


def test_a_store_a_signed_list_and_json_are_all_loaded(store: TrustStore, tmp_path: Path) -> None:
    store.add(signed_list(1), now=NOW)
    (tmp_path / "list.cbor").write_bytes(signed_list(1))
    ROOT.save(tmp_path / "root.json")
    TRUST.save(tmp_path / "list.json")
    for loaded in (
        load_trusted(store.folder),
        load_trusted(str(tmp_path / "list.cbor"), str(tmp_path / "root.json")),
        load_trusted(tmp_path / "list.json"),
    ):
        assert list(loaded) == [trusted()]


def test_with_a_root_nothing_unsigned_is_loaded(store: TrustStore, tmp_path: Path) -> None:
    ROOT.save(tmp_path / "root.json")
    TRUST.save(tmp_path / "list.json")
    with pytest.raises(InputError, match="not signed by a root key"):
        load_trusted(tmp_path / "list.json", tmp_path / "root.json")
    with pytest.raises(InputError, match="root keys of its own"):
        load_trusted(store.folder, tmp_path / "root.json")


def test_the_age_of_a_list_is_told_and_then_refused() -> None:
    listed = TrustList.from_signed(signed_list(days=1), [ROOT])
    assert check_age(listed, NOW) is None
    problem = check_age(listed, NOW + SECOND)
    assert problem is not None
    assert problem.en == "edition 1 of the trust list is overdue for 1 day(s): import the next"
    assert check_age(listed, NOW + MAX_OVERDUE) is not None
    with pytest.raises(InputError, match="overdue for 8 day"):
        check_age(listed, NOW + MAX_OVERDUE + SECOND)
    assert check_age(TRUST, NOW + 1000 * DAY) is None  # nobody promised another edition
