"""What is stored on a person as a page that the person can read: HTML without anything from elsewhere."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from juying.cli.labels import NO, NONE, PERMIT, YES, word
from juying.credential.register import Reason
from juying.credential.status_list import Status
from juying.text import Text

_TITLE = Text("本台账中有关您的全部信息", "everything that this ledger holds on you")
_LABELS = {
    **PERMIT,
    "ledger": Text("台账", "ledger"),
    "person": Text("编号", "number of the person"),
    "exported_at": Text("导出时间", "exported at"),
    "made_at": Text("登记时间", "entered at"),
    "erased_at": Text("删除时间", "erased at"),
    "ended_at": Text("终止时间", "ended at"),
    "ended_by": Text("终止原因", "ended by"),
    "changed_at": Text("变更时间", "changed at"),
    "at": Text("时间", "at"),
    "begun_at": Text("开始时间", "begun at"),
    "sealed_at": Text("制成时间", "made at"),
    "delivered_at": Text("发放时间", "handed over at"),
    "holder": Text("持有人", "holder"),
    "photo": Text("照片", "photo"),
    "search_terms": Text("检索用散列个数", "hashes by which you are found"),
    "permits": Text("工作许可", "work permits"),
    "applications": Text("申请", "applications"),
    "orders": Text("制卡订单", "orders"),
    "cards": Text("卡", "cards"),
    "credentials": Text("电子凭证", "credentials"),
    "enrolments": Text("已登记的服务", "services"),
    "reminders": Text("已发提醒", "reminders"),
    "events": Text("经办记录", "what was done"),
    "status": Text("状态", "status"),
    "statuses": Text("状态变更", "changes of the status"),
    "claims": Text("凭证内容", "what the credential says"),
    "permit": Text("许可内容", "the permit"),
    "id": Text("编号", "number"),
    "number": Text("号码", "number"),
    "state": Text("状态", "state"),
    "kind": Text("种类", "kind"),
    "operator": Text("经办人", "operator"),
    "details": Text("说明", "details"),
    "reason": Text("原因", "reason"),
    "note": Text("备注", "note"),
    "service": Text("服务", "service"),
    "card_number": Text("卡号", "card number"),
    "identifier": Text("卡识别码", "identifier of the chip"),
    "issued_on": Text("发卡日期", "issued on"),
    "expires_on": Text("卡有效期止", "expires on"),
    "document_number": Text("证件号码", "document number"),
    "issued_social_security_number": Text("社会保障号码", "social security number"),
    "residence_card_number": Text("永居证号码", "residence card number"),
    "card_name": Text("卡面姓名", "name on the card"),
    "phone": Text("电话", "telephone"),
    "email": Text("电子邮件", "e-mail"),
    "address": Text("地址", "address"),
    "address_region": Text("地址行政区划", "region of the address"),
    "authority": Text("签发机关", "authority"),
    "code": Text("代码", "code"),
    "list": Text("状态列表", "status list"),
    "place": Text("列表中的位置", "place in the list"),
}
_STYLE = (
    "body{font-family:sans-serif;max-width:60em;margin:2em auto}table{border-collapse:collapse;margin:.3em 0}"
    "th,td{border:1px solid #bbb;padding:.2em .6em;text-align:left;vertical-align:top}th{font-weight:normal;color:#555}"
)


def as_html(document: Mapping[str, Any]) -> str:
    """The page of a document that `juying.ledger.person_export` made."""
    title = escape(str(_TITLE))
    single = {name: value for name, value in document.items() if not isinstance(value, list | Mapping)}
    parts = [
        f"<h2>{_label(name)}</h2>\n{_value(name, value)}" for name, value in document.items() if name not in single
    ]
    return (
        f'<!doctype html>\n<html lang="zh"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n{_value('', single)}\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _label(name: str) -> str:
    return escape(str(_LABELS.get(name, name)))


def _value(name: str, value: Any) -> str:
    if name == "photo" and value:
        return f'<img alt="" src="data:{value["type"]};base64,{value["base64"]}">'
    if isinstance(value, Mapping):
        rows = "".join(
            f"<tr><th>{_label(key)}</th><td>{_value(key, entry)}</td></tr>\n" for key, entry in value.items()
        )
        return f"<table>\n{rows}</table>" if value else escape(str(NONE))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(_value("", entry) for entry in value) or escape(str(NONE))
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return escape(str(YES if value else NO))
    return escape(str(_word(name, value)))


def _word(name: str, value: Any) -> Text | str:
    if name == "status":
        return Status[value.upper()].text
    return Reason(value).text if name == "reason" and value in set(Reason) else word(name, value)
