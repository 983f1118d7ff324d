"""The transit application on the command line: making cards with it, reading them and traces of them."""

import json
from pathlib import Path

import pytest

from juying.card.channel import Channel
from juying.card.trace import Recorder
from juying.card.tunion import read_transit
from juying.card.tunion_purchase import lock, purchase
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.codec.profile import load_profile
from tests.cli.conftest import Juying
from tests.transit.cards import NOON, VECTORS, blank, channel, psam, public, ride, tap

CARD = Path("card.vcard")
ATR = "3B800181"


def trace(*names: str, path: Path = Path("trace.jsonl")) -> Path:
    """A trace of published exchanges."""
    lines: list[dict[str, object]] = [{"atr": ATR, "protocol": "T=1"}]
    lines += (
        {"command": entry["command"], "response": entry["response"], "ms": 1.0}
        for name in names
        for entry in VECTORS[name]["exchanges"]
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "ascii")
    return path


def saved(card: VirtualCard) -> Path:
    save_card(card, CARD)
    return CARD


def ridden() -> VirtualCard:
    """A card that is on a metro ride."""
    card = blank(balance_fen=2000)
    line, terminal = channel(card), psam()
    read_transit(line)
    purchase(line, terminal, 0, public=public(card), at=NOON, tap=tap("03"), rides=[ride()])
    return card


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_new_puts_the_application_on_any_chip(profile: str, juying: Juying) -> None:
    done = juying("virtual", "new", CARD, "--profile", profile, "--transit", "--balance", 2000, "--json")
    assert (done.status, done.document["profile"]) == (0, profile)
    document = juying("read", "--virtual", CARD, "--json").document
    assert document["card"]["profile"] == profile
    transit = document["transit"]
    assert (transit["balance_fen"], transit["enabled"], transit["trips"]) == (2000, True, [])
    assert (transit["issuer_code"], transit["city_code"], transit["interoperable"]) == (
        "02113450FFFFFFFF",
        "3450",
        True,
    )
    assert (transit["valid_from"], transit["valid_until"]) == ("2020-01-01", "2099-12-31")
    assert transit["card_number"].startswith("3104880499")
    assert document["problems"] == []


def test_new_makes_a_transit_card_alone(juying: Juying) -> None:
    assert juying("virtual", "new", CARD, "--profile", "tunion", "--balance", 500, "--disabled").status == 0
    document = juying("read", "--virtual", CARD, "--json").document
    assert document.keys() == {"card", "holder", "permit", "transit", "problems"}
    assert document["card"].keys() == {"profile", "atr"}
    assert (document["card"]["profile"], document["holder"], document["permit"]) == (
        "tunion",
        {},
        {"signature": "absent"},
    )
    assert (document["transit"]["balance_fen"], document["transit"]["enabled"]) == (500, False)


@pytest.mark.parametrize("option", [("--balance", "5"), ("--disabled",)])
def test_options_of_the_application_need_it(option: tuple[str, ...], juying: Juying) -> None:
    done = juying("virtual", "new", CARD, *option)
    assert done.status == 2
    assert "--transit" in done.err
    assert not CARD.exists()


def test_a_balance_that_no_card_can_hold(juying: Juying) -> None:
    done = juying("virtual", "new", CARD, "--transit", "--balance", 500_001)
    assert done.status == 2
    assert "500000" in done.err


def test_cards_without_the_application_do_not_show_it(juying: Juying) -> None:
    assert juying("virtual", "new", CARD).status == 0
    assert "transit" not in juying("read", "--virtual", CARD, "--json").document
    assert "交通联合" not in juying("read", "--virtual", CARD).out


def test_tables(juying: Juying) -> None:
    done = juying("read", "--virtual", saved(ridden()))
    assert done.status == 0
    lines = [line.split() for line in done.out.splitlines()]
    for expected in (
        "交通联合 / China T-Union",
        "城市代码 city 3450",
        "互联互通 interoperable 是 / yes",
        "卡种 kind 普通卡 / normal",
        "启用 enabled 已启用 / enabled",
        "有效期 valid 2020-01-01 – 2099-12-31",
        "余额 balance ¥20.00",
        "未完成的行程 open trip 2026-12-01 12:00:00",
        "2026-12-01 12:00 ¥0.00 进站 地铁 / in metro",
    ):
        assert expected.split() in lines


def test_tables_of_a_card_that_says_little(juying: Juying) -> None:
    card = blank(balance_fen=-250, overdraft_limit_fen=800, interoperable=0, kind=9)
    card.memory.files["TUNION/0015"][0][9] = 7
    done = juying("read", "--virtual", saved(card))
    lines = [line.split() for line in done.out.splitlines()]
    for expected in ("互联互通 interoperable 否 / no", "卡种 kind 09", "启用 enabled 07", "余额 balance -¥2.50"):
        assert expected.split() in lines
    line = channel(card)
    read_transit(line)
    lock(line, psam(), public=public(card))
    done = juying("read", "--virtual", saved(card))
    assert done.status == 0
    assert "交通应用已锁定" in done.out
    assert "余额" not in done.out


