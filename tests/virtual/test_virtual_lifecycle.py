"""Blank, personalised, blocked; applications that are blocked, and for ever."""

import pytest

from juying.card.virtual.card import Lifecycle
from juying.card.virtual.memory import Lock
from tests.virtual.key_holder import KeyHolder, contents


def test_from_blank_to_personalised(holder: KeyHolder) -> None:
    """The card number makes the difference, and takes the update key."""
    assert holder.card.state is Lifecycle.BLANK
    holder.enter("SSSE")
    assert holder.terminal.sw("00DC072C", b"\x07\x09A00000003") == "6982"
    assert holder.card.state is Lifecycle.BLANK
    holder.show({"key:UKSSSE"})
    assert holder.terminal.sw("00DC072C", b"\x07\x09A00000003") == "9000"
    assert holder.card.state is Lifecycle.PERSONALISED


class TestApplicationBlock:
    def block(self, holder: KeyHolder, *, for_ever: bool = False) -> None:
        holder.enter("DF01")
        holder.show({"key:UK7", "pin"})
        assert holder.protected(f"841E000{int(for_ever)}", key="DF01/LK") == "9000"

    def test_a_blocked_application_only_unblocks(self, each_cipher: KeyHolder) -> None:
        """At once and after the next SELECT: 6985 to all else; grants are gone; other applications go on."""
        self.block(each_cipher)
        assert each_cipher.card.locks == {"DF01": Lock.BLOCKED}
        before = contents(each_cipher.card)
        for _ in range(2):
            for command in (
                "00D69600",
                "00B0960001",
                "00DC012C",
                "0020000003123456",
                "00880000",
                "84D4008A",
                "805E0100",
            ):
                assert each_cipher.terminal.sw(command[:8], bytes.fromhex(command[8:]) or b"\x00") == "6985"
            assert each_cipher.protected("841E0001", key="DF01/LK") == "6985"
            each_cipher.card.reset()
            each_cipher.terminal("00A40400", each_cipher.application.aid or b"")
        assert contents(each_cipher.card) == before
        each_cipher.enter("DF02")
        assert each_cipher.authenticate("UK1") == "9000"

    def test_select_warns_and_still_tells_what_it_is(self, each_cipher: KeyHolder) -> None:
        """6283 with the FCI, with T=0 behind a GET RESPONSE; without FCI the bare warning."""
        self.block(each_cipher)
        aid = each_cipher.application.aid or b""
        select = bytes.fromhex("00A40400") + bytes((len(aid),)) + aid
        fci = b"\x6f\x08\x84\x06" + aid
        if each_cipher.terminal.t0:
            assert each_cipher.card.transmit(select).hex() == "6283"
            assert each_cipher.card.transmit(bytes.fromhex("00C0000000"))[-2:].hex() == "6c0a"
            assert each_cipher.card.transmit(bytes.fromhex("00C000000A")) == fci + b"\x90\x00"
        else:
            assert each_cipher.card.transmit(select + b"\x00") == fci + b"\x62\x83"
            assert each_cipher.card.transmit(select).hex() == "6283"
        assert each_cipher.terminal.sw("00A4040C", aid) == "6283"
        assert each_cipher.terminal.sw("00A4000C", b"\xdf\x01") == "6283"
        assert each_cipher.terminal.sw("00B2012C", le=0) == "6985"

    def test_unblocked_it_is_as_before(self, each_cipher: KeyHolder) -> None:
        """Nothing was lost but the grants."""
        files = contents(each_cipher.card)["files"]
        self.block(each_cipher)
        assert each_cipher.protected("84180000", key="DF01/LK") == "9000"
        assert each_cipher.card.locks == {}
        assert contents(each_cipher.card)["files"] == files
        assert each_cipher.terminal.sw("00D69600", b"\x00") == "6982"
        assert each_cipher.authenticate("UK7") == "9000"
        assert each_cipher.terminal.sw("00D69600", b"\x00") == "9000"
        assert each_cipher.protected("84180000", key="DF01/LK") == "6985"

    @pytest.mark.parametrize("key", ["DF02/LK", "DF01/STK", "SSSE/BK", "SSSE/MK"])
    def test_only_its_own_key_blocks_and_unblocks(self, each_cipher: KeyHolder, key: str) -> None:
        each_cipher.enter("DF01")
        assert each_cipher.protected("841E0000", key=key) == "6988"
        assert each_cipher.card.locks == {}
        self.block(each_cipher)
        assert each_cipher.protected("84180000", key=key) == "6988"
        assert each_cipher.card.locks == {"DF01": Lock.BLOCKED}

    def test_for_ever_is_for_ever(self, each_cipher: KeyHolder) -> None:
        """SELECT answers 9303 and moves nowhere; there is no way to unblock."""
        self.block(each_cipher, for_ever=True)
        assert each_cipher.card.locks == {"DF01": Lock.FOR_EVER}
        each_cipher.terminal.enter(each_cipher.profile, "DF02")
        each_cipher.terminal.ok("00A4020C", b"\xef\x05")
        assert each_cipher.terminal.sw("00A4040C", each_cipher.application.aid or b"") == "9303"
        assert each_cipher.terminal.sw("00A4000C", b"\xdf\x01") == "9303"
        assert each_cipher.terminal.sw("00B20104", le=0) == "6982"  # still DF02/EF05
        assert each_cipher.protected("84180000", key="DF01/LK") == "6985"

    def test_the_state_survives_a_reset(self, each_cipher: KeyHolder) -> None:
        self.block(each_cipher)
        each_cipher.card.power_off()
        each_cipher.card.power_on()
        assert each_cipher.terminal.sw("00A4040C", each_cipher.application.aid or b"") == "6283"


class TestCardBlock:
    def test_a_blocked_card_does_nothing_any_more(self, each_cipher: KeyHolder) -> None:
        each_cipher.enter("SSSE")
        assert each_cipher.protected("84160000", key="SSSE/BK") == "9000"
        assert each_cipher.card.state is Lifecycle.BLOCKED
        for _ in range(2):
            for command in ("00A40000023F00", "0084000008", "8416000004" + "00" * 4, "00B2012C00"):
                assert each_cipher.card.transmit(bytes.fromhex(command)).hex() == "6a81"
            each_cipher.card.reset()

    @pytest.mark.parametrize("key", ["SSSE/MK", "SSSE/STK", "SSSE/PUK", "DF01/LK"])
    def test_no_other_key_does_it(self, each_cipher: KeyHolder, key: str) -> None:
        each_cipher.enter("SSSE")
        assert each_cipher.protected("84160000", key=key) == "6988"
        assert each_cipher.card.state is Lifecycle.BLANK
