"""The virtual PSAM command by command, our side over it, and both through the real PC/SC service."""

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from juying.card.access import Access
from juying.card.apdu import Command, select_aid, select_fid
from juying.card.atr import historical_bytes
from juying.card.card_keys import card_key
from juying.card.channel import Channel
from juying.card.pcsc import open_card
from juying.card.psam import PsamKeys, psam_factors
from juying.card.ssc import SSSE_AID, SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.psam import PsamKey, VirtualPsam
from juying.card.virtual.transport import LocalTransport
from juying.card.virtual.vpcd import VirtualReader
from juying.codec.profile import Profile, load_profile, profile_names
from juying.crypto import authentication, mac
from juying.crypto.block import Cipher, des, encrypt_ecb, pad
from juying.crypto.diversify import diversify
from juying.crypto.keys import CardKey, DemonstrationKeys
from juying.errors import (
    CardRefused,
    CardRemoved,
    DecodeError,
    InputError,
    KeyUseError,
    ProtocolError,
    StatusError,
    TransportError,
)
from tests.card.scripted import FunctionCard
from tests.harness import PrivatePcscd, Slot

CARD = bytes.fromhex("9900BF7C7A000102")  # factor of a card
CITY = b"331000sx"
PROVINCE = b"330000sx"
CHALLENGE, ORIGINAL = bytes.fromhex("1020304050607080"), bytes.fromhex("A0A1A2A3A4A5A6A7")
ROOT = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
ENCIPHER, MAC_ONLY, BOTH = 0x47, 0x46, 0x48


def a_key(cipher: Cipher = Cipher.TDES, name: str = "DF01/UK2", usage: int = BOTH, **changes) -> CardKey:
    """A key of a card; UK2 may do everything."""
    key = CardKey(
        name=name, cipher=cipher, city="331000", city_factor=CITY, card_factor=CARD, psam_usage=usage, psam_id=0x43
    )
    return dataclasses.replace(key, **changes)


def loaded(key: CardKey) -> PsamKey:
    """The demonstration key of the city, as it goes into a PSAM."""
    return PsamKey(
        usage=key.psam_usage,
        key_id=key.psam_id,
        cipher=key.cipher,
        key=DemonstrationKeys().city_key(key),
        above=psam_factors(key)[8:],
    )


@pytest.fixture
def psam() -> VirtualPsam:
    """With three keys of 331000, for both ciphers: one enciphers, one makes MACs, one does both."""
    names = {ENCIPHER: "DF01/UK7", MAC_ONLY: "DF01/STK", BOTH: "DF01/UK2"}
    keys = [loaded(a_key(cipher, name, usage)) for usage, name in names.items() for cipher in Cipher]
    return VirtualPsam(keys, terminal_number="410100813475")


@pytest.fixture
def keys(psam: VirtualPsam) -> PsamKeys:
    return PsamKeys.open(LocalTransport(psam))


@pytest.fixture
def ask(psam: VirtualPsam) -> Callable[[str], str]:
    """The PSAM with power and its application selected; commands and answers in hex."""
    psam.power_on()

    def ask(command: str) -> str:
        return psam.transmit(bytes.fromhex(command)).hex().upper()

    assert ask("00A4040006 D15600000590") == "9000"
    return ask


READY = f"BFDE484318 {CARD.hex()} {CITY.hex()} {CHALLENGE.hex()}"


# the card


def test_the_published_sequence(psam):
    """SELECT, BFDE, 80FA, GET RESPONSE: what it gives opens a card with the same key."""
    psam.power_on()
    transmit = psam.transmit
    assert transmit(bytes.fromhex("00A40000 02 DDF1")) == b"\x90\x00"
    assert transmit(bytes.fromhex("00A40400 06 D15600000590")) == b"\x90\x00"
    assert transmit(bytes.fromhex(READY)) == b"\x90\x00"
    assert transmit(bytes.fromhex("80FA000008") + ORIGINAL) == b"\x61\x08"
    answer = transmit(bytes.fromhex("00C0000008"))
    card_key = DemonstrationKeys().card_key(a_key())
    assert answer == des(encrypt_ecb(Cipher.TDES, card_key, CHALLENGE), ORIGINAL) + b"\x90\x00"
    assert authentication.verify_external(Cipher.TDES, card_key, CHALLENGE, answer[:8] + ORIGINAL)


