"""``juying read`` from virtual cards and traces: what it says of good cards, odd cards and things that are none."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from rich.cells import cell_len

from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.codec.permit_slots import Form, encode_slot
from juying.codec.profile import load_profile
from juying.credential.issue import from_text
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.issuance.office import card_contents, sign_permit
from tests import people
from tests.cli.conftest import Juying
from tests.cli.desk import applicant, sheet

CARD = Path("out/JYX000010/card.vcard")


def virtual(card: VirtualCard) -> Path:
    path = Path("card.vcard")
    save_card(card, path)
    return path


def pin_file(digits: str) -> Path:
    path = Path("pin.txt")
    path.write_text(digits + "\n")
    return path


def test_the_json_document(issued: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", CARD, "--json")
    assert done.status == 0
    document = done.document
    assert document.keys() == {"card", "holder", "permit", "problems"}
    assert document["card"].keys() == {
        "profile", "atr", "card_number", "card_identifier", "version", "issued_on", "expires_on", "institution",
        "genuine",
    }  # fmt: skip
    assert document["card"]["genuine"] is None, "keys that everybody has prove nothing"
    assert document["card"]["profile"] == "ssc-v3"
    assert document["card"]["card_number"] == "JYX000010"
    assert document["holder"]["name"] == "MUSTER MAX"
    assert document["holder"]["social_security_number"] == "DEU000000C0FAKE000"
    assert "photo_jpeg" not in document["holder"]
    permit = document["permit"]
    assert (permit["signature"], permit["verdict"], permit["number"]) == ("valid", "valid", "ZJ20260000")
    assert (permit["category"], permit["valid_from"], permit["valid_until"]) == ("A", "2025-01-01", "2099-12-31")
    assert permit["employer"] == "椒江样本医药研究院"
    assert document["problems"] == []


def test_the_tables_have_words_in_both_languages(issued: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", CARD)
    assert done.status == 0
    lines = [line.split() for line in done.out.splitlines()]
    for expected in (
        "卡号 card number JYX000010",
        "姓名 name MUSTER MAX",
        "性别 sex 男 / male",
        "国籍 nationality DEU 德国 / Germany",
        "许可证编号 permit number ZJ20260000",
        "人员类别 category A 外国高端人才 / high-end talent",
        "统一社会信用代码 employer's code 123310020000DDD18Q",
        "绑定持有人密钥 bound to a key 否 / no",
    ):
        assert expected.split() in lines
    assert done.out.splitlines()[-2:] == [
        "签名有效 / the signature is valid",
        "工作许可 / work permit: 有效 / valid",
    ]
    assert "holder." not in done.out
    assert "valid_from" not in done.out


def test_the_tables_fit_into_80_columns(issued: Path, juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = juying("read", "--virtual", CARD, "--all")
    assert all(cell_len(line) <= 80 for line in done.out.splitlines())
    assert "…" not in done.out


def test_the_photo_is_saved_and_shown_by_its_size(issued: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", CARD, "--photo", "photo.jpg")
    assert done.status == 0
    with Image.open("photo.jpg") as picture:
        assert picture.format == "JPEG"
    size = Path("photo.jpg").stat().st_size
    assert f"{size} 字节 / {size} bytes" in done.out
    document = juying("read", "--virtual", CARD, "--photo", "again.jpg", "--json").document
    assert len(document["holder"]["photo_jpeg"]) == -(-size // 3) * 4


def test_a_card_without_a_photo(issued: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", "out/JY0000010/card.vcard", "--photo", "photo.jpg", "--json")
    assert done.status == 1
    assert "no photo" in done.err
    assert done.document["holder"]["name"] == "BEISPIEL BERTA"
    assert not Path("photo.jpg").exists()


def test_all_files_are_read_and_explained(issued: Path, juying: Juying) -> None:
    files = juying("read", "--virtual", CARD, "--all", "--json").document["files"]
    there = [file.address for file in load_profile("ssc-v3").files if file.kind != "transparent" and not file.optional]
    assert set(files) == set(there)
    record = files["SSSE/EF05"][6]
    assert record == {"tag": "07", "name": "卡号 / card number", "value": "JYX000010", "problem": ""}
    done = juying("read", "--virtual", CARD, "--all")
    assert "DF01/EF08 婚姻状况 / marital status" in done.out


def test_a_record_that_breaks_its_rule_is_a_problem_and_shown(issued: Path, juying: Juying) -> None:
    card = load_card(CARD)
    card.memory.files["SSSE/EF06"][-1][2:] = bytes.fromhex("19741399")
    path = virtual(card)
    pin = ("--pin-file", pin_file("123456"))
    document = juying("read", "--virtual", path, "--all", "--json", *pin).document
    assert [problem["where"] for problem in document["problems"]] == ["SSSE/EF06 0D 出生日期"]
    assert document["files"]["SSSE/EF06"][-1]["problem"]
    done = juying("read", "--virtual", path, "--all", *pin)
    assert done.status == 0
    assert "19741399 (" in done.out
    assert "SSSE/EF06 0D 出生日期：" in done.out


def test_rows_of_cyclic_files(issued: Path, juying: Juying) -> None:
    card = load_card(CARD)
    file = next(file for file in card.profile.files if file.kind == "cyclic" and file.vectors)
    card.memory.files[file.address].insert(0, bytearray(file.vectors[0].hex))
    entries = juying("read", "--virtual", virtual(card), "--all", "--json").document["files"][file.address]
    assert [entry["name"] for entry in entries] == [str(record.title) for record in file.records]
    assert {entry["tag"] for entry in entries} == {"#1"}


def test_a_blank_card(juying: Juying) -> None:
    path = virtual(VirtualCard.blank(load_profile("ssc-v2")))
    document = juying("read", "--virtual", path, "--json").document
    assert document["card"]["card_number"] is None
    assert document["holder"] == {}
    assert document["permit"] == {"signature": "absent", "employer": None}
    done = juying("read", "--virtual", path)
    assert done.status == 0
    assert done.out.splitlines()[-1] == "卡上没有工作许可 / there is no work permit on the card"


def test_a_sealed_permit_is_told_from_an_open_one(juying: Juying) -> None:
    card = VirtualCard.blank(load_profile("ssc-v3"))
    slot = encode_slot(b"sealed bytes", 1, form=Form.SEALED, key_reference=1)
    card.memory.files["DF01/EF16"][0][: len(slot)] = slot
    path = virtual(card)
    assert juying("read", "--virtual", path, "--json").document["permit"]["signature"] == "sealed"
    assert "a read key is needed" in juying("read", "--virtual", path).out
    assert "the permit was copied from another card" in juying("read", "--virtual", path).out


def card_of(permit_office: object = None, **changes: object) -> Path:
    """A virtual card written by the test office, with a permit that may not be good today."""
    office = people.office(datetime.now(UTC)) if permit_office is None else permit_office
    application = people.application(permit=people.permit(**changes))
    card = VirtualCard.blank(load_profile("ssc-v3"))
    with LocalTransport(card) as transport:
        credentials = sign_permit(office, application)
        wanted = card_contents(office, application, "JYX000010", credentials)
        write_card(SscCard.open(transport), wanted)
    return virtual(card)


def test_a_permit_of_an_unknown_issuer_is_invalid(issued: Path, juying: Juying) -> None:
    path = card_of(people.office())
    document = juying("read", "--virtual", path, "--json").document
    assert document["permit"]["signature"] == "invalid"
    assert document["permit"]["verdict"] == "unknown_kid"
    assert "number" not in document["permit"], "what nobody vouches for is not shown"
    assert [problem["where"] for problem in document["problems"]] == ["permit"]
    done = juying("read", "--virtual", path)
    assert "签名无效 / the signature is not valid" in done.out
    assert "permit number" not in done.out


def test_a_permit_that_has_run_out_is_genuine_but_not_good(juying: Juying) -> None:
    today = datetime.now(UTC)
    signer = SoftwareSigner.generate()
    year_ago = today - timedelta(days=365)
    TrustList([people.trusted(signer, not_before=year_ago - timedelta(days=1), not_after=today)]).save("trust.json")
    office = people.Office(signer=signer, trust=TrustList.load("trust.json"), clock=lambda: year_ago)
    path = card_of(office, valid_from=year_ago.date(), valid_until=(year_ago + timedelta(days=9)).date())
    document = juying("read", "--virtual", path, "--trust", "trust.json", "--json").document
    assert (document["permit"]["signature"], document["permit"]["verdict"]) == ("valid", "expired")
    done = juying("read", "--virtual", path, "--trust", "trust.json")
    assert done.out.splitlines()[-1] == "工作许可 / work permit: 已过期 / expired"


def test_without_a_trust_list_the_signature_does_not_count_and_the_reader_is_told(issued: Path, juying: Juying) -> None:
    shutil.rmtree("build/demo-keys")
    done = juying("read", "--virtual", CARD, "--json")
    assert done.document["permit"]["signature"] == "invalid"
    assert "JUYING_TRUST" in done.err


def test_the_trust_list_of_the_environment(issued: Path, juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("build/demo-keys/trust.json").rename("elsewhere.json")
    monkeypatch.setenv("JUYING_TRUST", "elsewhere.json")
    done = juying("read", "--virtual", CARD, "--json")
    assert (done.document["permit"]["signature"], done.err) == ("valid", "")


def test_a_sealed_record_copied_from_another_card_does_not_open(issued: Path, juying: Juying) -> None:
    thief, victim = load_card("out/JY0000010/card.vcard"), load_card(CARD)
    for address in ("DF01/EF16", "DF01/EF17"):
        thief.memory.files[address] = victim.memory.files[address]
    document = juying("read", "--virtual", virtual(thief), "--json").document
    assert document["permit"]["signature"] == "sealed"
    assert "number" not in document["permit"]
    assert [problem["where"] for problem in document["problems"]] == ["permit"]


def test_an_open_record_copied_from_another_card_is_noticed(issued: Path, juying: Juying) -> None:
    thief = load_card("out/JY0000010/card.vcard")
    slot = encode_slot(from_text((CARD.parent / "credential.txt").read_text().strip()), 9)
    thief.memory.files["DF01/EF18"][0][: len(slot)] = slot
    document = juying("read", "--virtual", virtual(thief), "--json").document
    assert document["permit"]["signature"] == "valid"
    assert [problem["where"] for problem in document["problems"]] == ["holder.birth_date"]


def test_a_blocked_card_is_a_card_fault(issued: Path, juying: Juying) -> None:
    assert juying("virtual", "block", CARD).status == 0
    done = juying("read", "--virtual", CARD, "--json")
    assert done.status == 4
    assert done.document["error"]["kind"] == "CardRefused"
    assert "blocked" in done.document["error"]["en"]


def test_something_that_is_no_social_security_card(juying: Juying) -> None:
    Path("other.trace").write_text(
        '{"atr": "3B00", "protocol": "T=1"}\n'
        '{"command": "00A404000F7378312E73682EC9E7BBE1B1A3D5CF00", "response": "6A82"}\n'
    )
    done = juying("read", "--replay", "other.trace", "--json")
    assert done.status == 4
    assert done.document["error"]["en"] == "not a social security card (SELECT answered 6A82)"


def test_a_card_of_an_unknown_generation_needs_its_profile_named(issued: Path, juying: Juying) -> None:
    card = load_card(CARD)
    card.memory.files["SSSE/EF05"][2][2:] = b"9.00"
    path = virtual(card)
    done = juying("read", "--virtual", path, "--json")
    assert done.status == 4
    assert "--profile" in done.document["error"]["en"]
    assert juying("read", "--virtual", path, "--profile", "ssc-v3").status == 0


def test_a_profile_of_ones_own(issued: Path, juying: Juying) -> None:
    """A province's file names its records; the tables take their words from it."""
    Path("province.toml").write_text(
        'name = "province"\nversion = "3.00"\nextends = "ssc-v3"\n'
        'title = { zh = "某省社会保障卡", en = "card of a province" }\n',
        "utf-8",
    )
    done = juying("read", "--virtual", CARD, "--profile", "province.toml", "--all")
    assert done.status == 0
    assert done.out.startswith("某省社会保障卡 / card of a province")


