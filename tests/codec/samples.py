"""Values and profiles for the tests of the codec."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from juying.codec.fields import FieldType
from juying.codec.profile import File, FileKind, Profile, Record, load_profile, profile_names

PROFILES = [load_profile(name) for name in profile_names()]

SMALL = """
name = "small"
title = { zh = "小规格", en = "small profile" }
version = "2.00"
protocol = "T=0"
historical = "00814A59020000000000000000"

[security]
cipher = "sm4"
city_factor = "none"
card_factor = "atr-last-8"
key_tries = 3
pin_tries = 6
pin_digits = 6
initial_pins = ["123456"]
source = "ours"

[[application]]
name = "SSSE"
aid = "A000000001"
title = { zh = "应用", en = "application" }
source = "ours"
keys = [
  { name = "RK1", id = "01", source = "ours" },
  { name = "UK1", id = "02", source = "ours" },
]

[[application.file]]
fid = "EF05"
kind = "linear"
title = { zh = "线性", en = "linear" }
read = "pin or key:RK1"
write = "key:UK1"
records = [
  { number = 1, tag = "09", type = "an", length = 8, title = { zh = "姓名", en = "name" }, vectors = [
    { hex = "09084142000000000000", value = "AB" },
  ] },
  { number = 2, tag = "4E", type = "an", length = 4, title = { zh = "扩展", en = "more" }, continues = "09", vectors = [
    { hex = "4E0443000000", value = "C" },
  ] },
  { number = 3, tag = "40", repeat = 2, type = "list", title = { zh = "列表", en = "list" }, parts = [
      { tag = "57", type = "cn", length = 1, title = { zh = "代码", en = "code" } },
      { tag = "58", type = "date", title = { zh = "日期", en = "date" } },
    ], vectors = [ { hex = "4009570112580420261201", value = ["12", 2026-12-01] } ] },
]

[[application.file]]
fid = "EF07"
kind = "cyclic"
title = { zh = "循环", en = "cyclic" }
read = "free"
write = "debit"
count = 3
records = [
  { type = "uint", length = 2, title = { zh = "序号", en = "number" } },
  { type = "datetime", title = { zh = "时间", en = "time" } },
]
vectors = [ { hex = "000120261201093000", value = [1, 2026-12-01T09:30:00] } ]

[[application.file]]
fid = "EF08"
kind = "transparent"
title = { zh = "照片", en = "photo" }
read = "free"
write = "never"
size = 64
content = "photo"

[[application]]
name = "DF01"
fid = "DF01"
title = { zh = "另一应用", en = "other application" }
source = "ours"

[[application.file]]
fid = "EF05"
kind = "linear"
title = { zh = "线性", en = "linear" }
read = "free"
write = "free"
records = [
  { number = 1, tag = "01", type = "dec", title = { zh = "金额", en = "amount" }, vectors = [
    { hex = "010400000001", value = 1 },
  ] },
]
"""


def write(folder: Path, text: str, name: str = "own.toml") -> Path:
    """A profile file."""
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def line_of(text: str, part: str) -> int:
    """The line on which ``part`` stands, which occurs only once."""
    assert text.count(part) == 1, part
    return text[: text.index(part)].count("\n") + 1


def records() -> Iterator[tuple[Profile, File, Record]]:
    """Every record of every linear file of every profile."""
    for profile in PROFILES:
        for file in profile.files:
            if file.kind is FileKind.LINEAR:
                for record in file.records:
                    yield profile, file, record


CHARACTERS = st.one_of(
    st.characters(exclude_categories=("Cs", "Cc")),
    st.sampled_from("中文姓名·𠮷㐂龘𪚥éß、 A1"),
)


@st.composite
def texts(draw: st.DrawFn, length: int) -> str | None:
    """Text of at most ``length`` bytes of GB18030, as a card gives it back."""
    text, used = "", 0
    for character in draw(st.lists(CHARACTERS, max_size=length)):
        used += len(character.encode("gb18030"))
        if used > length:
            break
        text += character
    return text.rstrip(" ") or None


def contents(kind: FieldType, length: int) -> st.SearchStrategy[Any]:
    """Values of a field as a card gives them back, None for one never written."""
    top = 256**length - 1  # FF everywhere means "never written"
    values: dict[FieldType, st.SearchStrategy[Any]] = {
        FieldType.BYTES: st.binary(min_size=length, max_size=length).filter(lambda raw: raw != b"\xff" * length),
        FieldType.TEXT: texts(length),
        FieldType.DIGITS: st.text("0123456789", min_size=1, max_size=2 * length),
        FieldType.DATE: st.dates(),
        FieldType.MONTH: st.dates().map(lambda day: day.isoformat()[:7]),
        FieldType.DATETIME: st.datetimes().map(lambda time: time.replace(microsecond=0)),
        FieldType.AMOUNT: st.integers(0, top - 1),
        FieldType.UNSIGNED: st.integers(0, top - 1),
    }
    return st.none() | values[kind]


def record_contents(record: Record) -> st.SearchStrategy[Any]:
    """Values of a record."""
    if record.parts:
        # A list without a single value is never written.
        return st.tuples(*(contents(part.type, part.length) for part in record.parts)).filter(any)
    return contents(record.type, record.length)
