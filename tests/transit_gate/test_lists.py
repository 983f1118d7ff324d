"""White lists and black lists: strict, with file and line of every mistake, and quick."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.errors import InputError
from juying.services.transit.lists import BlackList, Listed, WhiteList
from tests.transit_gate.gates import EXAMPLES

NUMBERS = st.text("0123456789", min_size=19, max_size=19)


def file(folder: Path, content: str | bytes, name: str = "list") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_white_list(tmp_path: Path) -> None:
    listed = WhiteList.load(file(tmp_path, "# remark\nissuer,iin\r\n\n0123abcd, 31048804\n0123ABCD,31048805\n"))
    assert len(listed) == 2
    assert listed.look_up("0123ABCD", "31048804") is Listed.YES
    assert listed.look_up("0123ABCD", "31048806") is Listed.NO_IIN
    assert listed.look_up("0123ABCE", "31048804") is Listed.NO_ISSUER
    assert (Listed.NO_ISSUER, Listed.NO_IIN) == ("2449", "5469")


@pytest.mark.parametrize(
    ("content", "place", "told"),
    [
        ("", "", "issuer,iin"),
        ("# only a remark", "", "issuer,iin"),
        ("isuer,iin\n", ":1", "the nearest is issuer"),
        ("iin,issuer\n", ":1", "issuer,iin"),
        ("issuer\n", ":1", "issuer,iin"),
        ("issuer,iin\n01233310\n", ":2", "2 columns"),
        ("issuer,iin\n# x\n0123331,31048804\n", ":3", "8 hex digits"),
        ("issuer,iin\n0123331G,31048804\n", ":2", "8 hex digits"),
        ("issuer,iin\n01233310,3104880\n", ":2", "8 digits"),
        ("issuer,iin\n01233310,3104880A\n", ":2", "8 digits"),
        ("issuer,iin\n01233310,３1048804\n", ":2", "8 digits"),
        ("issuer,iin\n01233310,31048804\n01233310,31048804\n", ":3", "twice"),
        (b"issuer,iin\n\xff\xfe", "", "UTF-8"),
    ],
)
def test_mistakes_in_a_white_list(tmp_path: Path, content: str | bytes, place: str, told: str) -> None:
    path = file(tmp_path, content)
    with pytest.raises(InputError, match=told) as error:
        WhiteList.load(path)
    assert error.value.where == f"{path}{place}"


@pytest.mark.parametrize("load", [WhiteList.load, BlackList.load])
def test_a_list_that_is_not_there(tmp_path: Path, load: type) -> None:
    with pytest.raises(InputError) as error:
        load(tmp_path / "none")
    assert error.value.where == str(tmp_path / "none")


@given(st.binary(max_size=200) | st.from_regex(rb"issuer,iin\n([0-9A-G]{7,8},[0-9]{7,8}\n)*"))
def test_any_bytes_are_a_white_list_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = file(tmp_path_factory.getbasetemp(), data, "white")
    try:
        listed = WhiteList.load(path)
    except InputError:
        return
    assert all(len(issuer) == 8 and iins for issuer, iins in listed.issuers.items())


@given(st.sets(NUMBERS, max_size=50), st.sets(NUMBERS, max_size=10))
def test_a_black_list_holds_what_was_put_in_and_nothing_else(inside: set[str], others: set[str]) -> None:
    listed = BlackList.of(inside)
    assert len(listed) == len(inside)
    assert all(number in listed for number in inside)
    assert not any(number in listed for number in others - inside)
    assert not any(number in repr(listed) for number in inside)


@given(st.binary(max_size=200) | st.from_regex(rb"([0-9]{18,20}|#.*\n)*"))
def test_any_bytes_are_a_black_list_or_an_input_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = file(tmp_path_factory.getbasetemp(), data, "black")
    try:
        listed = BlackList.load(path)
    except InputError:
        return
    assert listed._numbers == b"" or listed._numbers.isdigit()


FIRST, SECOND = "3104880499000000013", "3104880499000000002"


@pytest.mark.parametrize(
    "content",
    [
        f"{FIRST}\n{SECOND}\n",
        f"{SECOND}\r\n{FIRST}\r\n{FIRST}",
        f"# remark 1\n\n  {FIRST}  \n{SECOND}\n",
    ],
)
def test_a_black_list_in_any_order_with_remarks_and_repetitions(tmp_path: Path, content: str) -> None:
    listed = BlackList.load(file(tmp_path, content))
    assert len(listed) == 2
    assert FIRST in listed
    assert SECOND in listed
    assert "3104880499000000003" not in listed
    assert "310488049900000001" not in listed


@pytest.mark.parametrize("content", ["", "# nothing\n"])
def test_an_empty_black_list(tmp_path: Path, content: str) -> None:
    listed = BlackList.load(file(tmp_path, content))
    assert len(listed) == 0
    assert FIRST not in listed


@pytest.mark.parametrize("wrong", [FIRST[:-1], FIRST + "0", "31048804990000000A3", "12 4567890123456789"])
def test_a_mistake_in_a_black_list_is_named_without_the_number(tmp_path: Path, wrong: str) -> None:
    path = file(tmp_path, f"# remark\n{FIRST}\n{wrong}\n")
    with pytest.raises(InputError) as error:
        BlackList.load(path)
    assert error.value.where == f"{path}:3"
    assert wrong not in str(error.value)
    with pytest.raises(InputError):
        BlackList.of([wrong])


def test_a_long_black_list_takes_nineteen_bytes_a_card(tmp_path: Path) -> None:
    numbers = [f"310488049{number:010}" for number in range(0, 200_000, 2)]
    listed = BlackList.load(file(tmp_path, "\n".join(numbers)))
    assert len(listed) == 100_000
    assert numbers[77_777] in listed
    assert "3104880490000000001" not in listed
    assert len(listed._numbers) == 1_900_000


def test_the_examples() -> None:
    assert len(WhiteList.load(EXAMPLES / "white-list.csv")) == 3
    assert len(BlackList.load(EXAMPLES / "black-list.txt")) == 2
