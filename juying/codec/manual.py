"""A manual page in Markdown, made from a profile.

It tells a developer or an office what stands where on the card, in Chinese and English, without reading TOML.
The same profile always gives the same text.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from juying.codec.fields import FieldType
from juying.codec.spec import Application, File, FileKind, Key, KeyKind, Profile, Record
from juying.text import Text

_TYPES = {
    FieldType.BYTES: Text("字节", "bytes"),
    FieldType.TEXT: Text("文字，GB18030，左对齐，后补 00", "text, GB18030, left aligned, filled with 00"),
    FieldType.DIGITS: Text("数字，BCD，左对齐，后补 F", "digits, BCD, left aligned, filled with F"),
    FieldType.DATE: Text("日期，BCD，YYYYMMDD", "date, BCD, YYYYMMDD"),
    FieldType.MONTH: Text("年月，BCD，YYYYMM", "month, BCD, YYYYMM"),
    FieldType.DATETIME: Text("日期时间，BCD，YYYYMMDDhhmmss", "date and time, BCD, YYYYMMDDhhmmss"),
    FieldType.AMOUNT: Text("金额，单位为分，大端", "amount in fen, big-endian"),
    FieldType.UNSIGNED: Text("无符号整数，大端", "unsigned integer, big-endian"),
    FieldType.LIST: Text("由数据对象组成的列表", "list of data objects"),
}
_SOURCES = {
    "standard": Text("公开的标准与通知，或多个独立程序一致", "published, or several independent programs agree"),
    "observed": Text("见于可用的公开代码", "seen in public code that works with such cards"),
    "ours": Text("未见公开资料，由我们选择", "nothing is published: our choice"),
}
_MARKS = {
    "personal": Text("个人信息，不得出现在日志和跟踪中", "personal, must not appear in logs and traces"),
    "secret": Text("秘密", "secret"),
}
_RULES = {
    "free": Text("任何人", "anyone"),
    "never": Text("不允许", "nobody"),
    "debit": Text("仅限消费命令", "the debit command only"),
    "pin": Text("PIN", "PIN"),
}


_PERMITS = {"sealed": Text("密封", "sealed"), "open": Text("明文", "open")}
_KINDS = {
    KeyKind.EXTERNAL: Text("外部认证", "external authentication"),
    KeyKind.MAIN: Text("主控，装载其他密钥", "main key, loads the others"),
    KeyKind.INTERNAL: Text("内部认证", "internal authentication"),
    KeyKind.MAINTENANCE: Text("维护，安全报文", "maintenance, secure messaging"),
    KeyKind.PIN_UNBLOCK: Text("解锁 PIN", "unblocks the PIN"),
    KeyKind.PIN_RELOAD: Text("重装 PIN", "loads a new PIN"),
    KeyKind.CARD_BLOCK: Text("锁定卡片", "blocks the card"),
    KeyKind.APP_BLOCK: Text("锁定和解锁应用", "blocks and unblocks the application"),
    KeyKind.SEAL: Text("密封工作许可，不在卡上", "seals the permit, not on the card"),
    KeyKind.PURCHASE: Text("消费", "purchase"),
    KeyKind.LOAD: Text("圈存", "load"),
    KeyKind.TAC: Text("交易验证码", "transaction code (TAC)"),
}


_RECORD_HEAD = (
    "号 / no.",
    "标签 / tag",
    "名称 / name",
    "类型 / type",
    "长度 / bytes",
    "字段 / field",
    "标记 / marks",
    "来源 / source",
)


def rule_text(rule: str) -> Text:
    """An access rule of a profile in words.

    >>> rule_text("pin or key:RK1").en
    'PIN or key RK1'
    """
    joint = " and " if " and " in rule else " or "
    grants = [_grant_text(grant) for grant in rule.split(joint)]
    zh = (" 与 " if joint == " and " else " 或 ").join(grant.zh for grant in grants)
    return Text(re.sub("([与或]) 密", r"\1密", zh), joint.join(grant.en for grant in grants))


def _grant_text(grant: str) -> Text:
    kind, _, name = grant.partition(":")
    if not name:
        return _RULES[grant]
    return (
        Text(f"密钥 {name} 的 MAC", f"MAC under key {name}") if kind == "mac" else Text(f"密钥 {name}", f"key {name}")
    )


def manual(profile: Profile) -> str:
    """The manual page of ``profile``: applications, files, access rules, records and test vectors."""
    return "\n\n".join(_page(profile)) + "\n"


def _page(profile: Profile) -> Iterator[str]:
    yield f"# {_safe(profile.title)}"
    yield "\n".join(
        [
            f"- 规格 / profile: `{profile.name}`",
            f"- 规范版本 / specification version: {profile.version}",
            f"- 传输协议 / protocol: {profile.protocol}",
        ]
    )
    yield from _note(profile.note)
    yield from _security(profile)
    yield "## 应用 / Applications"
    yield _table(
        ("应用 / application", "AID", "FID", "名称 / title", "文件 / files", "来源 / source"),
        (
            (
                f"[{entry.name}](#{entry.name.lower()})",
                _code(entry.aid.hex().upper() if entry.aid else ""),
                _code(f"{entry.fid:04X}" if entry.fid else ""),
                entry.title,
                len(entry.files),
                entry.source,
            )
            for entry in profile.applications
        ),
    )
    for application in profile.applications:
        yield from _application(application)
    yield from _legend()


def _security(profile: Profile) -> Iterator[str]:
    security = profile.security
    yield "## 安全 / Security"
    yield "\n".join(
        [
            f"- 算法 / cipher: {security.cipher}",
            f"- 分散因子 / diversification: {security.city_factor} (城市 / city), {security.card_factor} (卡 / card)",
            f"- 允许连续错误 / wrong tries in a row: 密钥 / key {security.key_tries}, PIN {security.pin_tries}",
            f"- PIN: {security.pin_digits} 位数字 / digits; 初始值 / initial {', '.join(security.initial_pins)}",
            f"- 工作许可 / permit: {_PERMITS[profile.permit]}",
            f"- 来源 / source: {security.source}",
        ]
    )
    yield from _note(security.note)


def _application(application: Application) -> Iterator[str]:
    yield f"## {application.name}"
    yield f"**{_safe(application.title)}**"
    yield from _note(application.note)
    yield _table(
        ("文件 / file", "名称 / title", "结构 / structure", "读 / read", "写 / write"),
        (
            (
                f"[{file.fid:04X}](#{file.address.lower().replace('/', '')})",
                file.title,
                file.kind,
                rule_text(file.read),
                rule_text(file.write),
            )
            for file in application.files
        ),
    )
    if application.keys:
        yield "密钥 / keys:"
        yield _table(
            (
                "密钥 / key",
                "标识 / id",
                "用途 / kind",
                "PSAM 用途 / usage",
                "PSAM 标识 / id",
                "HSM 地址 / address",
                "来源 / source",
                "说明 / note",
            ),
            map(_key, application.keys),
        )
    for file in application.files:
        yield from _file(file)


def _key(key: Key) -> Sequence[object]:
    address = _code(key.hsm_address.hex().upper() if key.hsm_address else "")
    numbers = _byte(key.psam_usage), _byte(key.psam_id), address
    return _code(key.name), _byte(key.id), _KINDS[key.kind], *numbers, key.source, key.note or ""


def _file(file: File) -> Iterator[str]:
    yield f"### {file.address}"
    optional = "（地方文件，可能没有 / regional, may be absent）" if file.optional else ""
    yield f"**{_safe(file.title)}**{optional}"
    facts = [_structure(file), f"读 / read: {rule_text(file.read)}", f"写 / write: {rule_text(file.write)}"]
    if file.field:
        facts.append(f"字段 / model field: `{file.field}`")
    if _marks(file):
        facts.append(f"标记 / marks: {_marks(file)}")
    yield "\n".join(f"- {fact}" for fact in [*facts, f"来源 / source: {file.source}"])
    yield from _note(file.note)
    if not file.records:
        return
    yield _table(_RECORD_HEAD, (row for record in file.records for row in _record(record)))
    yield from filter(None, ["\n".join(_remarks(file))])
    yield "测试向量 / test vectors:"
    yield _table(("字节 / bytes", "含义 / meaning"), _vectors(file))


def _structure(file: File) -> str:
    if file.kind is FileKind.LINEAR:
        return f"线性记录文件，{len(file.slots)} 条 TLV 记录 / linear, {len(file.slots)} TLV records"
    if file.kind is FileKind.CYCLIC:
        size = f"{file.count} × {file.record_length}"
        return f"循环记录文件，{size} 字节，第 1 条最新 / cyclic, {size} bytes, record 1 is the newest"
    return f"透明文件，{file.size} 字节 / transparent, {file.size} bytes (0x{file.size:X})"


def _record(record: Record) -> Iterator[Sequence[object]]:
    """The row of a record, and one for each of its parts."""
    last = record.number + record.repeat - 1
    number = "" if not record.number else f"{record.number}–{last}" if record.repeat > 1 else f"{record.number}"
    field = _code(record.field)
    yield number, _byte(record.tag), record.title, record.type, record.length, field, _marks(record), record.source
    for part in record.parts:
        yield (
            "",
            f"› {_byte(part.tag)}",
            part.title,
            part.type,
            part.length,
            _code(part.field),
            _marks(part),
            part.source,
        )


def _remarks(file: File) -> Iterator[str]:
    """What there is to say about records and parts; the same remark on several of them is made once."""
    found: dict[str, list[str]] = {}
    for record in file.records:
        for entry in (record, *record.parts):
            name = _byte(entry.tag) or _safe(entry.title)
            for remark in _remarks_on(entry, file):
                found.setdefault(remark, []).append(name)
    for remark, names in found.items():
        yield f"- {', '.join(names)}: {remark}"


def _remarks_on(record: Record, file: File) -> Iterator[str]:
    if record.note:
        yield _safe(record.note)
    if record.continues:
        yield f"接续 / continues {_byte(record.continues)}"
    if record.read != file.read:
        yield f"读 / read: {rule_text(record.read)}"
    if record.write != file.write:
        yield f"写 / write: {rule_text(record.write)}"


def _vectors(file: File) -> Iterator[Sequence[object]]:
    lengths, types = zip(*((column.length, column.type) for column in file.records), strict=True)
    for vector in file.vectors:
        yield _hex(vector.hex, lengths), _meaning(vector.value, types)
    for record in file.records:
        types = tuple(part.type for part in record.parts) or (record.type,)
        for vector in record.vectors:
            tag = len(vector.hex) - record.length - 1
            yield _hex(vector.hex, (tag, 1, record.length)), _meaning(vector.value, types)


def _hex(raw: bytes, lengths: Sequence[int]) -> str:
    """The bytes in groups of these lengths, long filling shortened."""
    ends = itertools.accumulate(lengths)
    groups = (raw[end - length : end].hex().upper() for end, length in zip(ends, lengths, strict=True))
    short = (re.sub("(?:00){4,}$|(?:FF){4,}$", lambda run: f" {run[0][:2]}×{len(run[0]) // 2}", one) for one in groups)
    return _code(" ".join(group.strip() for group in short))


def _meaning(value: Any, types: Sequence[FieldType]) -> str:
    values = value if isinstance(value, list) else [value]
    return " · ".join(_shown(entry, kind) for entry, kind in zip(values, types, strict=True))


def _shown(value: Any, kind: FieldType) -> str:
    return f"¥{value // 100}.{value % 100:02}" if kind is FieldType.AMOUNT else _safe(str(value))


def _legend() -> Iterator[str]:
    yield "## 说明 / Legend"
    yield _table(("类型 / type", "含义 / meaning"), _TYPES.items())
    yield _table(("来源 / source", "含义 / meaning"), _SOURCES.items())
    yield _table(("标记 / mark", "含义 / meaning"), _MARKS.items())
    yield (
        "未写过的字段全为 FF。记录按卡片返回的标签识别，不按记录号。"
        "\n\nA field that was never written holds FF. Records are told by the tag that the card returns, "
        "not by their number."
    )


def _note(note: Text | None) -> Iterator[str]:
    if note:
        yield f"> {_safe(note)}"


def _marks(stored: File | Record) -> str:
    return ", ".join(mark for mark in _MARKS if getattr(stored, mark))


def _byte(number: int | None) -> str:
    return "" if number is None else _code(f"{number:02X}")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _safe(text: Text | str) -> str:
    """``text`` on one line, with the characters escaped that mean something to Markdown."""
    return re.sub(r"([\\`*_<|\[\]])", r"\\\1", " ".join(str(text).split()))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head)]
    lines += [[_safe(cell) if isinstance(cell, Text) else str(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
