"""``juying doctor`` says what is wrong, with a real service, a real reader and a card in it."""

import json
from pathlib import Path

import pytest

from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.vpcd import VirtualReader
from juying.cli.app import run
from juying.codec.profile import load_profile
from tests.harness import PrivatePcscd, Slot


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "card.vcard"
    save_card(VirtualCard.blank(load_profile("ssc-v3")), path)
    return path


def test_a_virtual_card_and_its_keys(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--virtual", str(image), "--keys", "demo"]) == 0
    assert "没有发现故障 / no fault found" in capsys.readouterr().out


def test_a_blocked_card_is_the_cards_fault(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = load_card(image)
    card.block()
    save_card(card, image)
    assert run(["doctor", "--virtual", str(image), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["fault"] == "card"


def test_an_empty_reader_and_then_a_card_in_it(
    image: Path, private_pcscd: PrivatePcscd, pcsc_reader: Slot, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--reader", pcsc_reader.name, "--json"]) == 4
    document = json.loads(capsys.readouterr().out)
    assert document["fault"] == "card"
    assert [finding["part"] for finding in document["findings"]] == ["service", "driver", "reader", "card"]
    with VirtualReader(port=pcsc_reader.port) as reader:
        reader.insert(load_card(image))
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        assert run(["doctor", "--reader", pcsc_reader.name, "--keys", "demo"]) == 0
        assert pcsc_reader.name in capsys.readouterr().out