def test_sm4_enciphers_the_challenge(ask):
    challenge = ROOT.hex()
    assert ask(f"BFDE484320 {CARD.hex()} {CITY.hex()} {challenge}") == "9000"
    assert ask(f"80FA000010 {challenge}") == "6110"
    card_key = DemonstrationKeys().card_key(a_key(Cipher.SM4))
    assert ask("00C0000010") == encrypt_ecb(Cipher.SM4, card_key, ROOT).hex().upper() + "9000"


def test_a_mac_with_its_initial_value_as_health_cards_do_it(ask):
    """Initial value of one block, then a padded command."""
    command = pad(bytes.fromhex("04DC010406") + ORIGINAL, 16)
    assert ask(f"BFDE484320 {CARD.hex()} {CITY.hex()} {bytes(16).hex()}") == "9000"
    assert ask(f"80FA050020 {bytes(16).hex()} {command.hex()}") == "6104"
    card_key = DemonstrationKeys().card_key(a_key(Cipher.SM4))
    expected = mac.mac4(Cipher.SM4, card_key, bytes.fromhex("04DC010406") + ORIGINAL, bytes(16))
    assert ask("00C0000004") == expected.hex().upper() + "9000"


def test_files_are_read_by_identifier_and_by_short_identifier(ask):
    assert ask("00A40000023F00") == "9000"
    assert ask("00B0000006") == "6986"
    assert ask("00B0960006") == "4101008134759000"
    assert ask("00A40200020015") == "9000"
    assert ask("00B000000E") == "0000000041010081347501000000" + "9000"
    assert ask("00B0000004") == "000000009000"
    assert ask("00B0000800") == "6C06"
    assert ask("00B0000806") == "347501000000" + "9000"
    assert ask("00B0000E01") == "6B00"
    assert ask("00B0970006") == "6A82"
    assert ask("00B096000201FF") == "6700"


def test_both_names_can_be_selected(ask):
    assert ask("00A404000F 7378322E73682EC9E7BBE1B1A3D5CF") == "9000"
    assert ask("00A4000002DF01") == "9000"


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("00A4010002DF01", "6A86"),
        ("00A4000C02DF01", "6A86"),
        ("00A4000002DF02", "6A82"),
        ("00A400000100", "6700"),
        ("00A4040005D156000005", "6A82"),
        ("00C0000008", "6985"),
        ("80FA000008A0A1A2A3A4A5A6A7", "6985"),
        ("BFDE484310" + CARD.hex() + CITY.hex()[:-2] + "00", "6A88"),
        ("BFDE484310" + CARD.hex() + b"310000sx".hex(), "6A88"),
        ("BFDE484410" + CARD.hex() + CITY.hex(), "6A88"),
        ("BFDE284308" + CARD.hex(), "6A88"),
        ("BFDE484308" + CARD.hex(), "6700"),
        ("BFDE484314" + CARD.hex() + CITY.hex() + "00000000", "6700"),
        ("BFDE484300", "6700"),
        ("BFDF000000", "6D00"),
        ("0020000003123456", "6D00"),
        ("90DE000000", "6E00"),
        ("", "6700"),
        ("00A404", "6700"),
        ("00A4040010AA", "6700"),
    ],
)
def test_what_is_refused_and_how(ask, command, answer):
    assert ask(command) == answer


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("80FA000007A0A1A2A3A4A5A6", "6700"),
        ("80FA000000", "6700"),
        ("80FA050008A0A1A2A3A4A5A6A7", "6700"),
        ("80FA040010" + bytes(16).hex(), "6A86"),
        ("80FA020008" + bytes(8).hex(), "6A86"),
        ("80FA000108A0A1A2A3A4A5A6A7", "6A86"),
        ("80FA010008A0A1A2A3A4A5A6A7", "6985"),
        ("80FA030008A0A1A2A3A4A5A6A7", "6985"),
    ],
)
def test_what_a_ready_key_does_not_do(ask, command, answer):
    assert ask(READY) == "9000"
    assert ask(command) == answer
    assert ask("80FA000008" + ORIGINAL.hex()) == "6108"