def test_trips_without_time_and_amount(juying: Juying) -> None:
    card = blank()
    card.memory.files["TUNION/001E"].append(bytearray(b"\x99" + b"\xff" * 47))
    done = juying("read", "--virtual", saved(card))
    assert ["?", "?", "其他", "/", "other"] in [line.split() for line in done.out.splitlines()]


def test_the_published_exchanges_as_a_trace(juying: Juying) -> None:
    done = juying("read", "--replay", trace(*VECTORS), "--json")
    assert done.status == 0
    transit = done.document["transit"]
    expected = VECTORS["select-beijing"]["exchanges"][0]["expected"]
    assert (transit["card_number"], transit["issuer_code"]) == (expected["pan19"], expected["issuer_code"])
    assert (transit["city_code"], transit["interoperable"]) == ("5840", True)
    assert (transit["valid_from"], transit["valid_until"]) == ("2019-07-18", "2040-12-31")
    assert [trip["amount_fen"] for trip in transit["trips"]] == [500, 160]
    assert transit["balance_fen"] is None
    assert done.document["card"]["atr"] == ATR


@pytest.mark.parametrize("name", ["file17-shenzhen", "records-18", "records-1e"])
def test_a_trace_that_begins_after_select(name: str, juying: Juying) -> None:
    done = juying("read", "--replay", trace(name), "--json")
    assert done.status == 0
    transit = done.document["transit"]
    assert transit["city_code"] == ("5840" if name == "file17-shenzhen" else "")
    assert len(transit["trips"]) == (0 if name == "file17-shenzhen" else 1)


def test_a_trace_of_nothing_that_we_know(juying: Juying) -> None:
    done = juying("read", "--replay", trace("ppse"))
    assert done.status == 4
    assert "社会保障卡" in done.err


@pytest.mark.parametrize("profile", ["ssc-v3", "tunion"])
def test_a_recorded_trace_replays_masked(profile: str, juying: Juying) -> None:
    path = Path("record.jsonl")
    card = blank(profile, balance_fen=2000)
    line, terminal = channel(card), psam()
    read_transit(line)
    purchase(line, terminal, 0, public=public(card), at=NOON, tap=tap("03"), rides=[ride()])
    number = public(card).card_number
    assert juying("read", "--virtual", saved(card), "--record", path).status == 0
    text = path.read_text("ascii")
    assert number not in text
    assert "20261201120000" not in text, "nor when somebody was where"
    transit = juying("read", "--replay", path, "--json").document["transit"]
    assert len(transit["card_number"]) == 19
    assert transit["card_number"] != number
    assert (transit["issuer_code"], transit["balance_fen"]) == ("02113450FFFFFFFF", 2000)
    assert (transit["valid_until"], transit["interoperable"]) == ("2099-12-31", True)
    assert len(transit["trips"]) == 2, "time and amount do not tell any more that both logs mean the same"
    assert transit["open_trip"] is not None
    assert transit["open_trip"]["datetime"] != "2026-12-01T12:00:00"


@pytest.mark.usefixtures("home")
def test_pieces_of_the_public_file_are_masked_too() -> None:
    card = blank()
    with Recorder(LocalTransport(card), load_profile("tunion"), "pieces.jsonl") as recorder:
        read_transit(Channel(recorder))
        for offset, length in ((0, 12), (12, 18), (8, 4)):
            recorder.transmit(bytes((0x00, 0xB0, 0x95, offset, length)))
    text = Path("pieces.jsonl").read_text("ascii")
    assert public(card).serial[4:] not in text
    assert "02113450FFFFFFFF0201" in text


def test_decode_explains_the_files(juying: Juying) -> None:
    raw = VECTORS["records-1e"]["exchanges"][0]["response"][:-4]
    document = juying("decode", "tunion", "TUNION/001E", raw, "--json").document
    assert {entry["name"]: entry["value"] for entry in document["records"]}["交易金额 / amount"] == 500
    public_hex = VECTORS["select-beijing"]["exchanges"][0]["response"][42:-4]
    document = juying("decode", "tunion", "TUNION/0015", public_hex, "--json").document
    assert [entry["value"] for entry in document["records"]][3:5] == ["03105170000000000001", "2019-07-18"]
    document = juying("decode", "tunion", "TUNION/001A", ride().encode().hex(), "--json").document
    assert document["records"][0]["tag"] == "2701"
    assert document["records"][0]["value"]["进站时间 / time of entry"] == "2026-12-01T12:00:00"


def test_a_card_image_with_the_application_keeps_what_it_has_become(juying: Juying) -> None:
    card = load_card(saved(ridden()), autosave=True)
    line = channel(card)
    read_transit(line)
    left = NOON.replace(hour=13)
    purchase(line, psam(), 300, public=public(card), at=left, tap=tap("04", 300, left), rides=[ride(2, at=left)])
    transit = juying("read", "--virtual", CARD, "--json").document["transit"]
    assert (transit["balance_fen"], transit["open_trip"], len(transit["trips"])) == (1700, None, 2)
