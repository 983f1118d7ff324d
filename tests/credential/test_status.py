"""The lists that a terminal holds: what they answer, and that they never go back."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from juying.credential.claims import StatusReference
from juying.credential.status import Authority, Status, StatusLists, read_token
from juying.credential.status_list import MAX_TEXT, MAX_TOKEN, from_text, to_text
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.errors import DecodeError, InputError
from tests.credential.samples import NOW, OTHER_SIGNER, SIGNER, TRUST, claims, signed, trusted
from tests.credential.statuses import NUMBER, at, token

HOUR = timedelta(hours=1)
REVOKED, SUSPENDED, GOOD = (StatusReference(NUMBER, place) for place in range(3))
STATUSES = bytes([Status.INVALID, Status.SUSPENDED, Status.VALID, Status.VALID])
TWO_CITIES = TrustList([trusted(), trusted(OTHER_SIGNER, region="330400")])


def lists_of(*tokens: bytes, trust: TrustList = TRUST) -> StatusLists:
    lists = StatusLists()
    for one in tokens:
        lists.add(one, trust, now=NOW)
    return lists


def status_of(lists: StatusLists, reference: StatusReference = REVOKED) -> Status | None:
    answer = lists.lookup(reference, now=NOW)
    return answer.status if answer else None


def test_an_answer_says_how_old_it_is() -> None:
    lists = lists_of(at(NOW - 2 * HOUR, STATUSES))
    answer = lists.lookup(SUSPENDED, now=NOW)
    assert answer is not None
    assert (answer.status, answer.as_of, answer.age) == (Status.SUSPENDED, NOW - 2 * HOUR, 2 * HOUR)
    assert (answer.expires_at, answer.ttl, answer.expired) == (NOW + 22 * HOUR, HOUR, False)


def test_an_answer_expires_with_its_list() -> None:
    lists = lists_of(at(NOW, STATUSES))
    for age, expired in ((24 * HOUR - timedelta(seconds=1), False), (24 * HOUR, True)):
        answer = lists.lookup(GOOD, now=NOW + age)
        assert answer is not None
        assert (answer.status, answer.expired) == (Status.VALID, expired)


def test_a_clock_set_back_makes_no_list_younger_than_new() -> None:
    answer = lists_of(at(NOW)).lookup(GOOD, now=NOW - HOUR)
    assert answer is not None
    assert answer.age == timedelta(0)


@pytest.mark.parametrize("reference", [StatusReference(4, 0), StatusReference(NUMBER, 4), StatusReference(NUMBER, -1)])
def test_nothing_known_is_no_answer(reference: StatusReference) -> None:
    assert lists_of(token(STATUSES)).lookup(reference, now=NOW) is None
    assert StatusLists().lookup(reference, now=NOW) is None


def test_a_newer_list_replaces_the_one_held() -> None:
    lists = lists_of(at(NOW - HOUR, STATUSES), at(NOW, bytes(4)))
    assert status_of(lists) is Status.VALID
    assert len(lists) == 1


def test_older_list() -> None:
    """Revoked stays revoked, although the older list is genuine."""
    lists = lists_of(at(NOW, STATUSES))
    with pytest.raises(InputError, match="older than the one held"):
        lists.add(at(NOW - HOUR, bytes(4)), TRUST, now=NOW)
    assert status_of(lists) is Status.INVALID


def test_a_list_of_the_same_second_is_no_newer() -> None:
    lists = lists_of(at(NOW, STATUSES))
    with pytest.raises(InputError, match="at the same time"):
        lists.add(at(NOW, bytes(4)), TRUST, now=NOW)
    assert status_of(lists) is Status.INVALID


def test_the_same_list_again_changes_nothing() -> None:
    lists = lists_of(at(NOW, STATUSES))
    (held,) = lists
    assert lists.add(held.token, TRUST, now=NOW) is held


def test_not_the_list_that_was_asked_for() -> None:
    lists = StatusLists()
    with pytest.raises(InputError, match="status list 3, not 4"):
        lists.add(token(), TRUST, now=NOW, number=4)
    assert len(lists) == 0


def test_many_threads_leave_the_newest() -> None:
    tokens = [at(NOW - timedelta(minutes=minutes), bytes([minutes % 3])) for minutes in range(60)]
    lists = StatusLists()

    def offer(one: bytes) -> bool:
        try:
            lists.add(one, TRUST, now=NOW)
        except InputError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(offer, tokens[::-1] + tokens))
    (held,) = lists
    assert held.content.issued_at == NOW
    assert True in taken


# Whose lists


def test_two_authorities_with_one_number() -> None:
    """Neither speaks for the other's credentials, and without knowing whose it is nobody does."""
    lists = lists_of(token(STATUSES), token(bytes(4), signer=OTHER_SIGNER), trust=TWO_CITIES)
    mine, other = trusted(), trusted(OTHER_SIGNER, region="330400")
    answers = [lists.lookup(REVOKED, now=NOW, issuer=issuer) for issuer in (mine, other)]
    assert [answer and answer.status for answer in answers] == [Status.INVALID, Status.VALID]
    assert lists.lookup(REVOKED, now=NOW) is None
    assert [held.authority for held in lists] == [Authority("331000", False), Authority("330400", False)]