def test_a_result_waits_for_one_get_response_of_its_length(ask):
    ask(READY)
    ask("80FA000008" + ORIGINAL.hex())
    assert ask("00C0000004") == "6C08"
    assert len(ask("00C0000008")) == 20
    assert ask("00C0000008") == "6985"
    ask("80FA000008" + ORIGINAL.hex())
    ask("00B0960006")
    assert ask("00C0000008") == "6985"


@pytest.mark.parametrize("usage", [ENCIPHER, MAC_ONLY])
def test_a_key_does_only_what_its_usage_says(ask, usage):
    key_id = "43"
    assert ask(f"BFDE{usage:02X}{key_id}10 {CARD.hex()} {CITY.hex()}") == "9000"
    encipher, make_mac = ask("80FA000008" + ORIGINAL.hex()), ask("80FA050010" + bytes(16).hex())
    assert (encipher, make_mac) == (("6108", "6985") if usage == ENCIPHER else ("6985", "6104"))


@pytest.mark.parametrize(
    "loss",
    [
        lambda psam: psam.reset(),
        lambda psam: psam.transmit(bytes.fromhex("00A40000023F00")),
        lambda psam: psam.transmit(bytes.fromhex("00A4040006D15600000590")),
        lambda psam: psam.transmit(bytes.fromhex("BFDE484410") + CARD + CITY),
    ],
    ids=["reset", "master file", "application again", "failed delivery"],
)
def test_the_ready_key_is_lost(psam, ask, loss):
    ask(READY)
    loss(psam)
    assert ask("80FA000008" + ORIGINAL.hex()) == "6985"


def test_keys_are_made_ready_in_the_application_only(ask):
    ask("00A4000002DDF1")
    assert ask(READY) == "6985"


def test_an_interrupted_long_mac_does_not_go_on(ask):
    ask(READY)
    assert ask("80FA070010" + bytes(16).hex()) == "9000"
    assert ask("80FA000008" + ORIGINAL.hex()) == "6108"
    assert ask("80FA010008" + ORIGINAL.hex()) == "6985"


def test_without_power_there_is_no_answer(psam):
    with pytest.raises(CardRemoved):
        psam.transmit(b"\x00")
    psam.reset()
    with pytest.raises(CardRemoved):
        psam.transmit(b"\x00")
    psam.power_on()
    psam.power_off()
    with pytest.raises(CardRemoved):
        psam.transmit(b"\x00")


@given(st.lists(st.binary(max_size=60) | st.sampled_from([bytes.fromhex(READY)]), max_size=6))
def test_any_bytes_are_answered(commands):
    psam = VirtualPsam([loaded(a_key())])
    psam.power_on()
    for command in commands:
        assert 2 <= len(psam.transmit(command)) <= 258


def test_keys_are_not_shown(psam):
    key = loaded(a_key())
    assert repr(psam) == "VirtualPsam(6 keys)"
    assert key.key.hex() not in repr(key)
    assert repr(key.key) not in repr(key)


@pytest.mark.parametrize("number", ["", "12345678901", "1234567890123", "12345678901x", "１２３４５６７８９０１２"])
def test_a_terminal_number_has_twelve_digits(number):
    with pytest.raises(InputError):
        VirtualPsam([], terminal_number=number)


@pytest.fixture(scope="module")
def profiles() -> list[Profile]:
    return [load_profile(name) for name in profile_names() if name.startswith("ssc-")]


def places(profiles: Iterable[Profile]) -> Iterator[tuple[Profile, CardKey]]:
    """Every key of the profiles that has a place in a PSAM, for a card of 331000."""
    for profile in profiles:
        for application in profile.applications:
            for key in application.keys:
                if key.psam_usage is not None and key.psam_id is not None:
                    named = application.name, key.name
                    yield profile, card_key(profile, *named, historical=bytes(range(13)), city="331000")


def test_a_demonstration_psam_has_every_key_that_the_profiles_place_in_one(profiles):
    keys = PsamKeys.open(LocalTransport(VirtualPsam.demonstration(profiles)))
    keys_with_a_place = [key for _, key in places(profiles)]
    assert len(keys_with_a_place) > 60
    for key in keys_with_a_place:
        initial = bytes(range(key.cipher.block))
        if key.psam_usage & 0x1F == 0x03:  # to unblock a PIN: a MAC and nothing else
            assert keys.mac(key, initial, ORIGINAL) == DemonstrationKeys().mac(key, initial, ORIGINAL), key.name
        else:
            expected = DemonstrationKeys().external_answer(key, initial, ORIGINAL)
            assert keys.external_answer(key, initial, ORIGINAL) == expected, key.name


