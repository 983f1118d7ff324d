"""Every bad habit of library systems that is known, played by a peer: each has a test that is named after it.

Each test is made with the client for threads and the one for event loops.
"""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from juying.errors import FieldError, PlatformUnavailable
from juying.services.library.patron import Flag
from juying.services.library.session import Done
from tests.library.asking import Asked
from tests.library.conftest import LibrarySystem
from tests.peers.sip2 import HABITS, INSTITUTION, PIN

Ask = Callable[..., Asked]


def problems(received: Any) -> str:
    return " ".join(problem.en for problem in received.problems)


def understood(client: Any, *, clean: bool = True) -> str:
    """Two readers, one of whom may not borrow: who is taken for the other?"""
    seen = ""
    for _ in range(2):
        for number, name, flags in (("R0001", "样本·安娜", set()), ("R0002", "样本·停借", {Flag.BORROWING_DENIED})):
            received = client.reader(number)
            assert (received.message.name, received.message.status) == (name, flags)
            seen += problems(received)
    assert not (clean and seen)
    return seen


def unavailable(call: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(PlatformUnavailable) as caught:
        call(*arguments)
    assert "Sample Library" in caught.value.text.en
    return caught.value.text.en


WHAT = {"checkout": ("R0001", "B0001"), "checkin": ("B0001",), "renew": ("R0001", "B0001"), "pay": ("R0005", 25)}
each_transaction = pytest.mark.parametrize("what", WHAT)


def lost(ask: Ask, system: LibrarySystem, what: str, habit: str) -> Done:
    """What the terminal is told when the answer is lost. Nothing is ever done twice, nor done and called not done."""
    client = ask(impatient=True)
    if what in ("checkin", "renew"):
        assert client.checkout("R0001", "B0001").done
    before = len(system.ledger)
    system.change(habit)
    transaction = getattr(client, what)(*WHAT[what])
    done = [entry[0] for entry in system.ledger[before:]]
    assert done in ([], [what])
    assert transaction.outcome is not (Done.NOT_DONE if done else Done.DONE)
    assert (transaction.answer is not None) == (habit == "late-loan")
    assert transaction.done == (transaction.outcome is Done.DONE)
    return transaction.outcome


def test_every_habit_has_a_test() -> None:
    tests = vars(sys.modules[__name__])
    assert [habit for habit in HABITS if f"test_{habit.replace('-', '_')}" not in tests] == []


# how bytes travel


def test_split(ask: Ask, system: LibrarySystem) -> None:
    system.begin("split")
    understood(ask())


def test_glued(ask: Ask, system: LibrarySystem) -> None:
    """The second copy is not taken for the answer to the next question."""
    system.begin("glued")
    understood(ask())


def test_greeting(ask: Ask, system: LibrarySystem) -> None:
    system.begin("greeting")
    understood(ask())


def test_no_end(ask: Ask, system: LibrarySystem) -> None:
    """A checksum that fits says that the answer is whole; without one it counts as whole when nothing more comes."""
    system.begin("no-end")
    understood(ask())
    system.begin("no-end", "no-trailer")
    assert "there is no checksum" in problems(ask(impatient=True).status())


def test_crlf(ask: Ask, system: LibrarySystem) -> None:
    system.begin("crlf")
    understood(ask(terminator="CRLF"))


def test_lf_first(ask: Ask, system: LibrarySystem) -> None:
    system.begin("lf-first")
    understood(ask(terminator="LF"))


def test_garbage(ask: Ask, system: LibrarySystem) -> None:
    system.begin("garbage")
    assert "other bytes before the message" in understood(ask(), clean=False)
    assert "cannot be read" in unavailable(ask(strict=True, resend=False).reader, "R0001")


def test_endless(ask: Ask, system: LibrarySystem) -> None:
    """Not waited for until the time is up."""
    system.begin("endless")
    assert "more than 65536 bytes" in unavailable(ask().reader, "R0001")


def test_many_fields(ask: Ask, system: LibrarySystem) -> None:
    system.begin("many-fields")
    assert "cannot be read" in unavailable(ask(question="63").reader, "R0001")


# trailer


def test_no_trailer(ask: Ask, system: LibrarySystem) -> None:
    system.begin("no-trailer")
    assert "there is no checksum" in understood(ask(), clean=False)
    understood(ask(send_checksum="off"))
    assert "cannot be read" in unavailable(ask(receive_checksum="strict").reader, "R0001")


def test_checksum_only(ask: Ask, system: LibrarySystem) -> None:
    system.begin("checksum-only")
    assert "sequence number is not that" in understood(ask(), clean=False)
    understood(ask(sequence="off"))
    assert "no answer in time" in unavailable(ask(sequence="strict", impatient=True).reader, "R0001")


def test_wrong_checksum(ask: Ask, system: LibrarySystem) -> None:
    system.begin("wrong-checksum")
    assert "the checksum is wrong" in understood(ask(), clean=False)
    understood(ask(receive_checksum="off"))
    assert "cannot be read" in unavailable(ask(receive_checksum="strict").reader, "R0001")


def test_garbled_once(ask: Ask, system: LibrarySystem) -> None:
    """A garbled answer is asked for again, by 97 and not by asking twice."""
    system.begin("garbled-once")
    understood(ask(receive_checksum="strict"))
    assert system.sent == ["93", "97", "99", "97", *["63", "97"] * 4]


def test_short_checksum(ask: Ask, system: LibrarySystem) -> None:
    system.begin("short-checksum")
    assert understood(ask(), clean=False).count("has not four") == 4


def test_code_points(ask: Ask, system: LibrarySystem) -> None:
    system.begin("code-points")
    assert "the checksum is wrong" in understood(ask(), clean=False)


def test_dp2_checksum(ask: Ask, system: LibrarySystem) -> None:
    system.begin("dp2-checksum", "no-23", "no-97", "own-prefix")
    understood(ask(profile="dp2", receive_checksum="strict"))
    assert "the checksum is wrong" in understood(ask(sequence="off"), clean=False)


def test_digit_zero(ask: Ask, system: LibrarySystem) -> None:
    system.begin("digit-zero")
    assert "sequence number is not that" in understood(ask(), clean=False)
    assert "no answer in time" in unavailable(ask(sequence="strict", impatient=True).reader, "R0001")


def test_stale(ask: Ask, system: LibrarySystem) -> None:
    """An answer to the question before is nobody's answer now."""
    system.begin("stale")
    understood(ask())
    understood(ask(sequence="off", echo="strict"))


def test_other_reader(ask: Ask, system: LibrarySystem) -> None:
    system.begin("other-reader")
    assert "about another number" in problems(ask().reader("R0001"))
    understood(ask(echo="off"))
    assert "no answer in time" in unavailable(ask(echo="strict", impatient=True).reader, "R0001")
    assert "no answer in time" in unavailable(ask(send_checksum="off", impatient=True).reader, "R0001")


def test_own_prefix(ask: Ask, system: LibrarySystem) -> None:
    system.begin("own-prefix", "cut-after-loan")
    client = ask(echo="strict")
    understood(client)
    assert client.checkout("R0001", "B0001").done


# text


def test_gbk(ask: Ask, system: LibrarySystem) -> None:
    """The second byte of each of these characters is that of the bar."""
    system.begin("gbk")
    assert all(character.encode("gbk").endswith(b"|") for character in "東珅瑋")
    received = ask(charset="gbk").reader("R0007")
    assert received.message.name == "样本·東珅瑋"
    assert received.problems == ()
    assert "some bytes are no utf-8" in problems(ask().reader("R0007"))


def test_gb18030(ask: Ask, system: LibrarySystem) -> None:
    system.begin("gb18030")
    assert ask(profile="interlib").reader("R0007").message.name == "样本·東珅瑋"


def test_cp850(ask: Ask, system: LibrarySystem) -> None:
    system.begin("cp850")
    assert ask(charset="cp850").reader("R0009").message.name == "ÉCHANTILLON ÇÀ"


# 96 and 97


def test_96_once(ask: Ask, system: LibrarySystem) -> None:
    """What may be repeated is, once; a loan is not."""
    system.begin("96-once")
    client = ask()
    understood(client)
    assert system.sent[:6] == ["93", "93", "99", "99", "63", "63"]
    system.begin("96-once")
    assert client.checkout("R0001", "B0001").outcome is Done.NOT_DONE
    assert system.sent.count("11") == 1
    assert system.ledger == []


def test_96_always(ask: Ask, system: LibrarySystem) -> None:
    system.begin("96-always")
    assert "does not take the question" in unavailable(ask().reader, "R0001")
    assert system.sent == ["93"] * 3
    assert "does not take the question" in unavailable(ask(send_checksum="strict").status)


def test_96_without_end(ask: Ask, system: LibrarySystem) -> None:
    """Its checksum says that it is whole, so nobody waits for more."""
    system.begin("96-without-end")
    assert "does not take the question" in unavailable(ask().reader, "R0001")


@each_transaction
def test_96_but_done(ask: Ask, system: LibrarySystem, what: str) -> None:
    assert lost(ask, system, what, "96-but-done") is Done.DONE


def test_96_with_checksum(ask: Ask, system: LibrarySystem) -> None:
    system.begin("96-with-checksum")
    understood(ask(), clean=False)
    assert "does not take the question" in unavailable(ask(send_checksum="strict").reader, "R0001")


def test_97_stale(ask: Ask, system: LibrarySystem) -> None:
    """What 97 brings is looked at like any other answer: this one belongs to somebody else."""
    client = ask(receive_checksum="strict", impatient=True)
    client.reader("R0001")
    system.change("garbled-once", "97-stale")
    assert "no answer in time" in unavailable(client.reader, "R0002")


def test_no_97(ask: Ask, system: LibrarySystem) -> None:
    system.begin("garbled-once", "no-97")
    assert "no answer in time" in unavailable(ask(receive_checksum="strict", impatient=True).reader, "R0001")
    system.begin("garbled-once", "no-97")
    assert "cannot be read" in unavailable(ask(receive_checksum="strict", resend=False).reader, "R0001")
    assert "97" not in system.sent


# silence, and hanging up


def test_silent(ask: Ask, system: LibrarySystem) -> None:
    system.begin("silent")
    assert "no answer in time" in unavailable(ask(impatient=True).reader, "R0001")


def test_silent_login(ask: Ask, system: LibrarySystem) -> None:
    system.begin("silent-login")
    assert "no answer in time" in unavailable(ask(impatient=True).reader, "R0001")
    assert system.sent == ["93"]


def test_silent_once(ask: Ask, system: LibrarySystem) -> None:
    """The connection on which an answer is missing is not used again: it might still come."""
    system.begin("silent-once")
    client = ask(impatient=True)
    assert "no answer in time" in unavailable(client.reader, "R0001")
    understood(client)
    assert system.told["connections"] == 2


def test_hang_up(ask: Ask, system: LibrarySystem) -> None:
    """Each time a new connection, with login."""
    system.begin("hang-up")
    understood(ask())
    assert system.told["connections"] == 4
    assert system.sent.count("93") == 4
    client = ask()
    assert client.checkout("R0001", "B0001").done


def test_cut(ask: Ask, system: LibrarySystem) -> None:
    client = ask()
    understood(client)
    system.change("cut")
    assert "hung up" in unavailable(client.reader, "R0001")


@each_transaction
def test_silent_before_loan(ask: Ask, system: LibrarySystem, what: str) -> None:
    """It may still be at work."""
    assert lost(ask, system, what, "silent-before-loan") is Done.UNKNOWN


@each_transaction
def test_silent_after_loan(ask: Ask, system: LibrarySystem, what: str) -> None:
    assert lost(ask, system, what, "silent-after-loan") is Done.DONE


@each_transaction
def test_late_loan(ask: Ask, system: LibrarySystem, what: str) -> None:
    assert lost(ask, system, what, "late-loan") is Done.DONE


@each_transaction
def test_lost_loan(ask: Ask, system: LibrarySystem, what: str) -> None:
    assert lost(ask, system, what, "lost-loan") is Done.DONE


@each_transaction
def test_forgotten_loan(ask: Ask, system: LibrarySystem, what: str) -> None:
    assert lost(ask, system, what, "forgotten-loan") is Done.NOT_DONE


@each_transaction
def test_cut_before_loan(ask: Ask, system: LibrarySystem, what: str) -> None:
    assert lost(ask, system, what, "cut-before-loan") is Done.NOT_DONE


@each_transaction
def test_cut_after_loan(ask: Ask, system: LibrarySystem, what: str) -> None:
    assert lost(ask, system, what, "cut-after-loan") is Done.DONE


@each_transaction
def test_garbled_loan(ask: Ask, system: LibrarySystem, what: str) -> None:
    assert lost(ask, system, what, "garbled-loan") is Done.DONE


def test_what_the_system_does_not_tell_nobody_knows(ask: Ask, system: LibrarySystem) -> None:
    """An item without due date, a reader without fee, a system that lets nobody in any more."""
    client = ask()
    client.status()
    system.change("forgotten-loan")
    assert client.renew("R0001", "B0001").outcome is Done.UNKNOWN
    assert client.pay("R9999", 5).outcome is Done.UNKNOWN
    system.change("cut-after-loan", "refuse-login")
    assert client.checkout("R0001", "B0001").outcome is Done.UNKNOWN
    assert len(system.ledger) == 1


def test_titles(ask: Ask, system: LibrarySystem) -> None:
    """A list of titles tells nothing of an item; the item itself does."""
    client = ask()
    assert client.checkout("R0001", "B0002").done
    system.change("titles", "cut-before-loan")
    assert client.checkout("R0001", "B0001").outcome is Done.NOT_DONE
    system.change("titles", "cut-after-loan")
    assert client.checkout("R0001", "B0001").outcome is Done.UNKNOWN
    assert len(system.ledger) == 2


def test_counts_only(ask: Ask, system: LibrarySystem) -> None:
    system.begin("counts-only", "cut-after-loan")
    assert ask().checkout("R0001", "B0001").outcome is Done.UNKNOWN
    assert len(system.ledger) == 1


def test_no_17(ask: Ask, system: LibrarySystem) -> None:
    """Without a way to ask nobody knows."""
    system.begin("no-17", "cut-after-loan")
    client = ask()
    assert client.checkin("B0001").outcome is Done.UNKNOWN
    assert client.renew("R0001", "B0001").outcome is Done.UNKNOWN


# what it says and knows


def test_refuse_login(ask: Ask, system: LibrarySystem) -> None:
    system.begin("refuse-login")
    assert "refuses the login" in unavailable(ask().reader, "R0001")
    assert system.sent == ["93"]


def test_login_first(ask: Ask, system: LibrarySystem) -> None:
    system.begin("login-first")
    understood(ask())
    assert "hung up" in unavailable(ask(login="").reader, "R0001")


def test_off_line(ask: Ask, system: LibrarySystem) -> None:
    system.begin("off-line")
    assert "off line" in unavailable(ask().reader, "R0001")


def test_no_63(ask: Ask, system: LibrarySystem) -> None:
    """A system that says so is asked with 23 at once."""
    system.begin("no-63")
    understood(ask())
    assert "63" not in system.sent


def test_no_63_silently(ask: Ask, system: LibrarySystem) -> None:
    system.begin("no-63-silently")
    understood(ask(send_checksum="strict"))
    assert "does not take the question" in unavailable(ask(question="63").reader, "R0001")


def test_no_23(ask: Ask, system: LibrarySystem) -> None:
    system.begin("no-23")
    understood(ask())
    assert "does not take the question" in unavailable(ask(question="23").reader, "R0001")


def test_no_status(ask: Ask, system: LibrarySystem) -> None:
    system.begin("no-status")
    understood(ask(status=False))
    assert "hung up" in unavailable(ask().reader, "R0001")


def test_sentence(ask: Ask, system: LibrarySystem) -> None:
    system.begin("sentence", "no-17")
    assert "no SIP2 message" in unavailable(ask(impatient=True).item_information, "B0001")


def test_none(ask: Ask, system: LibrarySystem) -> None:
    system.begin("none")
    assert "no SIP2 message" in unavailable(ask(impatient=True).status)


def test_blank_padded(ask: Ask, system: LibrarySystem) -> None:
    system.begin("blank-padded")
    received = ask().status()
    assert (received.message.timeout, received.message.retries) == (10, 10)


def test_no_valid(ask: Ask, system: LibrarySystem) -> None:
    system.begin("no-valid")
    assert ask().reader("R0001").message.valid is None


def test_no_pin_field(ask: Ask, system: LibrarySystem) -> None:
    system.begin("no-pin-field")
    assert ask().reader("R0001", PIN).message.pin_valid is None


def test_pin_never_valid(ask: Ask, system: LibrarySystem) -> None:
    system.begin("pin-never-valid")
    client = ask()
    assert [client.reader("R0001", pin).message.pin_valid for pin in (None, "000000", PIN)] == [False, False, True]


def test_n_for_blank(ask: Ask, system: LibrarySystem) -> None:
    system.begin("n-for-blank")
    understood(ask())


def test_negative_debts(ask: Ask, system: LibrarySystem) -> None:
    system.begin("negative-debts")
    assert ask().reader("R0005").message.fee == -75


def test_short_limit(ask: Ask, system: LibrarySystem) -> None:
    system.begin("short-limit")
    assert ask().reader("R0001").message.overdue_limit == 5
    assert "cannot be read" in unavailable(ask(strict=True, resend=False, question="63").reader, "R0001")


def test_terse(ask: Ask, system: LibrarySystem) -> None:
    system.begin("terse")
    received = ask().reader("R0001")
    assert "the field AO is missing" in problems(received)
    assert received.message.valid


def test_checks(ask: Ask, system: LibrarySystem) -> None:
    system.begin("checks")
    understood(ask())
    assert "does not take the question" in unavailable(ask(send_checksum="off").reader, "R0001")


def test_slow(ask: Ask, system: LibrarySystem) -> None:
    system.begin("slow")
    assert "no answer in time" in unavailable(ask(impatient=True).reader, "R0001")
    assert ask().reader("R0001").message.valid


# without bad habits


def test_a_day_at_the_library(ask: Ask, system: LibrarySystem) -> None:
    client = ask()
    assert client.status().message.institution == INSTITUTION
    assert client.checkout("R0001", "B0001", PIN).answer.title == "样书1"
    assert client.patron_information("R0001").message.charged == 1
    assert client.renew("R0001", "B0001").answer.due > "2027"
    assert client.item_information("B0001").message.circulation == 4
    assert client.checkout("R0001", "B0001", fee_accepted=True).answer.renewal_ok  # the same again is no loan of ours
    assert client.checkin("B0001").answer.location == "总馆"
    assert client.checkin("B0001").outcome is Done.NOT_DONE
    assert client.pay("R0005", 25, fee="F1").done
    assert client.end_session("R0001").message.ended
    assert system.told["connections"] == 1


@pytest.mark.parametrize("number", ["", "张三", "R0001|BLY", "R0001\r63"])
def test_numbers_that_would_not_arrive_are_not_sent(ask: Ask, system: LibrarySystem, number: str) -> None:
    client = ask()
    for call in (client.reader, client.item_information, client.checkin, client.end_session):
        with pytest.raises(FieldError) as caught:
            call(number)
        assert not number or number not in str(caught.value)
    assert system.sent == []
