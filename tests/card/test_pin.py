"""PINs on their way to a card: asked for once, in the right form, and nowhere else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from juying.card.channel import Channel
from juying.card.pin import PIN_VARIABLE, PinSource, TypedPin, environment_pin, file_pin, pin_block, typed_pin
from juying.errors import InputError
from tests.card.scripted import ScriptedCard

VERIFY = "0020000003135790"


def channel(*script: tuple[str, str]) -> tuple[Channel, ScriptedCard]:
    card = ScriptedCard(*script)
    return Channel(card), card


def asked(digits: str = "135790") -> tuple[Callable[[], str], list[int]]:
    """A person who types ``digits``, and how often."""
    times: list[int] = []

    def ask() -> str:
        times.append(1)
        return digits

    return ask, times


def test_it_is_sent_as_three_bytes_bcd_and_asked_for_once_a_card() -> None:
    ask, times = asked()
    source = typed_pin(ask)
    line, card = channel((VERIFY, "9000"), (VERIFY, "9000"))
    entry = source(line)
    assert (entry.verify(), entry.verify(), len(times)) == (0x9000, 0x9000, 1)
    assert card.done
    assert source(channel((VERIFY, "9000"))[0]).verify() == 0x9000
    assert len(times) == 2, "another card, perhaps another holder"


def test_a_wrong_one_is_forgotten() -> None:
    ask, times = asked()
    line, _ = channel((VERIFY, "63c2"), (VERIFY, "9000"))
    entry = TypedPin(ask, line)
    assert entry.verify() == 0x63C2
    assert entry.verify() == 0x9000
    assert len(times) == 2


def test_it_is_changed_in_one_command_and_then_asked_for_again() -> None:
    ask, times = asked()
    line, card = channel((VERIFY, "9000"), ("805e010007 135790 ff 246802", "9000"), (VERIFY, "63c5"))
    entry = TypedPin(ask, line)
    assert entry.verify() == 0x9000
    assert entry.change(lambda: "246802") == 0x9000
    assert entry.verify() == 0x63C5
    assert card.done
    assert len(times) == 2


def test_it_can_be_changed_without_being_verified_before() -> None:
    line, card = channel(("805e010007 135790 ff 246802", "63c1"))
    assert TypedPin(lambda: "135790", line).change(lambda: "246802") == 0x63C1
    assert card.done


@pytest.mark.parametrize("digits", ["", "12345", "1234567", "12345a", "１２３４５６", "12 456", "-12345"])
def test_what_cannot_be_a_pin_is_not_sent_and_not_repeated_in_the_message(digits: str) -> None:
    line, _ = channel()
    with pytest.raises(InputError, match="6 digits") as error:
        TypedPin(lambda: digits, line).verify()
    assert not digits or digits not in str(error.value)
    with pytest.raises(InputError):
        pin_block(digits)


def test_it_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PIN_VARIABLE, raising=False)
    assert environment_pin() is None
    monkeypatch.setenv(PIN_VARIABLE, "135790")
    source = environment_pin()
    assert source is not None
    assert source(channel((VERIFY, "9000"))[0]).verify() == 0x9000


@pytest.mark.parametrize("written", ["135790", "135790\n", "135790\r\n", " 135790 "])
def test_it_comes_from_a_file_of_one_line(written: str, tmp_path: Path) -> None:
    path = tmp_path / "pin"
    path.write_bytes(written.encode())
    source: PinSource = file_pin(path)
    assert source(channel((VERIFY, "9000"))[0]).verify() == 0x9000


def test_a_file_that_is_not_there_or_holds_something_else_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read") as error:
        file_pin(tmp_path / "none")(channel()[0]).verify()
    assert error.value.where == str(tmp_path / "none")
    (tmp_path / "long").write_bytes(b"135790" * 1000 + b"\xff")
    with pytest.raises(InputError, match="6 digits"):
        file_pin(tmp_path / "long")(channel()[0]).verify()


def test_nothing_shows_it() -> None:
    entry = TypedPin(lambda: "135790", channel((VERIFY, "9000"))[0])
    entry.verify()
    assert repr(entry) == "TypedPin()"
