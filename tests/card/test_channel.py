"""The channel: T=0 and T=1, long answers and long data, and cards that want to do harm."""

from itertools import count

import pytest

from juying.card import apdu
from juying.card.apdu import Command, Response
from juying.card.channel import Channel, channel_class
from juying.card.transport import CardProtocol
from juying.errors import CardRemoved, InputError, ProtocolError, StatusError
from tests.card.scripted import FunctionCard, ScriptedCard, answers

SELECT = apdu.select_aid(bytes.fromhex("D15600000500"))
SELECT_T1 = "00A4040006D1560000050000"
SELECT_T0 = "00A4040006D15600000500"
READ = apdu.read_record(1)
ALL = 65536


def run(command: Command, *script: tuple[str, str], protocol: CardProtocol = "T=1", **options: int) -> Response:
    """Send one command to a scripted card and see that the whole script was used."""
    card = ScriptedCard(*script, protocol=protocol)
    response = Channel(card, **options).transmit(command)
    assert card.done
    return response


# T=0 and T=1 on the line


def test_case_4_on_t1_goes_as_it_is() -> None:
    assert run(SELECT, (SELECT_T1, "6F009000")) == Response(b"\x6f\x00", 0x9000)


def test_case_4_on_t0_loses_le_and_fetches_the_answer() -> None:
    """ISO 7816-3: the command goes without Le, the card says how much waits, GET RESPONSE brings it."""
    response = run(SELECT, (SELECT_T0, "6102"), ("00C0000002", "6F009000"), protocol="T=0")
    assert response == Response(b"\x6f\x00", 0x9000)


def test_t0_reader_that_fetches_by_itself() -> None:
    """Some readers carry out GET RESPONSE themselves: the answer may come at once."""
    assert run(SELECT, (SELECT_T0, "6F009000"), protocol="T=0").data == b"\x6f\x00"


def test_case_1_on_t0_gets_p3() -> None:
    assert run(Command(0, 0x44, 0, 0), ("0044000000", "9000"), protocol="T=0").sw == 0x9000
    assert run(Command(0, 0x44, 0, 0), ("00440000", "9000")).sw == 0x9000


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_cases_2_and_3_are_the_same_on_both(protocol: CardProtocol) -> None:
    assert run(READ, ("00B2010400", "0102039000"), protocol=protocol).data == b"\x01\x02\x03"
    assert run(apdu.update_record(1, b"\xaa"), ("00DC010401AA", "9000"), protocol=protocol).sw == 0x9000


@pytest.mark.parametrize("ins", [0x60, 0x6A, 0x90, 0x9F])
def test_ins_that_looks_like_a_status_byte(ins: int) -> None:
    with pytest.raises(InputError, match="INS"):
        Channel(ScriptedCard()).transmit(Command(0, ins, 0, 0))


def test_select_without_le_on_t0_leaves_the_answer_where_it_is() -> None:
    """A caller who wants no answer gets none, and 61xx counts as success."""
    card = ScriptedCard((SELECT_T0, "6120"), protocol="T=0")
    assert Channel(card).send(Command(0, 0xA4, 4, 0, SELECT.data)) == b""


@pytest.mark.parametrize(
    ("answer", "data"), [("0203 9000", b"\x02\x03"), ("6A86", b""), ("6102", b"")], ids=["data", "refused", "more"]
)
def test_t0_warning_may_hide_an_answer(answer: str, data: bytes) -> None:
    """A blocked application answers 6283; its control information is asked for, and the warning stays."""
    response = run(SELECT, (SELECT_T0, "6283"), ("00C0000000", answer), protocol="T=0")
    assert response == Response(data, 0x6283)


def test_warning_elsewhere_is_left_alone() -> None:
    assert run(SELECT, (SELECT_T1, "6283")).sw == 0x6283
    assert run(apdu.update_record(1, b"\xaa"), ("00DC010401AA", "6381"), protocol="T=0").sw == 0x6381
    assert run(READ, ("00B2010400", "016282"), protocol="T=0") == Response(b"\x01", 0x6282)