def test_no_two_keys_of_a_profile_share_a_place_in_a_psam(profiles):
    for profile in profiles:
        taken = [(key.psam_usage, key.psam_id) for owner, key in places([profile])]
        assert len(set(taken)) == len(taken), profile.name


def test_a_demonstration_psam_serves_the_cities_it_was_made_for(profiles):
    keys = PsamKeys.open(LocalTransport(VirtualPsam.demonstration(profiles, cities=["331000", "110100"])))
    for city, expected in {"331000": True, "110100": True, "310000": False}.items():
        for profile in profiles:
            assert keys.has(card_key(profile, "SSSE", "RKSSSE", historical=bytes(13), city=city)) is expected


def test_an_older_demonstration_psam_lacks_the_read_key(profiles):
    keys = PsamKeys.open(LocalTransport(VirtualPsam.demonstration(profiles, without={"SSSE/RKSSSE"})))
    for profile in profiles:
        assert not keys.has(card_key(profile, "SSSE", "RKSSSE", historical=bytes(13), city="331000"))
        assert keys.has(card_key(profile, "SSSE", "UKSSSE", historical=bytes(13), city="331000"))


# our side


def test_open_reads_the_terminal_number(keys):
    assert keys.terminal_number == "410100813475"
    assert all("410100813475" in text for text in keys.title)
    assert repr(keys) == "PsamKeys('410100813475')"


@pytest.mark.parametrize("cipher", Cipher)
@pytest.mark.parametrize("length", [0, 1, 200, 207, 208, 223, 224, 600])
def test_a_psam_computes_what_software_computes(keys, cipher, length):
    software, key = DemonstrationKeys(), a_key(cipher)
    challenge, data = bytes(range(cipher.block)), bytes(index % 251 for index in range(length))
    assert keys.has(key)
    assert keys.external_answer(key, challenge, ORIGINAL) == software.external_answer(key, challenge, ORIGINAL)
    assert keys.internal_answer(key, bytes(range(16))) == software.internal_answer(key, bytes(range(16)))
    assert keys.mac(key, challenge, data) == software.mac(key, challenge, data)
    padded = pad(data, cipher.block)
    assert keys.encipher(key, padded) == software.encipher(key, padded)


def test_3des_macs_take_the_short_challenge_too(keys):
    assert keys.mac(a_key(), b"1234", ORIGINAL) == DemonstrationKeys().mac(a_key(), b"1234", ORIGINAL)


@pytest.mark.parametrize("cipher", Cipher)
def test_a_psam_opens_what_an_office_sealed(keys, cipher):
    key = a_key(cipher)
    sealed = DemonstrationKeys().seal(key, b"work permit", b"card 1")
    assert keys.unseal(key, sealed, b"card 1") == b"work permit"
    assert DemonstrationKeys().unseal(key, keys.seal(key, b"renewed", b"card 1"), b"card 1") == b"renewed"
    with pytest.raises(DecodeError):
        keys.unseal(key, sealed, b"card 2")


@pytest.mark.parametrize("cipher", Cipher)
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_root_key_serves_every_city(cipher, steps):
    """As many factors as the usage says: card; city, card; province, city, card."""
    usage = steps << 5 | 0x08
    root = PsamKey(usage=usage, key_id=0x43, cipher=cipher, key=ROOT)
    keys = PsamKeys.open(LocalTransport(VirtualPsam([root])))
    for city, city_factor, province_factor in [("331000", CITY, PROVINCE), ("110100", b"110100sx", b"110000sx")]:
        key = a_key(cipher, usage=usage, city=city, city_factor=city_factor)
        secret = ROOT
        for factor in (CARD, city_factor, province_factor)[steps - 1 :: -1]:
            secret = diversify(cipher, secret, factor)
        assert keys.encipher(key, bytes(16)) == encrypt_ecb(cipher, secret, bytes(16))


