"""The holder's PIN: verifying, counting, changing, reloading, unblocking."""

import pytest

from juying.codec.profile import load_profile
from tests.virtual.key_holder import INITIAL_PIN, PIN, KeyHolder, contents, guarded

WRONG = bytes.fromhex("000000")


def test_the_initial_pin_opens_what_the_pin_opens(holder: KeyHolder) -> None:
    """A new card has the first of the initial PINs; with it the holder may read."""
    assert holder.profile.security.initial_pins[0] == INITIAL_PIN.hex()
    holder.enter("DF01")
    assert holder.terminal.sw("00B2012C", le=0) == "6982"
    assert holder.verify() == "9000"
    assert holder.terminal.sw("00B2012C", le=0) == "9000"


def test_the_pin_is_verified_in_each_application(holder: KeyHolder) -> None:
    """One PIN for the card, but it has to be shown again after another application was selected."""
    for name in ("DF01", "DF02"):
        holder.enter(name)
        assert holder.terminal.sw("00200000") == "63C6"
        assert holder.verify() == "9000"
        assert holder.terminal.sw("00200000") == "9000"


def test_wrong_pins_are_counted_down_and_lock(holder: KeyHolder) -> None:
    """63C5 … 63C0, then 6983 for right and wrong ones alike, also after a reset."""
    holder.enter("DF01")
    assert [holder.verify(WRONG) for _ in range(6)] == [f"63C{left}" for left in (5, 4, 3, 2, 1, 0)]
    for _ in range(2):
        assert holder.verify() == "6983"
        assert holder.verify(WRONG) == "6983"
        assert holder.terminal.sw("00200000") == "6983"
        assert holder.change_pin(INITIAL_PIN, PIN) == "6983"
        holder.card.reset()
        holder.enter("DF01")
    assert holder.terminal.sw("00B2012C", le=0) == "6982"


def test_a_right_pin_gives_all_tries_back(holder: KeyHolder) -> None:
    """The counter survives a reset, and only a right PIN ends it."""
    holder.enter("DF01")
    assert [holder.verify(WRONG) for _ in range(4)][-1] == "63C2"
    holder.card.reset()
    assert holder.terminal.sw("00200000") == "63C2"
    assert holder.verify() == "9000"
    assert holder.verify(WRONG) == "63C5"


def test_asking_and_malformed_commands_cost_no_try(holder: KeyHolder) -> None:
    before = contents(holder.card)
    for command in ("00200000", "002000000412345678", "002000000312345F", "002000010312345F", "805E010003123456"):
        holder.card.transmit(bytes.fromhex(command))
    assert contents(holder.card) == before


def test_a_right_pin_with_a_full_counter_changes_nothing(holder: KeyHolder) -> None:
    """So an image need not be stored for it."""
    stored: list[int] = []
    holder.card.on_change = lambda: stored.append(1)
    assert holder.verify() == "9000"
    assert (holder.card.memory.changes, stored) == (0, [])
    assert holder.verify(WRONG) == "63C5"
    assert holder.verify() == "9000"
    assert len(stored) == 2


class TestChange:
    def test_the_new_pin_counts_from_now_on(self, holder: KeyHolder) -> None:
        holder.enter("DF01")
        assert holder.change_pin(INITIAL_PIN, PIN) == "9000"
        assert holder.verify(INITIAL_PIN) == "63C5"
        assert holder.verify(PIN) == "9000"

    def test_a_wrong_old_pin_counts_as_a_wrong_try(self, holder: KeyHolder) -> None:
        assert holder.change_pin(WRONG, PIN) == "63C5"
        assert holder.verify(PIN) == "63C4"
        assert holder.change_pin(INITIAL_PIN, PIN) == "9000"
        assert holder.terminal.sw("00200000") == "63C6"

    @pytest.mark.parametrize("initial", ["123456", "888888"])
    def test_no_initial_pin_may_be_chosen(self, holder: KeyHolder, initial: str) -> None:
        """Refused with 6985 whether the old PIN is right or wrong, and no try is taken."""
        before = contents(holder.card)
        assert holder.change_pin(INITIAL_PIN, bytes.fromhex(initial)) == "6985"
        assert holder.change_pin(WRONG, bytes.fromhex(initial)) == "6985"
        assert contents(holder.card) == before

    def test_the_pin_must_be_shown_again(self, holder: KeyHolder) -> None:
        """A PIN verified before the change is no longer the holder's PIN."""
        holder.enter("DF01")
        assert holder.verify() == "9000"
        assert holder.change_pin(INITIAL_PIN, PIN) == "9000"
        assert holder.terminal.sw("00B2012C", le=0) == "6982"


