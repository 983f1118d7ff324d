"""``juying profile`` and ``juying decode``."""

from pathlib import Path

import pytest

from juying.codec.permit_slots import encode_slot
from juying.codec.photo_file import pack_photo
from juying.codec.profile import load_profile
from tests.cli.conftest import Juying

WRONG = """
name = "wrong"
version = "3.00"
extends = "ssc-v3"
title = { zh = "错误", en = "wrong" }
titel = "a slip of the keyboard"
"""


def test_list(juying: Juying) -> None:
    document = juying("profile", "list", "--json").document
    assert [profile["name"] for profile in document["profiles"]] == ["ssc-v1", "ssc-v2", "ssc-v3", "tunion"]
    assert document["profiles"][1].keys() == {"name", "version", "title"}
    done = juying("profile", "list")
    assert done.out.splitlines()[2].startswith("ssc-v3  社会保障卡 第三代")


@pytest.mark.parametrize("profile", ["ssc-v1", "ssc-v2", "ssc-v3"])
def test_check_and_docs_of_what_comes_with_juying(profile: str, juying: Juying) -> None:
    document = juying("profile", "check", profile, "--json").document
    assert document.keys() == {"profile", "files", "vectors"}
    assert document["vectors"] > 50
    assert f"{document['vectors']} vectors hold" in juying("profile", "check", profile).out
    manual = juying("profile", "docs", profile).out
    assert manual.startswith("# ")
    assert "卡识别码" in manual


def test_show(juying: Juying) -> None:
    tree = juying("profile", "show", "ssc-v3").out
    for part in (
        "SSSE/EF05 linear",
        "08 an18 社会保障号码 / social security number",
        "SSSE/EF08 transparent 4096 bytes",
        "sm4, city-sx, atr-last-8; PIN 6",
        "8A UK7 external",
        "写 / write: 密钥 UK7 / key UK7",
    ):
        assert part in tree
    assert "DF02/EF07 cyclic 4 × 85" in tree
    document = juying("profile", "show", "ssc-v3", "--json").document
    assert document["name"] == "ssc-v3"
    assert document["application"][0]["name"] == "SSSE"
    schema = juying("profile", "show", "ssc-v3", "--schema").document
    assert "application" in schema["properties"]


def test_a_wrong_profile_file_names_file_line_and_nearest_key(juying: Juying) -> None:
    Path("wrong.toml").write_text(WRONG, "utf-8")
    for command in ("check", "show", "docs"):
        done = juying("profile", command, "wrong.toml")
        assert (done.status, done.out) == (2, "")
        assert done.err.startswith("wrong.toml:6: ")
        assert "title" in done.err
    error = juying("profile", "check", "wrong.toml", "--json").document["error"]
    assert (error["kind"], error["where"]) == ("ProfileError", "wrong.toml:6")


@pytest.mark.parametrize("name", ["ssc-v9", "missing.toml"])
def test_an_unknown_profile_is_bad_input(name: str, juying: Juying) -> None:
    done = juying("profile", "show", name, "--json")
    assert (done.status, done.document["error"]["kind"]) == (2, "ProfileError")


def entries(juying: Juying, file: str, data: bytes, profile: str = "ssc-v3") -> list[dict[str, object]]:
    done = juying("decode", profile, file, data.hex(), "--json")
    assert done.status == 0
    assert done.document.keys() == {"profile", "file", "records"}
    records: list[dict[str, object]] = done.document["records"]
    return records


def test_decode_a_record(juying: Juying) -> None:
    assert entries(juying, "SSSE/EF06", bytes.fromhex("0D0419740812")) == [
        {"tag": "0D", "name": "出生日期 / date of birth", "value": "1974-08-12", "problem": ""}
    ]
    done = juying("decode", "ssc-v3", "SSSEEF06", "0D04 1974 0812")
    assert (done.status, done.err) == (0, "")
    assert "1974-08-12" in done.out


def test_decode_several_records_some_unknown_some_wrong(juying: Juying) -> None:
    found = entries(juying, "SSSE/EF06", bytes.fromhex("0A0132 EE024142 0D0419741399"))
    assert [(entry["tag"], entry["value"]) for entry in found] == [("0A", "2"), ("EE", "4142"), ("0D", "19741399")]
    assert "unknown tag" in str(found[1]["name"])
    assert found[2]["problem"]
    assert "未知标签" in juying("decode", "ssc-v3", "SSSE/EF06", "EE024142").out


def test_decode_a_blank_record(juying: Juying) -> None:
    blank = load_profile("ssc-v3").file("SSSE/EF06").blank[6]
    assert entries(juying, "SSSE/EF06", blank)[0]["value"] is None
    assert juying("decode", "ssc-v3", "SSSE/EF06", blank.hex()).status == 0


def test_decode_a_list_record(juying: Juying) -> None:
    profile = load_profile("ssc-v3")
    file, record = next(
        (file, record) for file in profile.files for record in file.records if record.parts and record.tag
    )
    value = entries(juying, file.address, record.vectors[0].hex)[0]["value"]
    assert isinstance(value, dict)
    assert list(value) == [str(part.title) for part in record.parts]


def test_decode_a_row_of_a_cyclic_file(juying: Juying) -> None:
    file = next(file for file in load_profile("ssc-v3").files if file.kind == "cyclic" and file.vectors)
    found = entries(juying, file.address, file.vectors[0].hex * 2)
    assert len(found) == 2 * len(file.records)
    assert {entry["tag"] for entry in found} == {"#1", "#2"}
    done = juying("decode", "ssc-v3", file.address, file.vectors[0].hex.hex()[:-2])
    assert done.status == 2
    assert "multiple" in done.err


def test_decode_transparent_files(juying: Juying) -> None:
    slot = entries(juying, "DF01/EF16", encode_slot(b"record", 3))[0]["value"]
    assert slot == {"form": "open", "sequence": 3, "record": b"record".hex().upper()}
    assert entries(juying, "DF01/EF16", bytes(16))[0]["value"] is None
    photo = pack_photo(b"\xff\xd8picture\xff\xd9", 4096)
    assert entries(juying, "SSSE/EF08", photo)[0]["value"] == "JPEG, 11 bytes"
    assert entries(juying, "SSSE/EF07", b"\x01\x02")[0]["value"] == "0102"


@pytest.mark.parametrize(
    ("file", "data", "reason"),
    [
        ("SSSE/EF06", "0D05197408", "malformed"),
        ("SSSE/EF06", "0D", "malformed"),
        ("SSSE/EF06", "xyz", "no hex digits"),
        ("SSSE/EF99", "00", "no file"),
    ],
)
def test_what_cannot_be_decoded_is_bad_input(file: str, data: str, reason: str, juying: Juying) -> None:
    done = juying("decode", "ssc-v3", file, data, "--json")
    assert done.status == 2
    assert done.document["error"].keys() == {"kind", "where", "zh", "en"}
    assert juying("decode", "ssc-v3", file, data).status == 2