@pytest.mark.parametrize(
    "changes",
    [{"psam_id": 0x44}, {"city": "310000", "city_factor": b"310000sx"}, {"psam_id": None}, {"psam_usage": None}],
    ids=["key", "city", "no id", "no usage"],
)
def test_a_missing_key_is_a_key_error_that_names_it(keys, changes):
    key = a_key(**changes)
    assert not keys.has(key)
    for use in (
        lambda: keys.external_answer(key, CHALLENGE, ORIGINAL),
        lambda: keys.internal_answer(key, bytes(16)),
        lambda: keys.mac(key, CHALLENGE, b""),
        lambda: keys.encipher(key, bytes(8)),
        lambda: keys.seal(key, b"", b""),
    ):
        with pytest.raises(KeyUseError, match="DF01/UK2"):
            use()


def test_a_psam_that_says_9403_lacks_the_key():
    keys = PsamKeys.open(spoken({0xDE: "9403"}))
    assert not keys.has(a_key())


@pytest.mark.parametrize(
    "changes",
    [{"psam_usage": 0x88}, {"city_factor": b""}, {"card_factor": b""}],
    ids=["four steps", "city not diversified", "card not diversified"],
)
def test_factors_that_do_not_fit_the_usage_are_a_key_error(keys, changes):
    with pytest.raises(KeyUseError, match="DF01/UK2"):
        keys.encipher(a_key(**changes), bytes(8))


def test_an_older_psam_lacks_sm4():
    keys = PsamKeys.open(LocalTransport(VirtualPsam([loaded(a_key())])))
    assert keys.knows(Cipher.TDES)
    assert not keys.knows(Cipher.SM4)
    assert not keys.has(a_key(Cipher.SM4))
    with pytest.raises(KeyUseError, match="sm4"):
        keys.external_answer(a_key(Cipher.SM4), bytes(16), b"")


def test_a_psam_with_both_algorithms(keys):
    assert all(keys.knows(cipher) for cipher in Cipher)


def test_a_use_that_the_psam_does_not_allow_is_a_key_error(keys):
    with pytest.raises(KeyUseError, match="does not allow"):
        keys.mac(a_key(name="DF01/UK7", usage=ENCIPHER), CHALLENGE, b"")
    with pytest.raises(KeyUseError, match="不允许"):
        keys.encipher(a_key(name="DF01/STK", usage=MAC_ONLY), bytes(8))


def test_what_needs_a_key_itself_is_a_key_error(keys):
    with pytest.raises(KeyUseError, match="does not wrap"):
        keys.wrap(a_key(), bytes(8), a_key())
    with pytest.raises(KeyUseError, match="no check values"):
        keys.check_value(a_key())


@pytest.mark.parametrize("cipher", Cipher)
def test_wrong_lengths_never_reach_the_psam(keys, cipher):
    key = a_key(cipher)
    for use in (
        lambda: keys.external_answer(key, bytes(4), ORIGINAL),
        lambda: keys.internal_answer(key, bytes(15)),
        lambda: keys.mac(key, bytes(17), b""),
        lambda: keys.encipher(key, bytes(7)),
    ):
        with pytest.raises(InputError):
            use()


def test_3des_needs_an_original(keys):
    with pytest.raises(InputError):
        keys.external_answer(a_key(), CHALLENGE, b"")


def spoken(answers: dict[int, str]) -> FunctionCard:
    """A module that answers 9000 and its terminal's number, but ``answers`` to some instructions."""

    def answer(command: bytes) -> bytes:
        usual = {0xB0: "4101008134759000"}.get(command[1], "9000")
        return bytes.fromhex(answers.get(command[1], usual))

    return FunctionCard(answer, protocol="T=1")


@pytest.mark.parametrize("answers", [{0xA4: "6A82"}, {0xB0: "6A82"}])
def test_another_card_is_not_taken_for_a_psam(answers):
    with pytest.raises(CardRefused, match=r"function: .*6A82"):
        PsamKeys.open(spoken(answers))


def test_a_result_of_another_length_is_a_protocol_error():
    keys = PsamKeys.open(spoken({0xFA: "00000000000000" + "9000"}))
    with pytest.raises(ProtocolError, match="DF01/UK2"):
        keys.external_answer(a_key(), CHALLENGE, ORIGINAL)


@pytest.mark.parametrize("ins", [0xDE, 0xFA])
def test_other_refusals_stay_what_they_are_and_name_the_step(ins):
    keys = PsamKeys.open(spoken({ins: "6581"}))
    with pytest.raises(StatusError, match="PSAM DF01/UK2") as error:
        keys.encipher(a_key(), bytes(8))
    assert error.value.sw == 0x6581