class TestReload:
    def test_a_locked_pin_is_replaced(self, each_cipher: KeyHolder) -> None:
        """From any application; the counter is full again, and grants of the old PIN end."""
        each_cipher.enter("DF01")
        while each_cipher.verify(WRONG) != "6983":
            pass
        assert each_cipher.reload_pin(PIN) == "9000"
        assert each_cipher.terminal.sw("00200000") == "63C6"
        assert each_cipher.verify(PIN) == "9000"
        assert each_cipher.reload_pin(INITIAL_PIN) == "9000"
        assert each_cipher.terminal.sw("00B2012C", le=0) == "6982"
        assert each_cipher.verify(INITIAL_PIN) == "9000"

    def test_the_command_has_the_published_length(self, each_cipher: KeyHolder) -> None:
        """17 bytes with 3DES, 25 with SM4: header, one block, MAC."""
        command = each_cipher.protect("84D40001", each_cipher.enciphered(PIN, "SSSE/RPK"), "SSSE/RPK")
        assert len(command) == (17 if each_cipher.profile.name == "ssc-v2" else 25)
        assert each_cipher.send(command) == "9000"

    def test_another_key_is_refused_and_counted(self, each_cipher: KeyHolder) -> None:
        """The key that unblocks does not reload, nor does the MAC of one message fit another."""
        before = contents(each_cipher.card)
        body = each_cipher.enciphered(PIN, "SSSE/RPK")
        assert each_cipher.protected("84D40001", body, key="SSSE/PUK") == "6988"
        command = each_cipher.protect("84D40001", body, "SSSE/RPK")
        assert each_cipher.send(command[:5] + bytes((command[5] ^ 1,)) + command[6:]) == "6988"
        after = contents(each_cipher.card)
        assert after.pop("keys")["SSSE/RPK"][1:] == (13, 15)
        before.pop("keys")
        assert after == before

    @pytest.mark.parametrize("pin", ["1234", "12345678", "12345F", ""])
    def test_what_is_no_pin_is_refused(self, each_cipher: KeyHolder, pin: str) -> None:
        """With a right MAC too."""
        before = contents(each_cipher.card)
        assert each_cipher.reload_pin(bytes.fromhex(pin)) in ("6700", "6A80")
        assert contents(each_cipher.card) == before

    def test_what_was_not_enciphered_is_refused(self, each_cipher: KeyHolder) -> None:
        block = each_cipher.cipher.block
        for body in (b"", PIN, bytes.fromhex("03") + PIN + bytes(block - 4), bytes(block)):
            assert each_cipher.protected("84D40001", body, key="SSSE/RPK") == "6A80"


class TestUnblock:
    def test_all_tries_come_back_and_the_pin_stays(self, each_cipher: KeyHolder) -> None:
        assert each_cipher.change_pin(INITIAL_PIN, PIN) == "9000"
        while each_cipher.verify(WRONG) != "6983":
            pass
        command = each_cipher.protect("84240001", b"", "SSSE/PUK")
        assert len(command) == 9
        assert each_cipher.send(command) == "9000"
        assert each_cipher.terminal.sw("00200000") == "63C6"
        assert each_cipher.verify(PIN) == "9000"

    def test_no_other_key_does_it(self, each_cipher: KeyHolder) -> None:
        while each_cipher.verify(WRONG) != "6983":
            pass
        for key in ("SSSE/RPK", "SSSE/MK", "SSSE/STK", "SSSE/BK"):
            assert each_cipher.protected("84240001", key=key) == "6988"
        assert each_cipher.protected("84240001", b"more", key="SSSE/PUK") == "6700"
        assert each_cipher.verify() == "6983"

    def test_a_mac_is_good_once(self, each_cipher: KeyHolder) -> None:
        """A recorded command does not work again, not even after a reset."""
        command = each_cipher.protect("84240001", b"", "SSSE/PUK")
        assert each_cipher.send(command) == "9000"
        assert each_cipher.send(command) == "6984"
        each_cipher.challenge(4 if each_cipher.cipher.block == 8 else 16)
        assert each_cipher.send(command) == "6988"
        each_cipher.card.reset()
        assert each_cipher.send(command) == "6984"


def test_the_length_of_the_pin_is_that_of_the_profile() -> None:
    """Eight digits: other lengths are refused, in all three commands that carry a PIN."""
    profile = load_profile("ssc-v3")
    security = profile.security.model_copy(update={"pin_digits": 8, "initial_pins": ("12345678",), "pin_tries": 3})
    own = profile.model_copy(update={"security": security})
    card = type(guarded("ssc-v3")).blank(own)
    card.power_on()
    assert card.transmit(bytes.fromhex("0020000003123456")).hex() == "6700"
    assert card.transmit(bytes.fromhex("002000000412345678")).hex() == "9000"
    assert card.transmit(bytes.fromhex("805E01000912345678FF87654321")).hex() == "9000"
    assert card.transmit(bytes.fromhex("002000000412345678")).hex() == "63c2"


def test_nothing_that_is_shown_of_a_card_tells_the_pin_or_a_key(holder: KeyHolder) -> None:
    """In any repr of what belongs to it."""
    holder.change_pin(INITIAL_PIN, PIN)
    memory = holder.card.memory
    shown = " ".join(map(repr, (holder.card, memory, memory.pin, *memory.keys.values())))
    assert "Secret(6/6)" in shown
    for secret in (memory.pin, *memory.keys.values()):
        assert bytes(secret.value).hex() not in shown.lower()
        assert repr(bytes(secret.value))[2:-1] not in shown
