"""Names of the fields of a permit, and words for the codes on cards and in credentials, for people to read."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from juying.model import PermitCategory, Sex, countries
from juying.text import Text

YES, NO, NONE = Text("是", "yes"), Text("否", "no"), Text("无", "none")

PERMIT = {
    "permit_number": Text("许可证编号", "permit number"),
    "tier": Text("凭证种类", "kind"),
    "category": Text("人员类别", "category"),
    "name": Text("姓名", "name"),
    "chinese_name": Text("中文姓名", "Chinese name"),
    "nationality": Text("国籍", "nationality"),
    "birth_date": Text("出生日期", "date of birth"),
    "sex": Text("性别", "sex"),
    "employer": Text("用人单位", "employer"),
    "employer_code": Text("统一社会信用代码", "employer's code"),
    "position": Text("职务", "position"),
    "region": Text("行政区划", "region"),
    "valid_from": Text("有效期起", "valid from"),
    "valid_until": Text("有效期止", "valid until"),
    "issued_at": Text("签发时间", "issued at"),
    "holder_bound": Text("绑定持有人密钥", "bound to a key"),
    "status": Text("状态编号", "status entry"),
}
"""The fields of a permit, in the order in which people see them."""

OUTCOMES = {
    "pass": (Text("通过", "pass"), "green"),
    "fail": (Text("未通过", "fail"), "red"),
    "skipped": (Text("略过", "skipped"), "dim"),
    "unknown": (Text("未知", "unknown"), "yellow"),
}
"""How a check ended, and the colour for it."""

GENUINE = {
    True: (Text("芯片已通过内部认证", "the chip has proved that it is genuine"), "green"),
    False: (
        Text("芯片未通过内部认证，可能是复制品", "the chip could not prove that it is genuine: perhaps a copy"),
        "red",
    ),
}
"""What can be said of the chip itself, when it was asked."""

SIGNATURES = {
    "valid": (Text("签名有效", "the signature is valid"), "green"),
    "invalid": (Text("签名无效", "the signature is not valid"), "red"),
    "absent": (Text("卡上没有工作许可", "there is no work permit on the card"), "yellow"),
    "sealed": (Text("工作许可已加密，须有读取密钥", "the work permit is sealed, a read key is needed"), "yellow"),
}
"""What can be said of the permit on a chip, and the colour for it."""


def permit_fields(permit: Mapping[str, Any]) -> Iterator[tuple[Text, Text | str]]:
    """Names and values of a permit that `Claims.to_dict` gave, those that it has."""
    for key, name in PERMIT.items():
        value = permit.get(key)
        if value not in (None, "") or (key == "status" and key in permit):
            yield name, word(key, value)


def word(field: str, value: Any) -> Text | str:
    """``value`` of a model field (``holder.sex`` or just ``sex``) for people; one without a word as it is."""
    made = _WORDS.get(field.rpartition(".")[2], lambda _: None)(value)
    return str(value) if made is None else made


def _sex(code: str) -> Text | None:
    return Sex(code).text if code in set(Sex) else None


def _category(code: str) -> str | None:
    return f"{code} {PermitCategory(code).text}" if code in set(PermitCategory) else None


def _nationality(code: str) -> str | None:
    country = countries.by_alpha3(code)
    return f"{code} {country.name}" if country else None


def _tier(name: str) -> Text:
    from juying.credential.claims import Tier

    return Tier[name.upper()].text


def _status(status: Mapping[str, int] | None) -> Text:
    if status is None:
        return NONE
    number, index = status["list"], status["index"]
    return Text(f"列表 {number}，序号 {index}", f"list {number}, index {index}")


_WORDS: dict[str, Callable[[Any], Text | str | None]] = {
    "sex": _sex,
    "category": _category,
    "nationality": _nationality,
    "tier": _tier,
    "holder_bound": lambda bound: YES if bound else NO,
    "status": _status,
}
