"""One site: an institution, the gateway it goes through, and what its region does differently. A table of a TOML file.

Members that are fields of the envelope have their names. There is no place for a secret: members that end in ``_env``
name environment variables, and private keys are files of their own.
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from juying.credential.strict_json import members
from juying.errors import InputError, KeyUseError
from juying.services.connecting import check_host
from juying.services.medical.envelope import Envelope
from juying.services.medical.fields import members_of
from juying.services.medical.signing import Cainfo, Csb, Layer, SealedEnvelope, XTif, envelope_key
from juying.services.medical.transactions import TRANSACTIONS
from juying.services.presentation import ASSURANCES
from juying.services.resilience import DEFAULT, Resilience

EVIDENCE = ("balance", "person_type", "employer", "person_number", "explanation")
"""What a verdict can show when a site asks for it; without being asked it shows none of it."""

_LOCAL = ("127.0.0.1", "localhost", "::1")
_FLAGS = ("plain_http", "sign_in", "input_as_text", "amounts_as_text")
_CODES = {
    "fixmedins_code": "[A-Z0-9]{12}",
    "mdtrtarea_admvs": "[0-9]{6}",
    "opter_type": "[0-9]{1,3}",
    "med_type": "[0-9]{2,6}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site as configured; see docs/medical.md for each member. Raises `InputError` for a mistake.

    ``settle_timeout`` (seconds) is how long an answer about money is awaited, ``absent_after`` how long after sending a
    platform is believed that says there is nothing to reverse: before that the message may still be on its way.
    """

    url: str
    fixmedins_code: str
    fixmedins_name: str
    mdtrtarea_admvs: str
    opter: str
    opter_name: str
    name: str = "medical"
    opter_type: str = "1"
    recer_sys_code: str = "YBXT"
    infver: str = "V1.0"
    dev_no: str = ""
    dev_safe_info: str = ""
    sign_in: bool = False
    mac: str = ""
    ip: str = ""
    path: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    envelope: Mapping[str, object] = field(default_factory=dict)
    input: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    input_as_text: bool = False
    amounts_as_text: bool = False
    plain_http: bool = False
    ca_file: str = ""
    certificate: str = ""
    certificate_key: str = ""
    journal: str = ""
    settle_timeout: float = 60.0
    absent_after: float = 600.0
    unclear: Sequence[str] = ("超时", "timeout", "timed out")
    not_insured: Sequence[str] = ("未参保", "查无此人", "未查询到参保", "人员信息不存在", "参保信息不存在")
    already_reversed: Sequence[str] = ("已冲正", "重复冲正")
    nothing_to_reverse: Sequence[str] = ("原交易不存在", "未找到原交易", "未查询到原交易")
    med_type: str = "11"
    insurances: Sequence[str] = ("310", "390", "391", "340")
    require: Sequence[str] = ()
    evidence: Sequence[str] = ()
    resilience: Resilience = DEFAULT
    layers: tuple[Layer, ...] = ()

    def __post_init__(self) -> None:
        """Check the values."""
        for name, pattern in _CODES.items():
            if not re.fullmatch(pattern, getattr(self, name)):
                raise InputError(f"应符合 {pattern}", f"it has to match {pattern}", where=name)
        self._check_url()
        if self.sign_in and not (self.mac and self.ip):
            raise InputError("签到需要 mac 和 ip", "signing in needs mac and ip", where="sign_in")
        if bool(self.certificate) != bool(self.certificate_key):
            raise InputError(
                "certificate 和 certificate_key 必须一起给出", "certificate and certificate_key go together"
            )
        for name, (least, most) in {"settle_timeout": (0.1, 300), "absent_after": (1, 7 * 86400)}.items():
            if not least <= getattr(self, name) <= most:
                raise InputError(f"应为 {least} 至 {most} 秒", f"it has to be {least} to {most} seconds", where=name)
        for name, known in {"require": ASSURANCES, "evidence": EVIDENCE}.items():
            if not set(getattr(self, name)) <= set(known):
                raise InputError(f"只能是 {', '.join(known)}", f"it has only {', '.join(known)}", where=name)
        for name in ("paths", "numbers", "nodes", "input"):
            members(dict(getattr(self, name)), (), name, optional=TRANSACTIONS)
        self._check_additions()

    def _check_additions(self) -> None:
        """What a site adds to messages is JSON, and replaces nothing that a message has to say by itself."""
        ours = {"envelope": set(members_of(Envelope))}
        for number in self.input:
            table = members_of(TRANSACTIONS[number].question)
            ours[f"input.{number}"] = {name for name, member in table.items() if member.required}
        for place, added in {"envelope": self.envelope, **{f"input.{n}": self.input[n] for n in self.input}}.items():
            for name, value in added.items():
                if name in ours[place]:
                    raise InputError(
                        "由程序填写，不能改写", "the program fills this in itself", where=f"{place}.{name}"
                    )
                if not _is_json(value):
                    raise InputError(
                        "只能是文本、数、true 或 false，或由它们组成的表和列表",
                        "it has to be text, a number, true or false, or a table or list of such",
                        where=f"{place}.{name}",
                    )

    def _check_url(self) -> None:
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("https", "http") or parts.username or parts.query or parts.fragment:
            raise InputError(
                "应为 https:// 开头的网址", "it has to be an address that begins with https://", where="url"
            )
        check_host(host, "url")
        if parts.scheme == "http" and not self.plain_http and host not in _LOCAL:
            raise InputError(
                "不加密的 http 只能用于本机；确为专线时设 plain_http = true",
                "http without encryption is for this machine only; for a dedicated line set plain_http = true",
                where="url",
            )

    @classmethod
    def from_dict(cls, table: object, where: str = "medical") -> Self:
        """The site out of its table, called ``where``; `InputError` names the place and the nearest known member."""
        given = dict(members(table, _REQUIRED, where, optional=_KNOWN))
        try:
            for name, value in given.items():
                _check_type(name, value)
            layers = [_layer(layer, f"layers[{number}]") for number, layer in enumerate(given.pop("layers", ()))]
            policy = Resilience.from_dict(given.pop("resilience", {}))
            return cls(name=where, resilience=policy, layers=tuple(layers), **given)
        except (InputError, KeyUseError) as error:
            place = f"{where}.{error.where}" if error.where else where
            raise InputError(*error.text, where=place) from None

    def url_of(self, number: str) -> str:
        """Where messages of the transaction ``number`` go."""
        path = self.paths.get(number) or self.path or TRANSACTIONS[number].path
        return self.url.rstrip("/") + "/" + path.replace("{infno}", self.numbers.get(number, number)).lstrip("/")