def test_an_authority_without_its_own_list_is_not_answered_by_its_neighbour() -> None:
    lists = lists_of(token(STATUSES))
    assert lists.lookup(REVOKED, now=NOW, issuer=trusted(OTHER_SIGNER, region="330400")) is None


def test_a_province_speaks_for_its_cities_that_have_no_list() -> None:
    trust = TrustList([trusted(region="330000"), trusted(OTHER_SIGNER, region="330400")])
    city, elsewhere = trusted(OTHER_SIGNER, region="330400"), trusted(OTHER_SIGNER, region="320400")
    lists = lists_of(token(STATUSES), trust=trust)
    answer = lists.lookup(REVOKED, now=NOW, issuer=city)
    assert answer is not None
    assert answer.status is Status.INVALID
    assert lists.lookup(REVOKED, now=NOW, issuer=elsewhere) is None
    assert lists.lookup(REVOKED, now=NOW, issuer=trusted(OTHER_SIGNER, region="")) is None
    lists.add(token(bytes(4), signer=OTHER_SIGNER), trust, now=NOW)
    answer = lists.lookup(REVOKED, now=NOW, issuer=city)
    assert answer is not None
    assert answer.status is Status.VALID


def test_a_trial_never_speaks_for_the_real() -> None:
    trial = trusted(OTHER_SIGNER, demonstration=True)
    lists = lists_of(token(bytes(4), signer=OTHER_SIGNER), trust=TrustList([trusted(), trial]))
    assert lists.lookup(GOOD, now=NOW, issuer=trusted()) is None
    assert lists.lookup(GOOD, now=NOW, issuer=trial) is not None


@pytest.mark.parametrize(
    ("reference", "verdict"),
    [(REVOKED, Verdict.REVOKED), (SUSPENDED, Verdict.SUSPENDED), (GOOD, Verdict.VALID)],
)
def test_a_credential_is_verified_with_the_lists(reference: StatusReference, verdict: Verdict) -> None:
    credential = signed(claims(status=reference).encode())
    result = verify(credential, TRUST, now=NOW, status=lists_of(token(STATUSES)))
    assert (result.verdict, result.status_as_of) == (verdict, NOW - HOUR)
    assert verify(credential, TRUST, now=NOW, status=StatusLists()).verdict is Verdict.VALID_STALE_STATUS


def test_a_list_that_no_longer_covers_the_index_is_no_yes() -> None:
    credential = signed(claims(status=StatusReference(NUMBER, 4)).encode())
    result = verify(credential, TRUST, now=NOW, status=lists_of(token(STATUSES)))
    assert result.verdict is Verdict.VALID_STALE_STATUS


# Files


def test_lists_travel_by_file(tmp_path: Path) -> None:
    """Publisher, USB stick, terminal, and the terminal again after a night without power."""
    stick, terminal = tmp_path / "stick", tmp_path / "terminal"
    stick.mkdir()
    (stick / "any name.cwt").write_bytes(token(STATUSES))
    (stick / "4.TXT").write_text(to_text(token(STATUSES, number=4)) + "\r\n", "ascii")
    (stick / "readme.md").write_text("nothing to do with it")
    StatusLists.load(stick, TRUST, now=NOW).save(terminal)
    later = StatusLists.load(terminal, TRUST, now=NOW + 48 * HOUR)
    assert later.problems == ()
    assert [held.content.number for held in later] == [3, 4]
    answer = later.lookup(REVOKED, now=NOW + 48 * HOUR)
    assert answer is not None
    assert (answer.status, answer.expired, answer.age) == (Status.INVALID, True, 49 * HOUR)


