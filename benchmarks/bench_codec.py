"""Codec: a 110-byte record of nine fields against `construct`, TLV against a plain loop, whole profiles."""

import datetime as dt
import tempfile
from pathlib import Path
from typing import Any

import construct
from common import Row, microseconds, show

from juying.codec import tlv
from juying.codec.profile import File, FileKind, Profile, load_profile, profile_names

RECORD = """
name = "bench"
title = { zh = "测速", en = "benchmark" }
version = "2.00"
protocol = "T=0"
historical = "00814A59020000000000000000"

[[application]]
name = "SSSE"
title = { zh = "测速", en = "benchmark" }
source = "ours"

[[application.file]]
fid = "EF05"
kind = "cyclic"
title = { zh = "一人一行", en = "one person a row" }
read = "free"
write = "never"
count = 1
records = [
  { type = "an",   length = 18, title = { zh = "社会保障号码", en = "number" } },
  { type = "an",   length = 30, title = { zh = "姓名", en = "name" } },
  { type = "an",   length = 1,  title = { zh = "性别", en = "sex" } },
  { type = "cn",   length = 1,  title = { zh = "民族", en = "ethnicity" } },
  { type = "cn",   length = 3,  title = { zh = "出生地", en = "birthplace" } },
  { type = "date", length = 4,  title = { zh = "出生日期", en = "date of birth" } },
  { type = "date", length = 4,  title = { zh = "有效期", en = "date of expiry" } },
  { type = "an",   length = 9,  title = { zh = "单位代码", en = "employer's code" } },
  { type = "an",   length = 40, title = { zh = "单位名称", en = "employer" } },
]
vectors = [ { hex = "%s", value = %s } ]
"""
VALUES = (
    "UTO000000L898902C3",
    "埃里克松·安娜",
    "2",
    "97",
    "331002",
    dt.date(1974, 8, 12),
    dt.date(2036, 12, 1),
    "MA00TE5T2",
    "样本科技（台州）有限公司",
)
RAW = b"".join(
    (
        VALUES[0].encode("ascii"),
        VALUES[1].encode("gb18030").ljust(30, b"\x00"),
        b"2",
        bytes.fromhex("97331002"),
        bytes.fromhex("19740812"),
        bytes.fromhex("20361201"),
        VALUES[7].encode("ascii"),
        VALUES[8].encode("gb18030").ljust(40, b"\x00"),
    )
)


def our_file() -> File:
    """The record as a row of a profile file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.toml")
        values = ", ".join(str(value) if isinstance(value, dt.date) else f'"{value}"' for value in VALUES)
        path.write_text(RECORD % (RAW.hex().upper(), f"[{values}]"), "utf-8")
        profile = load_profile(path)
    profile.check_vectors()
    return profile.file("SSSE/EF05")


class Text(construct.Adapter):  # type: ignore[misc]
    """GB18030, filled with 00."""

    def __init__(self, length: int) -> None:
        super().__init__(construct.Bytes(length))
        self.length = length

    def _decode(self, obj: bytes, context: Any, path: str) -> str:
        return obj.rstrip(b"\x00 ").decode("gb18030")

    def _encode(self, obj: str, context: Any, path: str) -> bytes:
        return obj.encode("gb18030").ljust(self.length, b"\x00")


class Digits(construct.Adapter):  # type: ignore[misc]
    """BCD, filled with F."""

    def __init__(self, length: int) -> None:
        super().__init__(construct.Bytes(length))
        self.length = length

    def _decode(self, obj: bytes, context: Any, path: str) -> str:
        return obj.hex().rstrip("f")

    def _encode(self, obj: str, context: Any, path: str) -> bytes:
        return bytes.fromhex(obj.ljust(2 * self.length, "f"))


class Date(construct.Adapter):  # type: ignore[misc]
    """YYYYMMDD in BCD."""

    def _decode(self, obj: bytes, context: Any, path: str) -> dt.date:
        return dt.date.fromisoformat(obj.hex())

    def _encode(self, obj: dt.date, context: Any, path: str) -> bytes:
        return bytes.fromhex(obj.strftime("%Y%m%d"))


def construct_record() -> Any:
    """The same record, as its users would declare it."""
    return construct.Struct(
        "number" / construct.PaddedString(18, "ascii"),
        "name" / Text(30),
        "sex" / construct.Enum(construct.Int8ub, male=0x31, female=0x32),
        "ethnicity" / Digits(1),
        "birthplace" / Digits(3),
        "birth_date" / Date(construct.Bytes(4)),
        "expires_on" / Date(construct.Bytes(4)),
        "employer_code" / construct.PaddedString(9, "ascii"),
        "employer" / Text(40),
    )


def plain_loop(data: bytes) -> list[tuple[int, bytes]]:
    """A TLV parser without any check: the floor."""
    objects = []
    position = 0
    while position < len(data):
        end = position + 2 + data[position + 1]
        objects.append((data[position], data[position + 2 : end]))
        position = end
    return objects


def record_rows() -> list[Row]:
    """Nine fields, 110 bytes, both ways."""
    file, peer = our_file(), construct_record()
    compiled, named = peer.compile(), peer.parse(RAW)
    assert (len(RAW), len(file.records)) == (110, 9)
    assert (file.decode_row(RAW), file.encode_row(VALUES)) == (VALUES, RAW)
    assert (peer.build(named), compiled.parse(RAW)) == (RAW, named)
    decode, plain_parse, compiled_parse = microseconds(
        lambda: file.decode_row(RAW), lambda: peer.parse(RAW), lambda: compiled.parse(RAW)
    )
    encode, plain_build, compiled_build = microseconds(
        lambda: file.encode_row(VALUES), lambda: peer.build(named), lambda: compiled.build(named)
    )
    return [
        Row("record, 110 bytes, 9 fields: decode", decode, plain_parse, "construct", "µs", 3, ">="),
        Row("record, 110 bytes, 9 fields: encode", encode, plain_build, "construct", "µs", 3, ">="),
        Row("record: decode", decode, compiled_parse, "construct, compiled", "µs", sense=">="),
        Row("record: encode", encode, compiled_build, "construct, compiled", "µs", sense=">="),
    ]


def tlv_row() -> Row:
    """21 objects, 1701 bytes."""
    data = tlv.build((tag, bytes(79)) for tag in range(1, 22))
    assert tlv.parse(data) == plain_loop(data)
    ours, floor = microseconds(lambda: tlv.parse(data), lambda: plain_loop(data))
    return Row(f"TLV parse, 21 objects, {len(data)} bytes", ours, floor, "plain loop", "µs", 5)


def profile_row(profile: Profile) -> Row:
    """Every linear file of a card as its vectors fill it, decoded and encoded again."""
    files = []
    for file in profile.files:
        if file.kind is FileKind.LINEAR:
            files.append((file, [record.vectors[0].hex for record in file.slots]))
    count = sum(len(records) for _, records in files)

    def whole_card() -> None:
        for file, records in files:
            for item in file.decode_records(records):
                assert item.record is not None
                item.record.encode(item.content)

    (time,) = microseconds(whole_card, calls=20)
    rate = f"{count / time * 1e6:,.0f} records a second"
    return Row(f"{profile.name}, {count} records: decode and encode", time, None, rate, "µs")


def main() -> None:
    """Measure and print."""
    rows = [*record_rows(), tlv_row(), *(profile_row(load_profile(name)) for name in profile_names())]
    show("Codec", rows)


if __name__ == "__main__":
    main()