_REQUIRED = ("url", "fixmedins_code", "fixmedins_name", "mdtrtarea_admvs", "opter", "opter_name")
_KNOWN = tuple(name for name in Site.__dataclass_fields__ if name not in (*_REQUIRED, "name"))
_TABLES = ("paths", "numbers", "nodes", "envelope", "input", "resilience")
_LISTS = (
    "layers",
    "unclear",
    "not_insured",
    "already_reversed",
    "nothing_to_reverse",
    "insurances",
    "require",
    "evidence",
)
_NUMBERS = ("settle_timeout", "absent_after")


def _check_type(name: str, value: object) -> None:
    """What TOML would let pass as something else."""
    if name in _TABLES:
        right = isinstance(value, dict)
        if name in ("paths", "numbers", "nodes") and isinstance(value, dict):
            right = all(isinstance(item, str) for item in value.values())
        if name == "input" and isinstance(value, dict):
            right = all(isinstance(item, dict) for item in value.values())
        kind = ("表", "a table")
    elif name in _LISTS:
        item_type = dict if name == "layers" else str
        right = isinstance(value, list) and all(isinstance(item, item_type) and item for item in value)
        kind = ("列表", "a list")
    elif name in _FLAGS:
        right, kind = isinstance(value, bool), ("true 或 false", "true or false")
    elif name in _NUMBERS:
        right, kind = isinstance(value, int | float) and not isinstance(value, bool), ("数字", "a number")
    else:
        right, kind = isinstance(value, str), ("字符串", "a string")
    if not right:
        raise InputError(f"应为{kind[0]}", f"it has to be {kind[1]}", where=name)


