"""The manual page: complete, deterministic, and Markdown that renders as meant."""

import re
import subprocess
import sys

import pytest
from markdown_it import MarkdownIt

from juying.codec.manual import manual, rule_text
from juying.codec.profile import Profile, load_profile
from tests.codec.samples import PROFILES, SMALL, write


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_everything_declared_is_in_the_manual(profile: Profile) -> None:
    page = manual(profile)
    for application in profile.applications:
        assert f"\n## {application.name}\n" in page
        for key in application.keys:
            assert f"| `{key.name}` | `{key.id:02X}` |" in page
        for file in application.files:
            section = page.split(f"\n### {file.address}\n")[1].split("\n### ")[0].split("\n## ")[0]
            assert file.title.zh in section
            assert file.title.en in section
            assert str(rule_text(file.read)) in section
            assert str(rule_text(file.write)) in section
            for record in file.records:
                assert str(record.title) in section
                assert not record.note or record.note.en.split("|")[0][:20] in section
                assert not record.field or f"`{record.field}`" in section
                for part in record.parts:
                    tag = "" if part.tag is None else f"`{part.tag:02X}`"
                    assert f"› {tag} | {part.title}" in section
            vectors = len(file.vectors) + sum(len(record.vectors) for record in file.records)
            tail = section.partition("test vectors:")[2]
            assert len(re.findall(r"^\| `", tail, re.MULTILINE)) == vectors


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_tables_render_with_as_many_cells_as_their_heads(profile: Profile) -> None:
    """A stray bar or a missing cell would shift what stands in a column."""
    page = manual(profile)
    html = MarkdownIt().enable("table").render(page)
    assert html.count("<table>") == len(re.findall(r"^\| ---", page, re.MULTILINE))
    for table in page.split("\n\n"):
        if table.startswith("|"):
            bars = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
            assert len(bars) == 1, table
    links = set(re.findall(r"\]\(#([^)]*)\)", page))
    headings = {re.sub(r"[^a-z0-9]", "", line.lower()) for line in re.findall(r"^##+ (.*)$", page, re.MULTILINE)}
    assert links <= headings


def test_markdown_in_a_title_is_shown_and_not_obeyed(tmp_path) -> None:
    text = SMALL.replace('zh = "姓名", en = "name"', r'zh = "a|b\n*c*", en = "<b>`d`_e_[f]\\"')
    page = manual(load_profile(write(tmp_path, text)))
    html = MarkdownIt().enable("table").render(page)
    assert "<td>a|b *c* / &lt;b&gt;`d`_e_[f]\\</td>" in html


def test_what_the_page_says(tmp_path) -> None:
    """One of each: repeat, parts, filling, amounts, rows, a rule of its own, a continuation."""
    text = SMALL.replace('{ number = 2, tag = "4E",', '{ number = 2, tag = "4E", read = "never", write = "free",')
    text = text.replace(
        "size = 64", 'size = 64\noptional = true\nsecret = true\npersonal = true\nfield = "holder.photo"'
    )
    page = manual(load_profile(write(tmp_path, text)))
    for expected in (
        "| 3–4 | `40` | 列表 / list | list | 9 |",
        "|  | › `58` | 日期 / date | date | 4 |",
        "- `4E`: 接续 / continues `09`",
        "- `4E`: 读 / read: 不允许 / nobody",
        "- `4E`: 写 / write: 任何人 / anyone",
        "| `09 08 4142 00×6` | AB |",
        "| `40 09 570112580420261201` | 12 · 2026-12-01 |",
        "| `0001 20261201093000` | 1 · 2026-12-01 09:30:00 |",
        "| `01 04 00000001` | ¥0.01 |",
        "循环记录文件，3 × 9 字节",
        "透明文件，64 字节 / transparent, 64 bytes (0x40)",
        "**照片 / photo**（地方文件，可能没有 / regional, may be absent）",
        "- 标记 / marks: personal, secret",
        "- 算法 / cipher: sm4",
        "none (城市 / city), atr-last-8 (卡 / card)",
        "密钥 / key 3, PIN 6",
        "6 位数字 / digits; 初始值 / initial 123456",
        "| `RK1` | `01` | 外部认证 / external authentication |  |  |  | ours |  |",
        "- 字段 / model field: `holder.photo`",
        "| [DF01](#df01) |  | `DF01` |",
    ):
        assert expected in page, expected


@pytest.mark.parametrize(
    ("rule", "zh", "en"),
    [
        ("free", "任何人", "anyone"),
        ("never", "不允许", "nobody"),
        ("debit", "仅限消费命令", "the debit command only"),
        ("pin", "PIN", "PIN"),
        ("key:UK1", "密钥 UK1", "key UK1"),
        ("pin or key:RK1", "PIN 或密钥 RK1", "PIN or key RK1"),
        ("mac:STK", "密钥 STK 的 MAC", "MAC under key STK"),
        ("key:UK1 and mac:STK", "密钥 UK1 与密钥 STK 的 MAC", "key UK1 and MAC under key STK"),
        ("key:RK1 or pin", "密钥 RK1 或 PIN", "key RK1 or PIN"),
        ("pin and key:A and key:B", "PIN 与密钥 A 与密钥 B", "PIN and key A and key B"),
    ],
)
def test_rules_in_words(rule: str, zh: str, en: str) -> None:
    assert rule_text(rule) == (zh, en)


def test_the_page_is_the_same_in_every_run() -> None:
    code = "from juying.codec.manual import manual as m; from juying.codec.profile import load_profile as p\n"
    code += "import sys; sys.stdout.buffer.write(m(p('ssc-v2')).encode())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONHASHSEED": "7"})
    assert run.stdout.decode() == manual(load_profile("ssc-v2"))