# 61xx


def test_answer_in_three_pieces() -> None:
    response = run(SELECT, (SELECT_T1, "016102"), ("00C0000002", "026101"), ("00C0000001", "039000"))
    assert response == Response(b"\x01\x02\x03", 0x9000)


def test_6100_means_256_or_more() -> None:
    response = run(READ, ("00B2010400", "6100"), ("00C0000000", "55" * 256 + "6101"), ("00C0000001", "669000"))
    assert response.data == b"\x55" * 256 + b"\x66"


def test_no_more_is_fetched_than_wanted() -> None:
    """Le 3 with 16 bytes waiting: three are fetched, and 61xx remains as a sign that there is more."""
    response = run(apdu.read_record(1, 3), ("00B2010403", "6110"), ("00C0000003", "010203610D"))
    assert response == Response(b"\x01\x02\x03", 0x610D)
    assert Channel(FunctionCard(answers("6110", "010203610D"))).send(apdu.read_record(1, 3)) == b"\x01\x02\x03"


def test_get_response_with_another_length() -> None:
    """GET RESPONSE itself may be answered with 6Cxx."""
    response = run(SELECT, (SELECT_T1, "6105"), ("00C0000005", "6C02"), ("00C0000002", "01029000"))
    assert response.data == b"\x01\x02"


def test_error_on_the_way_is_the_answer() -> None:
    """Pieces that came before an error are worth nothing."""
    assert run(READ, ("00B2010400", "016102"), ("00C0000002", "6F00")) == Response(b"", 0x6F00)


def test_no_get_response_after_an_error() -> None:
    """A card that would go on with 61xx after an error is not asked."""
    assert run(READ, ("00B2010400", "6A83")).sw == 0x6A83


@pytest.mark.parametrize(
    ("cla", "expected"),
    [
        *[(0x00, 0x00), (0x02, 0x02), (0x0C, 0x00), (0x13, 0x03), (0x45, 0x45), (0x75, 0x45)],
        *[(0x80, 0x00), (0x84, 0x00), (0x81, 0x01), (0xA0, 0x00), (0xBF, 0x00), (0xC3, 0x00)],
    ],
)
def test_get_response_keeps_the_logical_channel(cla: int, expected: int) -> None:
    """Secure messaging and chaining bits are left out, and proprietary classes name no channel."""
    assert channel_class(cla) == expected
    card = FunctionCard(answers("6101", "019000"))
    Channel(card).transmit(Command(cla, 0xCA, 0, 0, b"", 256))
    assert card.commands[1] == bytes((expected, 0xC0, 0, 0, 1))


def endless(piece: str) -> FunctionCard:
    """A card with always more to give."""
    return FunctionCard(lambda command: bytes.fromhex(piece) * (command[-1] or 256) + b"\x61\x00")


def test_endless_answer_is_bounded_by_bytes() -> None:
    card = endless("AA")
    with pytest.raises(ProtocolError, match="does not end"):
        Channel(card).transmit(READ)
    assert len(card.commands) == ALL // 256


def test_smaller_limit_of_the_caller() -> None:
    with pytest.raises(ProtocolError, match="does not end"):
        Channel(endless("AA"), max_answer=1000).transmit(READ)


def test_endless_small_pieces_are_bounded_by_number() -> None:
    card = FunctionCard(lambda command: b"\xaa\x61\x01")
    with pytest.raises(ProtocolError, match="does not end"):
        Channel(card, max_rounds=20).transmit(READ)
    assert len(card.commands) == 21


def test_endless_empty_pieces_stop_at_once() -> None:
    card = FunctionCard(lambda command: b"\x61\x10")
    with pytest.raises(ProtocolError, match="does not end"):
        Channel(card).transmit(READ)
    assert len(card.commands) == 2