def _is_json(value: object) -> bool:
    """Whether JSON has such a value: TOML has dates, infinity and NaN besides."""
    if isinstance(value, dict):
        return all(map(_is_json, value.values()))
    if isinstance(value, list):
        return all(map(_is_json, value))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _layer(table: Mapping[str, Any], where: str) -> Layer:
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in _LAYERS:
        known = ", ".join(_LAYERS)
        raise InputError(f"kind 只能是 {known}", f"kind is one of {known}", where=where)
    required, optional, make = _LAYERS[kind]
    given = dict(members(table, ("kind", *required), where, optional=optional))
    del given["kind"]
    for name, value in given.items():
        if not isinstance(value, bool if name == "upper" else str):
            raise InputError("类型不对", "it has the wrong type", where=f"{where}.{name}")
        if name in _IN_HEADERS and not re.fullmatch("[ -~]*", str(value)):
            raise InputError("只能是 ASCII 字符", "it has to be printable ASCII", where=f"{where}.{name}")
    try:
        return make(given)
    except (InputError, KeyUseError) as error:
        raise InputError(*error.text, where=f"{where}.{error.where}" if error.where else where) from None


def _x_tif(given: dict[str, Any]) -> Layer:
    return XTif(secret=_secret(given, "secret_env"), **given)


def _csb(given: dict[str, Any]) -> Layer:
    return Csb(secret=_secret(given, "secret_env"), **given)


def _cainfo(given: dict[str, Any]) -> Layer:
    if given.get("scope", "envelope") not in ("envelope", "input"):
        raise InputError("只能是 envelope 或 input", "it is envelope or input", where="scope")
    return Cainfo(key=_private_key(given), **given)


def _sealed(given: dict[str, Any]) -> Layer:
    from juying.crypto.sm2 import Sm2PublicKey

    try:
        platform_key = Sm2PublicKey(bytes.fromhex(given.pop("platform_key")))
    except (ValueError, KeyUseError):
        raise InputError(
            "应为 66 位十六进制的 SM2 压缩公钥",
            "it has to be a compressed SM2 key, 66 hex digits",
            where="platform_key",
        ) from None
    secret, key = _secret(given, "secret_env"), _private_key(given)
    envelope_key(given["app_id"], secret)  # a bad one is found here, not with the first patient
    return SealedEnvelope(secret=secret, key=key, platform_key=platform_key, **given)


def _secret(given: dict[str, Any], member: str) -> str:
    variable = given.pop(member)
    value = os.environ.get(variable, "")
    if not value:
        raise InputError(
            f"环境变量 {variable} 未设置或为空",
            f"the environment variable {variable} is not set, or empty",
            where=member,
        )
    return value


def _private_key(given: dict[str, Any]) -> Any:
    """An SM2 key out of a PEM file; the pass phrase is in the environment."""
    from juying.crypto import pem
    from juying.crypto.sm2 import Sm2PrivateKey

    path = Path(given.pop("key_file"))
    password = _secret(given, "key_password_env") if "key_password_env" in given else None
    try:
        key = pem.decode(path.read_bytes(), password)
    except (OSError, ValueError):
        key = None
    if not isinstance(key, Sm2PrivateKey):
        raise InputError(
            "不是可用的 SM2 私钥文件，或口令缺失、多余或不对",
            "this is no SM2 private key that can be used, or its pass phrase is missing, needless or wrong",
            where="key_file",
        )
    return key


_LAYERS = {
    "x-tif": (("paasid", "secret_env"), ("upper",), _x_tif),
    "csb": (("api_name", "access_key", "secret_env"), ("api_version",), _csb),
    "cainfo": (("key_file",), ("key_password_env", "scope"), _cainfo),
    "sealed": (
        ("app_id", "secret_env", "key_file", "platform_key"),
        ("key_password_env", "app_field", "version", "upper"),
        _sealed,
    ),
}
"""Of each kind what it has to have, what it may have, and what makes it."""
_IN_HEADERS = ("paasid", "api_name", "access_key", "api_version")
"""Members that stand in the headers of messages."""


def load_sites(table: Mapping[str, Any]) -> tuple[Site, ...]:
    """The sites of the table ``[medical]``: one for each ``[medical.NAME]``. Raises `InputError`."""
    if not isinstance(table, dict) or not table or not all(isinstance(site, dict) for site in table.values()):
        raise InputError(
            "需要每个医疗机构一张表，如 [medical.hospital]",
            "a table for each institution is needed, such as [medical.hospital]",
            where="medical",
        )
    return tuple(Site.from_dict(site, f"medical.{name}") for name, site in table.items())