@pytest.mark.parametrize("name", ["list.cwt", "list.bin"])
def test_one_file(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(token(STATUSES))
    assert status_of(StatusLists.load(tmp_path / name, TRUST, now=NOW)) is Status.INVALID


def test_a_bad_file_does_not_take_the_others_away(tmp_path: Path) -> None:
    (tmp_path / "1.cwt").write_bytes(b"noise")
    (tmp_path / "2.txt").write_bytes(b"\xff")
    (tmp_path / "3.cwt").write_bytes(token(STATUSES))
    (tmp_path / "5.cwt").write_bytes(token(signer=OTHER_SIGNER))
    lists = StatusLists.load(tmp_path, TRUST, now=NOW)
    assert status_of(lists) is Status.INVALID
    assert [Path(problem.where).name for problem in lists.problems] == ["1.cwt", "2.txt", "5.cwt"]


def test_a_single_file_that_does_not_count_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "3.cwt"
    file.write_bytes(b"noise")
    with pytest.raises(InputError) as caught:
        StatusLists.load(file, TRUST, now=NOW)
    assert caught.value.where == str(file)


def test_an_older_file_beside_a_newer_one_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.cwt").write_bytes(at(NOW, STATUSES))
    (tmp_path / "z.cwt").write_bytes(at(NOW - HOUR, bytes(4)))
    lists = StatusLists.load(tmp_path, TRUST, now=NOW)
    assert (status_of(lists), lists.problems) == (Status.INVALID, ())


def test_saving_keeps_the_newest_whatever_is_saved_when(tmp_path: Path) -> None:
    newer, older = lists_of(at(NOW, STATUSES)), lists_of(at(NOW - HOUR, bytes(4)))
    for lists in (older, newer, older, newer):
        lists.save(tmp_path)
    assert status_of(StatusLists.load(tmp_path, TRUST, now=NOW)) is Status.INVALID
    newer.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["331000-3-20261201T040000Z.cwt"]


def test_saving_touches_nobody_elses_list(tmp_path: Path) -> None:
    """Names that begin alike: list 1 without a region, and list 1 of region 1…, and a trial."""
    everywhere = lists_of(at(NOW, number=331000), trust=TrustList([trusted(region="")]))
    city = lists_of(at(NOW - HOUR, number=1))
    trial = lists_of(at(NOW - HOUR, number=1), trust=TrustList([trusted(demonstration=True)]))
    for lists in (city, trial, everywhere):
        lists.save(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "331000-1-20261201T030000Z.cwt",
        "331000-20261201T040000Z.cwt",
        "331000-demo-1-20261201T030000Z.cwt",
    ]


def test_files_that_are_not_there_or_too_large(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.cwt", tmp_path / "nothing"):
        with pytest.raises(InputError, match="cannot be read"):
            StatusLists.load(path, TRUST, now=NOW)
    large, long_text = tmp_path / "large.cwt", tmp_path / "large.txt"
    large.write_bytes(bytes(MAX_TOKEN + 1))
    long_text.write_bytes(b"J" * (MAX_TEXT + 3))
    for path in (large, long_text):
        with pytest.raises(InputError, match="larger than"):
            read_token(path)


def test_a_folder_of_too_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.credential.status.MAX_FILES", 1)
    for name in ("1.cwt", "2.cwt"):
        (tmp_path / name).write_bytes(token())
    with pytest.raises(InputError, match="more than 1 files"):
        StatusLists.load(tmp_path, TRUST, now=NOW)


def test_a_folder_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(InputError, match="cannot be used"):
        lists_of(token()).save(blocked / "below")

    def no_listing(self: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", no_listing)
    with pytest.raises(InputError, match="Permission denied"):
        StatusLists.load(tmp_path, TRUST, now=NOW)


def test_text_from_a_scanner_is_added_like_any_other() -> None:
    lists = StatusLists()
    lists.add(from_text(to_text(token(STATUSES))), TRUST, now=NOW)
    assert status_of(lists) is Status.INVALID
    with pytest.raises(DecodeError):
        from_text(to_text(token()).lower())


def test_the_kid_of_the_key_that_signed_is_kept() -> None:
    (held,) = lists_of(token())
    assert held.key.kid == SIGNER.kid
