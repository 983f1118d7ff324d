"""Keys on the card: authentication both ways, counters, and loading new ones."""

import pytest

from juying.codec.spec import KeyKind
from juying.crypto.authentication import internal_answer
from tests.virtual.key_holder import KeyHolder, contents, external_answer, guarded

NEW = bytes.fromhex("C0FFEE00C0FFEE11C0FFEE22C0FFEE33")


def test_every_key_for_authentication_is_accepted_under_its_number(holder: KeyHolder) -> None:
    """Each key of each application, as published: P2 is the number of the key."""
    for application in holder.profile.applications:
        holder.enter(application.name)
        for key in application.keys:
            if key.kind is KeyKind.EXTERNAL:
                assert holder.authenticate(key.name) == "9000", key.name
            else:
                assert holder.authenticate(key.name) == "6A88", key.name


@pytest.mark.parametrize(("name", "number"), [("RKSSSE", 0x0A), ("UKSSSE", 0x04)])
def test_published_numbers(holder: KeyHolder, name: str, number: int) -> None:
    holder.enter("SSSE")
    assert holder.authenticate(name, number=number) == "9000"


def test_wrong_keys_are_counted_down_and_lock_only_that_key(holder: KeyHolder) -> None:
    """63CE … 63C0, then 6983 also for the right key, after a reset too."""
    holder.enter("DF01")
    answers = [holder.authenticate("UK1", value=NEW) for _ in range(15)]
    assert answers == [f"63C{left:X}" for left in range(14, -1, -1)]
    for _ in range(2):
        assert holder.authenticate("UK1") == "6983"
        holder.card.reset()
        holder.enter("DF01")
    assert holder.authenticate("UK2") == "9000"


def test_success_gives_all_tries_back(holder: KeyHolder) -> None:
    holder.enter("DF01")
    assert [holder.authenticate("UK1", value=NEW) for _ in range(3)][-1] == "63CC"
    assert holder.authenticate("UK1") == "9000"
    assert holder.authenticate("UK1", value=NEW) == "63CE"


def test_a_challenge_serves_one_command(each_cipher: KeyHolder) -> None:
    """A second use, a challenge of another length, or none at all: 6984, and no try is taken."""
    each_cipher.enter("SSSE")
    key, length = each_cipher.key("SSSE/UKSSSE"), each_cipher.cipher.block
    data = external_answer(each_cipher.cipher, key, each_cipher.challenge())
    assert each_cipher.terminal.sw("00820004", data) == "9000"
    before = contents(each_cipher.card)
    assert each_cipher.terminal.sw("00820004", data) == "6984"
    each_cipher.challenge(24 - length)
    assert each_cipher.terminal.sw("00820004", data) == "6984"
    each_cipher.challenge(4)
    assert each_cipher.terminal.sw("00820004", data) == "6984"
    assert contents(each_cipher.card) == before


def test_only_the_last_challenge_counts(each_cipher: KeyHolder) -> None:
    """Two in a row, as terminals ask for them: the first may be the original, the second makes the session."""
    each_cipher.enter("SSSE")
    key = each_cipher.key("SSSE/UKSSSE")
    first, second = each_cipher.challenge(8), each_cipher.challenge()
    answer = external_answer(each_cipher.cipher, key, second, first)
    assert each_cipher.terminal.sw("00820004", answer) == "9000"
    stale = external_answer(each_cipher.cipher, key, each_cipher.challenge())
    each_cipher.challenge()
    assert each_cipher.terminal.sw("00820004", stale) == "63CE"


@pytest.mark.parametrize("away", ["application", "reset"])
def test_a_challenge_is_lost(each_cipher: KeyHolder, away: str) -> None:
    each_cipher.enter("SSSE")
    data = external_answer(each_cipher.cipher, each_cipher.key("SSSE/UKSSSE"), each_cipher.challenge())
    if away == "reset":
        each_cipher.card.reset()
    each_cipher.enter("SSSE")
    assert each_cipher.terminal.sw("00820004", data) == "6984"


def test_reading_between_challenge_and_answer_is_fine(each_cipher: KeyHolder) -> None:
    """Terminals read EF05 meanwhile."""
    each_cipher.enter("SSSE")
    data = external_answer(each_cipher.cipher, each_cipher.key("SSSE/UKSSSE"), each_cipher.challenge())
    each_cipher.terminal.ok("00B2012C", le=0)
    assert each_cipher.terminal.sw("00820004", data) == "9000"


def test_challenges_come_from_the_source_given() -> None:
    """A benchmark or a trace can be repeated; every challenge is as long as it was asked for."""
    card = guarded("ssc-v3", random=lambda size: bytes(range(size)))
    holder = KeyHolder(card)
    for size in (4, 8, 16):
        assert holder.challenge(size) == bytes(range(size))
    ordinary = KeyHolder(guarded("ssc-v3"))
    assert len({ordinary.challenge(16) for _ in range(50)}) == 50


def test_the_card_proves_itself(holder: KeyHolder) -> None:
    """INTERNAL AUTHENTICATE, from every application, with the key of the environment."""
    data = bytes(range(16))
    expected = internal_answer(holder.cipher, holder.key("SSSE/IRK"), data)
    for application in holder.profile.applications:
        holder.enter(application.name)
        assert holder.terminal.ok("00880000", data, le=0) == expected