def test_the_longest_answer_of_all() -> None:
    """65536 bytes in pieces of 256 come through."""
    rest = count(ALL // 256 - 1, -1)
    card = FunctionCard(lambda command: bytes(256) + (b"\x61\x00" if next(rest) else b"\x90\x00"))
    assert len(Channel(card).transmit(READ).data) == ALL


# 6Cxx


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_exact_length_is_taken_over(protocol: CardProtocol) -> None:
    """READ RECORD with the length of the value alone relies on this (observed with these cards)."""
    response = run(
        apdu.read_record(1, 0x10),
        ("00B2010410", "6C12"),
        ("00B2010412", "0110" + "AA" * 16 + "9000"),
        protocol=protocol,
    )
    assert len(response.data) == 18


def test_6c00_means_256() -> None:
    assert len(run(apdu.read_record(1, 5), ("00B2010405", "6C00"), ("00B2010400", "11" * 256 + "9000")).data) == 256


def test_6cxx_then_61xx() -> None:
    assert run(READ, ("00B2010400", "6C02"), ("00B2010402", "6102"), ("00C0000002", "01029000")).data == b"\x01\x02"


def test_endless_6cxx_is_a_protocol_error() -> None:
    card = FunctionCard(lambda command: b"\x6c\x00")
    with pytest.raises(ProtocolError, match="twice"):
        Channel(card).transmit(READ)
    assert len(card.commands) == 2


def test_6cxx_to_a_command_without_le_is_an_error() -> None:
    """There is no length to correct, so nothing is repeated."""
    with pytest.raises(StatusError, match="6C05"):
        Channel(ScriptedCard(("00DC010401AA", "6C05"))).send(apdu.update_record(1, b"\xaa"))


# Answers that ISO 7816 does not allow


@pytest.mark.parametrize("answer", [b"", b"\x90"])
def test_answer_without_status_word(answer: bytes) -> None:
    with pytest.raises(ProtocolError, match="no status word"):
        Channel(FunctionCard(lambda command: answer)).transmit(READ)


def test_more_data_than_asked() -> None:
    with pytest.raises(ProtocolError, match="with 6 bytes, at most 5"):
        run(apdu.read_record(1, 5), ("00B2010405", "0102030405069000"))
    with pytest.raises(ProtocolError, match="with 1 bytes, at most 0"):
        run(apdu.update_record(1, b"\xaa"), ("00DC010401AA", "019000"))


def test_get_response_with_more_than_asked() -> None:
    with pytest.raises(ProtocolError):
        run(SELECT, (SELECT_T1, "6101"), ("00C0000001", "01029000"))


# Long data


LONG = apdu.update_binary(0, bytes(300))
PART_1, PART_2 = "10D60000FF" + "00" * 255, "00D600002D" + "00" * 45


@pytest.mark.parametrize("protocol", ["T=0", "T=1"])
def test_command_chaining(protocol: CardProtocol) -> None:
    assert run(LONG, (PART_1, "9000"), (PART_2, "9000"), protocol=protocol).sw == 0x9000


def test_chain_of_exactly_two_blocks() -> None:
    run(apdu.update_binary(0, bytes(510)), (PART_1, "9000"), ("00D60000FF" + "00" * 255, "9000"))


def test_le_stands_in_the_last_block_only() -> None:
    command = Command(0, 0x2A, 0, 0, bytes(256), 256)
    response = run(command, ("102A0000FF" + "00" * 255, "9000"), ("002A0000010000", "6101"), ("00C0000001", "079000"))
    assert response == Response(b"\x07", 0x9000)


def test_chaining_refused() -> None:
    """The rest is not sent, and the error says what the card cannot do."""
    card = ScriptedCard((PART_1, "6884"))
    with pytest.raises(StatusError, match="chaining is not supported") as caught:
        Channel(card).send(LONG, step="photo")
    assert (caught.value.sw, caught.value.where) == (0x6884, "photo")


def test_data_before_the_chain_ends() -> None:
    """It must not pass as the answer to the whole command."""
    with pytest.raises(ProtocolError, match="before its last command"):
        run(LONG, (PART_1, "6110"))


@pytest.mark.parametrize(("cla", "chaining"), [(0x00, False), (0x80, True)])
def test_no_way_for_long_data(cla: int, chaining: bool) -> None:
    """Chaining may be switched off, and proprietary classes have no bit for it."""
    with pytest.raises(InputError, match="255 at most"):
        Channel(ScriptedCard(), chaining=chaining).transmit(Command(cla, 0xD6, 0, 0, bytes(256)))


def test_extended_length() -> None:
    extended = "00D6000000012C" + "00" * 300
    assert run(LONG, (extended, "9000"), extended=True).sw == 0x9000
    response = run(apdu.read_binary(0, 1000), ("00B000000003E8", "AA" * 1000 + "9000"), extended=True)
    assert len(response.data) == 1000


def test_short_commands_stay_short() -> None:
    run(READ, ("00B2010400", "9000"), extended=True)


def test_extended_length_is_not_for_t0() -> None:
    run(LONG, (PART_1, "9000"), (PART_2, "9000"), extended=True, protocol="T=0")


def test_refused_extended_length_is_remembered() -> None:
    """6700 once: the same command goes as a chain, and the next one does not try again."""
    extended = "00D6000000012C" + "00" * 300
    card = ScriptedCard((extended, "6700"), *[(PART_1, "9000"), (PART_2, "9000")] * 2)
    channel = Channel(card, extended=True)
    channel.send(LONG)
    channel.send(LONG)
    assert card.done


def test_long_answer_without_extended_length() -> None:
    """Le 1000 becomes 256, and the rest comes through 61xx, but no more than 1000."""
    response = run(
        apdu.read_binary(0, 1000),
        ("00B0000000", "AA" * 256 + "6100"),
        ("00C0000000", "BB" * 256 + "6100"),
        ("00C0000000", "CC" * 256 + "6100"),
        ("00C00000E8", "DD" * 232 + "6100"),
    )
    assert (len(response.data), response.sw) == (1000, 0x6100)


# send


def test_send_gives_the_data() -> None:
    assert Channel(ScriptedCard(("00B2010400", "03019000"))).send(READ) == b"\x03\x01"


@pytest.mark.parametrize("sw", ["6982", "63C2", "6283", "6581", "6401", "1234", "9001", "0000"])
def test_every_other_status_word_is_an_error(sw: str) -> None:
    """Unknown ones and warnings too; the error carries number, meaning and step."""
    with pytest.raises(StatusError) as caught:
        Channel(ScriptedCard(("00B2010400", sw))).send(READ, step="SSSE/EF05 07")
    assert caught.value.sw == int(sw, 16)
    assert caught.value.where == "SSSE/EF05 07"
    assert sw in str(caught.value)


def test_the_caller_may_allow_more() -> None:
    channel = Channel(FunctionCard(answers("6A83", "6102", "019000")))
    assert channel.send(READ, ok=(0x9000, 0x6A83)) == b""
    with pytest.raises(StatusError):
        channel.send(apdu.update_record(1, b"\xaa"), ok=(0x6A83,))


def test_step_is_named_in_every_fault_of_the_card() -> None:
    """A pulled card and a broken answer tell the step as well, unless the fault has a place of its own."""

    def removed(command: bytes) -> bytes:
        raise CardRemoved("卡片已取出", "the card was pulled", where=where)

    where = ""
    with pytest.raises(CardRemoved, match=r"^SSSE/EF05: "):
        Channel(FunctionCard(removed)).send(READ, step="SSSE/EF05")
    where = "Reader 1"
    with pytest.raises(CardRemoved, match=r"^Reader 1: "):
        Channel(FunctionCard(removed)).send(READ, step="SSSE/EF05")
    with pytest.raises(ProtocolError, match=r"^SSSE/EF05: "):
        Channel(FunctionCard(answers(""))).send(READ, step="SSSE/EF05")


def test_closing() -> None:
    card = ScriptedCard()
    with Channel(card) as channel:
        assert channel.transport is card
    assert card.closed == 1
    with card as same:
        assert same is card
    assert card.closed == 2