def test_a_psam_that_is_pulled_out_is_a_transport_error(psam, keys):
    psam.power_off()
    with pytest.raises(TransportError):
        keys.has(a_key())


def test_close_lets_go_of_the_psam(psam, keys):
    keys.close()
    with pytest.raises(CardRemoved):
        psam.transmit(b"\x00")


def test_several_readers_share_one_psam(keys):
    cards = [a_key(cipher, card_factor=number.to_bytes(8)) for number in range(20) for cipher in Cipher]
    expected = {card: DemonstrationKeys().mac(card, bytes(card.cipher.block), bytes(500)) for card in cards}
    wrong = []

    def work() -> None:
        wrong.extend(card for card in cards if keys.mac(card, bytes(card.cipher.block), bytes(500)) != expected[card])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# a terminal with a PSAM and a card


def issued(profile: Profile) -> VirtualCard:
    """A card of 110100 with somebody's name on it."""
    card = VirtualCard.blank(profile, region="110100")
    file = profile.file("SSSE/EF06")
    name = next(index for index, record in enumerate(file.slots) if record.field == "holder.registered_name")
    card.memory.files["SSSE/EF06"][name][:] = file.slots[name].encode("ERIKSSON ANNA MARIA")
    return card


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_a_terminal_with_a_psam_reads_the_name_on_every_generation(profile, profiles):
    keys = PsamKeys.open(LocalTransport(VirtualPsam.demonstration(profiles, cities=["110100"])))
    card = SscCard.open(LocalTransport(issued(load_profile(profile))), access=Access(keys=keys))
    assert card.read().values["holder.registered_name"] == "ERIKSSON ANNA MARIA"


def test_a_terminal_with_an_older_psam_reads_the_name_on_older_cards_only(profiles):
    older = VirtualPsam.demonstration(profiles, cities=["110100"], without={"SSSE/RKSSSE"})
    access = Access(keys=PsamKeys.open(LocalTransport(older)))
    card = SscCard.open(LocalTransport(issued(load_profile("ssc-v2"))), access=access)
    assert card.read().values["holder.registered_name"] == "ERIKSSON ANNA MARIA"
    data = SscCard.open(LocalTransport(issued(load_profile("ssc-v3"))), access=access).read()
    assert "holder.registered_name" not in data.values
    assert any("RKSSSE" in str(problem.text) for problem in data.problems)


def test_card_and_psam_in_two_readers_of_the_machine(
    private_pcscd: PrivatePcscd, pcsc_reader: Slot, second_pcsc_reader: Slot, profiles: list[Profile]
):
    """The whole way by hand: refused, challenge, PSAM, EXTERNAL AUTHENTICATE, read."""
    card, psam = issued(load_profile("ssc-v3")), VirtualPsam.demonstration(profiles, cities=["110100"])
    with VirtualReader(port=pcsc_reader.port) as reader, VirtualReader(port=second_pcsc_reader.port) as psam_reader:
        reader.insert(card)
        psam_reader.insert(psam)
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        private_pcscd.wait_for_card(second_pcsc_reader.name, present=True)
        with open_card(pcsc_reader.name) as transport, open_card(second_pcsc_reader.name) as psam_transport:
            assert (psam_transport.atr, psam_transport.protocol) == (psam.atr, "T=0")
            keys = PsamKeys.open(psam_transport)
            assert keys.terminal_number == "331000000001"
            channel = Channel(transport)
            channel.send(select_aid(SSSE_AID, fci=False))
            channel.send(select_fid(0xEF06, fci=False))
            read_name = Command(0x00, 0xB2, 0x02, 0x04, b"", 0x20)
            with pytest.raises(StatusError) as refused:
                channel.send(read_name)
            assert refused.value.sw == 0x6982
            key = card_key(card.profile, "SSSE", "RKSSSE", historical=historical_bytes(transport.atr), city="110100")
            challenge = channel.send(Command(0x00, 0x84, 0x00, 0x00, b"", 0x10))
            answer = keys.external_answer(key, challenge, b"")
            channel.send(Command(0x00, 0x82, 0x00, 0x0A, answer))
            assert channel.send(read_name)[2:].rstrip(b"\0") == b"ERIKSSON ANNA MARIA"