class TestWriteKey:
    def test_every_key_can_be_replaced(self, each_cipher: KeyHolder) -> None:
        """The old one is refused from then on, the new one works."""
        for application in each_cipher.profile.applications:
            each_cipher.enter(application.name)
            for key in application.keys:
                name = f"{application.name}/{key.name}"
                if key.kind is KeyKind.SEAL:
                    assert each_cipher.protected("84D4008F", bytes(32), key="SSSE/MK") == "6A88"
                    continue
                assert each_cipher.write_key(name, NEW) == "9000", name
                assert each_cipher.card.memory.keys[name].value == NEW
                if key.kind is KeyKind.EXTERNAL:
                    assert each_cipher.authenticate(key.name) == "63CE"
                    assert each_cipher.authenticate(key.name, value=NEW) == "9000"
                elif key.kind is KeyKind.MAIN:
                    assert each_cipher.write_key(name, NEW) == "6988"
                    each_cipher.values["SSSE/MK"] = NEW

    def test_the_command_has_the_published_length(self, each_cipher: KeyHolder) -> None:
        """Lc 24: a key block of 32 bytes and the MAC, with both ciphers."""
        each_cipher.enter("SSSE")
        block = each_cipher.key_block("SSSE/MK", NEW)
        command = each_cipher.protect("84D40100", block, "SSSE/MK")
        assert (command[:5].hex().upper(), len(command)) == ("84D4010024", 41)
        assert each_cipher.send(command) == "9000"

    def test_a_new_key_ends_the_grant_of_the_old(self, each_cipher: KeyHolder) -> None:
        each_cipher.enter("DF01")
        each_cipher.show({"key:UK7", "key:UK8"})
        assert each_cipher.write_key("DF01/UK7", NEW) == "9000"
        assert each_cipher.terminal.sw("00D69600", b"\x00") == "6982"
        assert each_cipher.terminal.sw("00D69700", b"\x00") == "9000"

    def test_the_header_sets_the_counter(self, each_cipher: KeyHolder) -> None:
        """A blocked key works again, with as many tries as the header says."""
        each_cipher.enter("DF01")
        while each_cipher.authenticate("UK7", value=NEW) != "6983":
            pass
        assert each_cipher.write_key("DF01/UK7", NEW, tries=3) == "9000"
        assert each_cipher.authenticate("UK7", value=bytes(16)) == "63C2"
        assert each_cipher.authenticate("UK7", value=NEW) == "9000"

    @pytest.mark.parametrize("place", range(8))
    def test_every_byte_of_the_header_is_checked(self, each_cipher: KeyHolder, place: int) -> None:
        """Another type, number, version, algorithm or length, and 0 or 16 tries: 6A80, nothing changed."""
        each_cipher.enter("DF01")
        key = next(key for key in each_cipher.application.keys if key.name == "UK7")
        header = bytearray(key.header(each_cipher.cipher, 15))
        before = contents(each_cipher.card)
        for value in (0x00, 0x10) if place == 4 else (header[place] ^ 0x01,):
            header[place] = value
            body = each_cipher.enciphered(bytes(header) + NEW, "SSSE/MK")
            assert each_cipher.protected("84D4008A", body, key="SSSE/MK") == "6A80"
        assert contents(each_cipher.card) == before

    @pytest.mark.parametrize("key", ["SSSE/STK", "DF01/STK", "DF01/UK7", "SSSE/RPK"])
    def test_only_the_main_key_loads_keys(self, each_cipher: KeyHolder, key: str) -> None:
        """A MAC under any other key is wrong, and a block under any other key is no key block."""
        each_cipher.enter("DF01")
        before = contents(each_cipher.card)["keys"]["DF01/UK7"]
        block = each_cipher.key_block("DF01/UK7", NEW)
        assert each_cipher.protected("84D4008A", block, key=key) == "6988"
        header = next(k for k in each_cipher.application.keys if k.name == "UK7").header(each_cipher.cipher, 15)
        assert each_cipher.protected("84D4008A", each_cipher.enciphered(header + NEW, key), key="SSSE/MK") == "6A80"
        assert contents(each_cipher.card)["keys"]["DF01/UK7"] == before

    def test_a_block_for_one_key_does_not_load_another(self, each_cipher: KeyHolder) -> None:
        each_cipher.enter("DF01")
        block = each_cipher.key_block("DF01/UK7", NEW)
        assert each_cipher.protected("84D4008B", block, key="SSSE/MK") == "6A80"

    def test_a_blocked_main_key_loads_nothing(self, each_cipher: KeyHolder) -> None:
        """Wrong MACs are counted as wrong authentications are."""
        each_cipher.enter("DF01")
        block = each_cipher.key_block("DF01/UK7", NEW)
        answers = [each_cipher.protected("84D4008A", block, key="SSSE/STK") for _ in range(16)]
        assert answers == ["6988"] * 15 + ["6983"]
        assert each_cipher.write_key("DF01/UK7", NEW) == "6983"
