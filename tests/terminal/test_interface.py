"""The interface as a whole: every function by its name, every code, and arguments that mean no good."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from juying.card.virtual.memory import Lock
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.errors import (
    CardRemoved,
    CommandTimeout,
    JuyingError,
    KeyUseError,
    PlatformUnavailable,
    ProtocolError,
    ReaderUnavailable,
    ServiceUnavailable,
    StatusError,
    TransportError,
)
from juying.terminal.bridge import ENCODING, MAX_REQUEST, Bridge
from juying.terminal.codes import LONGEST_MESSAGE, TITLES, CallError, Code, code_of, message_of
from juying.terminal.interface import FUNCTIONS
from juying.terminal.slots import NoKeys, Slots, Store, lacking
from juying.text import Text
from tests.path import samples
from tests.terminal.cards import HOLDER, NAME, Desk, demonstration, personal
from tests.terminal.conftest import ROOT


def test_every_function_of_the_header_has_its_parameters() -> None:
    header = (ROOT / "native" / "juying_terminal.h").read_text("ascii")
    declared = {
        name: "".join("i" if parameter.startswith("int") else "t" for parameter in parameters.split(", ")[:-1])
        for name, parameters in re.findall(r"JUYING_CALL (\w+)\((.*)\);", header)
    }
    assert declared == {name: function.parameters for name, function in FUNCTIONS.items()}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("iReadCardBas", []),
        ("iReadCardBas", ["1", "2"]),
        ("iReadCardBas", ["one"]),
        ("iReadCardBas", [""]),
        ("iReadCardBas", ["1" * 5000]),
        ("iReadCardBas", ["²"]),
        ("iReadCard", ["1", "2", ""]),
        ("iReadCard_HSM_Step2", []),
    ],
)
def test_wrong_parameters(name: str, arguments: list[str]) -> None:
    assert Desk(personal("ssc-v2")).terminal.call(name, arguments)[0] == -14


def test_a_function_that_is_none() -> None:
    assert Desk(personal("ssc-v2"))("iReadIdentityCard", 1) == (-13, "不支持此功能")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CardRemoved("无", "none"), -2),
        (CommandTimeout("慢", "slow"), -4),
        (ReaderUnavailable("无", "none"), -11),
        (ServiceUnavailable("无", "none"), -11),
        (TransportError("占", "held"), -11),
        (ProtocolError("乱", "odd"), -4),
        (StatusError(0x6901, Text("态", "state")), -26881),
        (StatusError(0x9303, Text("锁", "locked")), -37635),
        (KeyUseError("无", "none"), -0x6A88),
    ],
)
def test_reader_and_card_faults(error: JuyingError, code: int) -> None:
    def slot() -> LocalTransport:
        raise error

    assert Desk(personal("ssc-v2"), options={"slots": Slots(slot)})("iReadCardBas", 1) == (code, message_of(error))


def test_an_error_of_no_kind_is_unsupported() -> None:
    assert code_of(PlatformUnavailable("无", "none")) == Code.UNSUPPORTED


def test_every_code_says_something() -> None:
    assert set(TITLES) == set(Code)
    assert all(message_of(CallError(code)) for code in Code)
    assert len(message_of(CallError(-99, Text("长" * 5000, "long")))) == LONGEST_MESSAGE


def test_a_bank_card_is_no_social_security_card() -> None:
    class Bank(LocalTransport):
        def transmit(self, command: bytes) -> bytes:
            return b"\x6a\x82"

    card = personal("ssc-v2")
    desk = Desk(card, options={"slots": Slots(lambda: Bank(card))})
    assert desk.code("iReadCardBas", 1) == -1
    assert desk.code("iReadCard", 1, 2, "", "SSSEEF05|01|$") == -1


def test_a_blocked_card_and_a_blocked_application() -> None:
    desk = Desk(personal("ssc-v2"))
    holder_data = ("iReadCard", 1, 1, "", "DF01EF06|23|$")
    desk.card.memory.locks["DF01"] = Lock.FOR_EVER
    assert desk.code(*holder_data) == -37635
    desk.card.memory.locks["DF01"] = Lock.BLOCKED
    assert desk.code(*holder_data) == -0x6283
    desk.card.block()
    assert desk.code("iReadCardBas", 1) == -1


def test_levels_of_a_psam_that_do_not_fit() -> None:
    """Four steps of diversification cannot be."""
    key = CardKey(
        name="DF01/X", cipher="3des", city="331000", city_factor=bytes(8), card_factor=bytes(8), psam_usage=0xFF
    )
    assert lacking(DemonstrationKeys(), key).code == -24
    assert lacking(NoKeys(), key).code == -2201


class Useless(DemonstrationKeys):
    """A module that says it has a key, and then does not use it."""

    def external_answer(self, key: CardKey, challenge: bytes, original: bytes) -> bytes:
        raise KeyUseError("不能", "no", where=key.name)


def test_a_module_that_promises_too_much() -> None:
    desk = Desk(personal("ssc-v2"), Store(Useless()), pin="271828", options={"terminal_number": "331000000001"})
    desk.card.memory.pin.value[:] = bytes.fromhex("271828")
    assert desk.code("iDoDebit", 1, "", "1|2|20261201093000|") == -37891
    assert desk.code("iReadCard", 1, 2, "", "DF01EF06|23|$") == -0x6A88


def test_a_profile_without_the_keys_of_a_function() -> None:
    profile = load_profile("ssc-v2")
    keyless = profile.model_copy(
        update={
            "applications": tuple(
                application.model_copy(update={"keys": tuple(k for k in application.keys if k.kind == "external")})
                for application in profile.applications
            )
        }
    )
    desk = Desk(personal("ssc-v2"), demonstration(), options={"profile": keyless, "terminal_number": "331000000001"})
    assert desk.code("iDoDebit", 1, "", "1|2|20261201093000|") == -13
    assert desk.code("iDoDebit_HSM_Step1", 1, "", "1|2|20261201093000|") == -13
    key = desk.pkey(desk.ok("iUnblockPIN_HSM_Step1", 1, ""))
    assert desk.code("iUnblockPIN_HSM_Step2", key) == -13


# Arguments that mean no good --------------------------------------------------------------------------

HOSTILE = (
    "",
    "$",
    "|",
    "$$$",
    "SSSEEF05|01",
    "SSSEEF05|01$",
    "SSSEEF05|01|",
    "SSSEEF05||$",
    "SSSEEF05|1|$",
    "SSSEEF05|001|$",
    "SSSEEF05|01:0|$",
    "SSSEEF05|01:-1|$",
    "SSSEEF05:01|02|$",
    "../EF05|01|$",
    "SSSE EF05|01|$",
    "DF01EFXX|01|$",
    "SSSEEF０５|01|$",
    "SSSEEF05|０１|$",
    "SSSEEF05|01|$" * 400,
    "SSSEEF05|" + "01|" * 1300 + "$",
    "SSSEEF05|" + "$" * 100,
    "A" * 65536,
    "SSSEEF05|01|$\x00",
    "\ud800",
    "社会保障|01|$",
)


@pytest.mark.parametrize("address", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_addresses(address: str) -> None:
    desk = Desk(personal("ssc-v2"), demonstration())
    before = samples.memory_of(desk.card)
    assert desk.code("iReadCard", 1, 2, "", address) == -14
    assert desk.code("iReadCard_HSM_Step1", 1, "", address) == -14
    assert desk.code("iWriteCard", 1, "", address, address) == -14
    assert samples.memory_of(desk.card) == before


def test_too_many_items_are_too_many() -> None:
    desk = Desk(personal("ssc-v2"))
    assert desk.code("iReadCard", 1, 2, "", "SSSEEF05|" + "01|" * 512 + "$") == 0
    assert desk.code("iReadCard", 1, 2, "", "SSSEEF05|" + "01|" * 513 + "$") == -14


@pytest.fixture(scope="module")
def desk() -> Desk:
    return Desk(personal("ssc-v2"), demonstration(), options={"terminal_number": "331000000001"})


_WORDS = st.sampled_from(
    [
        "SSSEEF05",
        "DF01EF06",
        "SSSEEF08",
        "DF02EF07",
        "|",
        "$",
        ":",
        "01",
        "00",
        "40",
        "2A",
        "A" * 4096,
        "安",
        "\x00",
        "1|",
    ]
)
_TEXTS = st.one_of(st.text(max_size=40), st.lists(_WORDS, max_size=12).map("".join))


@settings(max_examples=400)
@given(
    name=st.sampled_from(sorted(FUNCTIONS)), texts=st.lists(_TEXTS, min_size=3, max_size=3), kind=st.sampled_from("123")
)
def test_no_argument_makes_the_interface_fail(desk: Desk, name: str, texts: list[str], kind: str) -> None:
    """Whatever comes in, a code and a text come out, the text fits into GBK, and PIN and keys are not locked by it."""
    parameters = FUNCTIONS[name].parameters
    rest = iter(texts)
    code, text = desk.terminal.call(name, [kind if parameter == "i" else next(rest) for parameter in parameters])
    assert isinstance(code, int)
    assert code <= 0
    assert "\x1f" not in text
    text.encode(ENCODING)
    assert desk.card.memory.pin.tries > 0
    desk.card.memory.pin.tries = 6
    for key in desk.card.memory.keys.values():
        key.tries = key.limit


def test_failures_tell_nothing_of_the_holder() -> None:
    """Nor of what was to be written."""
    desk = Desk(personal("ssc-v2"), demonstration(), pin="314159")
    calls: list[tuple[object, ...]] = [
        ("iReadCard", 1, 1, "", "DF01EF06|23|$"),
        ("iReadCard", 1, 2, "|JYX000029|", "SSSEEF06|08|$"),
        ("iWriteCard", 1, "", "SSSEEF06|08|$", f"SSSEEF06|{HOLDER}X{NAME}|$"),
        ("iWriteCard", 1, "", "SSSEEF06|0D|$", "SSSEEF06|19840231|$"),
        ("iVerifyPIN", 1),
    ]
    for name, *arguments in calls:
        code, text = desk(str(name), *arguments)
        assert code < 0
        assert not any(word in text for word in (HOLDER, NAME, "19840231", "314159", "JYX0000"))


def test_bytes_that_are_no_gbk_end_in_the_bridge(tmp_path: object, desk: Desk) -> None:
    with Bridge(desk.terminal.call, tmp_path / "endpoint") as bridge:
        secret = bridge.endpoint.read_bytes().split()[1]

        def ask(*fields: bytes) -> bytes:
            return bridge.answer(b"\x1f".join((secret, *fields)))

        assert ask(b"iReadCard", b"1", b"2", b"", b"SSSEEF05|\xff|$").startswith(b"-14\x1f")
        assert ask(b"iReadCard", b"1", b"2", b"", b"A" * (MAX_REQUEST - 100)).startswith(b"-14\x1f")
        assert ask(b"iReadCard", b"1", b"2", b"", b"SSSEEF05|03|$") == b"0\x1fSSSEEF05|2.00|$\n"
