"""Signing in and out (9001, 9002), who somebody is and how insured (1101), and what is paid for (2001)."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from juying.services.medical.fields import Amount, Chars, Day, Moment, One, Record, Rows


class Credential(StrEnum):
    """就诊凭证类型, by which somebody shows who he is."""

    VOUCHER = "01"
    """Medical e-voucher (医保电子凭证): the number is its token, never the QR code."""
    IDENTITY_CARD = "02"
    SOCIAL_SECURITY_CARD = "03"
    """The number is that of the card (社会保障卡卡号), and the chip's 卡识别码 goes with it."""


class InsuranceState(StrEnum):
    """人员参保状态."""

    NOT_INSURED = "0"
    NORMAL = "1"
    PAUSED = "2"
    INVALID = "3"
    TERMINATED = "4"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SignIn(Record):
    """9001 签到: once for each clerk and day."""

    opter_no: Annotated[str, Chars(20, "操作员编号")]
    mac: Annotated[str, Chars(20, "网卡地址")]
    ip: Annotated[str, Chars(20, "IP 地址")]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SignedIn(Record):
    """The answer to 9001: the number that every later message carries."""

    sign_no: Annotated[str, Chars(30, "签到编号")]
    sign_time: Annotated[datetime | None, Moment("签到时间")] = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SignOut(Record):
    """9002 签退."""

    sign_no: Annotated[str, Chars(30, "签到编号")]
    opter_no: Annotated[str, Chars(20, "操作员编号")]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Nothing(Record):
    """The answer of transactions that have no output."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PersonQuery(Record):
    """1101 人员基本信息获取. The card number is not the person's number; see `Credential`."""

    mdtrt_cert_type: Annotated[str, Chars(3, "就诊凭证类型")]
    mdtrt_cert_no: Annotated[str, Chars(50, "就诊凭证编号")]
    card_sn: Annotated[str, Chars(32, "卡识别码")] = ""
    begntime: Annotated[datetime | None, Moment("开始时间")] = None
    psn_cert_type: Annotated[str, Chars(6, "人员证件类型")] = ""
    certno: Annotated[str, Chars(50, "证件号码")] = ""
    psn_name: Annotated[str, Chars(50, "人员姓名")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BasicInformation(Record):
    """Who it is. What a locality stores as a foreigner's certificate differs: read it here, do not assume it."""

    psn_no: Annotated[str, Chars(30, "人员编号")]
    psn_cert_type: Annotated[str, Chars(6, "人员证件类型", digits=2)] = ""
    certno: Annotated[str, Chars(50, "证件号码")] = ""
    psn_name: Annotated[str, Chars(50, "人员姓名")] = ""
    gend: Annotated[str, Chars(6, "性别")] = ""
    naty: Annotated[str, Chars(3, "民族", digits=2)] = ""
    brdy: Annotated[date | None, Day("出生日期")] = None
    age: Annotated[Decimal | None, Amount(4, 1, "年龄")] = None
    exp_content: Annotated[str, Chars(4000, "字段扩展")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Insurance(Record):
    """One insurance of a person; people have several, old ones among them. Early versions leave the state out."""

    insutype: Annotated[str, Chars(6, "险种类型")]
    balc: Annotated[Decimal | None, Amount(16, 2, "余额")] = None
    psn_type: Annotated[str, Chars(6, "人员类别")] = ""
    psn_insu_stas: Annotated[str, Chars(6, "人员参保状态")] = ""
    psn_insu_date: Annotated[date | None, Day("个人参保日期")] = None
    paus_insu_date: Annotated[date | None, Day("暂停参保日期")] = None
    cvlserv_flag: Annotated[str, Chars(3, "公务员标志")] = ""
    insuplc_admdvs: Annotated[str, Chars(6, "参保地医保区划")] = ""
    emp_name: Annotated[str, Chars(200, "单位名称")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SpecialIdentity(Record):
    """A special status of a person."""

    psn_idet_type: Annotated[str, Chars(3, "人员身份类别")] = ""
    psn_type_lv: Annotated[str, Chars(3, "人员类别等级")] = ""
    memo: Annotated[str, Chars(500, "备注")] = ""
    begntime: Annotated[datetime | None, Moment("开始时间")] = None
    endtime: Annotated[datetime | None, Moment("结束时间")] = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Person(Record):
    """The answer to 1101."""

    baseinfo: Annotated[BasicInformation, One(BasicInformation, "基本信息")]
    insuinfo: Annotated[tuple[Insurance, ...], Rows(Insurance, "参保信息")] = ()
    idetinfo: Annotated[tuple[SpecialIdentity, ...], Rows(SpecialIdentity, "身份信息")] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class BenefitQuery(Record):
    """2001 待遇享受检查."""

    psn_no: Annotated[str, Chars(30, "人员编号")]
    insutype: Annotated[str, Chars(6, "险种类型")]
    fixmedins_code: Annotated[str, Chars(12, "定点医药机构编号")]
    med_type: Annotated[str, Chars(6, "医疗类别")]
    begntime: Annotated[datetime, Moment("开始时间")]
    endtime: Annotated[datetime | None, Moment("结束时间")] = None
    dise_codg: Annotated[str, Chars(30, "病种编码")] = ""
    dise_name: Annotated[str, Chars(500, "病种名称")] = ""
    oprn_oprt_code: Annotated[str, Chars(30, "手术操作代码")] = ""
    oprn_oprt_name: Annotated[str, Chars(500, "手术操作名称")] = ""
    matn_type: Annotated[str, Chars(6, "生育类别")] = ""
    birctrl_type: Annotated[str, Chars(6, "计划生育手术类别")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Benefit(Record):
    """Whether one fund pays for somebody. ``trt_chk_type`` 01 is the check of a fund, 99 another."""

    trt_enjymnt_flag: Annotated[str, Chars(3, "基金款项待遇享受标志")]
    psn_no: Annotated[str, Chars(30, "人员编号")] = ""
    trt_chk_type: Annotated[str, Chars(6, "待遇检查类型", digits=2)] = ""
    fund_pay_type: Annotated[str, Chars(6, "基金支付类型")] = ""
    begndate: Annotated[date | None, Day("开始日期")] = None
    enddate: Annotated[date | None, Day("结束日期")] = None
    trt_chk_rslt: Annotated[str, Chars(500, "待遇检查结果")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Benefits(Record):
    """The answer to 2001."""

    trtinfo: Annotated[tuple[Benefit, ...], Rows(Benefit, "待遇享受信息")] = ()