def test_a_recorded_trace_is_masked_and_can_be_replayed(issued: Path, juying: Juying) -> None:
    done = juying("read", "--virtual", CARD, "--record", "card.trace", "--photo", "photo.jpg", "--json")
    assert done.status == 0
    assert done.document["holder"]["name"] == "MUSTER MAX", "the one who asked sees the card as it is"
    trace = Path("card.trace").read_text("ascii")
    header = json.loads(trace.splitlines()[0])
    assert header["masked"] is True
    for secret in ("MUSTER", "DEU000000C0FAKE000", "C0FAKE000", "JYX000010", "ZJ20260000", "C0FAKE"):
        assert secret.encode().hex().upper() not in trace.upper()
    assert "椒江样本医药".encode("gb18030").hex().upper() not in trace
    assert bytes.fromhex(done.document["card"]["card_identifier"])[8:].hex().upper() not in trace
    again = juying("read", "--replay", "card.trace", "--json")
    assert again.status == 0
    assert again.document["card"]["profile"] == "ssc-v3"
    assert again.document["holder"]["name"] != "MUSTER MAX"
    assert again.document["holder"].keys() == done.document["holder"].keys() - {"photo_jpeg"}
    assert again.document["permit"]["signature"] == "absent", "the masked record is no record any more"


def test_a_trace_is_never_overwritten(issued: Path, juying: Juying) -> None:
    Path("card.trace").write_text("mine")
    done = juying("read", "--virtual", CARD, "--record", "card.trace", "--json")
    assert (done.status, done.document["error"]["where"]) == (2, "card.trace")
    assert Path("card.trace").read_text() == "mine"


@pytest.mark.parametrize(
    "options",
    [
        ("--virtual", "a", "--replay", "b"),
        ("--virtual", "a", "--reader", "b"),
        ("--virtual", "missing.vcard"),
        ("--replay", "missing.trace"),
        ("--virtual", "sheet.json"),
        ("--replay", "sheet.json"),
        ("--virtual", "sheet.json", "--profile", "ssc-v9"),
        ("--virtual", "sheet.json", "--trust", "sheet.json"),
    ],
)
def test_bad_input(options: tuple[str, ...], juying: Juying) -> None:
    sheet(applicant())
    done = juying("read", *options, "--json")
    assert done.status == 2
    assert done.document["error"].keys() == {"kind", "where", "zh", "en"}
