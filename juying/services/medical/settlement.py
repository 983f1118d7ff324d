"""Settling an outpatient's bill: preview (2206), settlement (2207), its undoing (2208), and reversal (2601)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Self

from juying.errors import InputError
from juying.services.medical.fields import Amount, Chars, Day, Moment, One, Record, Rows
from juying.text import Text

TOLERANCE = Decimal("0.01")
"""Yuan by which sums may be off."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bill(Record):
    """2206 门诊预结算: what a settlement would come to. It writes nothing and may be repeated."""

    psn_no: Annotated[str, Chars(30, "人员编号")]
    mdtrt_cert_type: Annotated[str, Chars(3, "就诊凭证类型")]
    mdtrt_cert_no: Annotated[str, Chars(50, "就诊凭证编号")]
    med_type: Annotated[str, Chars(6, "医疗类别")]
    medfee_sumamt: Annotated[Decimal, Amount(16, 2, "医疗费总额")]
    psn_setlway: Annotated[str, Chars(6, "个人结算方式")]
    mdtrt_id: Annotated[str, Chars(30, "就诊ID")]
    chrg_bchno: Annotated[str, Chars(30, "收费批次号")]
    acct_used_flag: Annotated[str, Chars(3, "个人账户使用标志")]
    insutype: Annotated[str, Chars(6, "险种类型")]
    card_sn: Annotated[str, Chars(32, "卡识别码")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Order(Bill):
    """2207 门诊结算: the bill with four amounts of the preview."""

    fulamt_ownpay_amt: Annotated[Decimal, Amount(16, 2, "全自费金额")]
    overlmt_selfpay: Annotated[Decimal, Amount(16, 2, "超限价自费费用")]
    preselfpay_amt: Annotated[Decimal, Amount(16, 2, "先行自付金额")]
    inscp_scp_amt: Annotated[Decimal, Amount(16, 2, "符合政策范围金额")]
    invono: Annotated[str, Chars(20, "发票号")] = ""

    @classmethod
    def of(cls, bill: Bill, preview: "Settled", *, invono: str = "") -> Self:
        """The order for a bill whose preview is at hand. Raises `InputError` when an amount is missing there."""
        amounts = {name: getattr(preview.setlinfo, name) for name in _ECHOED}
        missing = [name for name, amount in amounts.items() if amount is None]
        if missing:
            raise InputError("预结算结果缺少金额", "the preview lacks an amount", where=", ".join(missing))
        return cls(**{name: getattr(bill, name) for name in (*_OF_BILL, "extra")}, **amounts, invono=invono)


_ECHOED = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
_OF_BILL = (
    "psn_no",
    "mdtrt_cert_type",
    "mdtrt_cert_no",
    "med_type",
    "medfee_sumamt",
    "psn_setlway",
    "mdtrt_id",
    "chrg_bchno",
    "acct_used_flag",
    "insutype",
    "card_sn",
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SettlementInformation(Record):
    """What was settled, in yuan; the answers to 2206 (without ``setl_id``), 2207 and 2208 share it.

    In the answer to 2208 ``setl_id`` is the number of the undoing entry; whether its amounts are negative is not
    documented. One spelling of ``psn_cash_pay`` there is ``pdn_cash_pay`` (observed); both are read.
    """

    mdtrt_id: Annotated[str, Chars(30, "就诊ID")] = ""
    setl_id: Annotated[str, Chars(30, "结算ID")] = ""
    psn_no: Annotated[str, Chars(30, "人员编号")] = ""
    psn_name: Annotated[str, Chars(50, "人员姓名")] = ""
    psn_cert_type: Annotated[str, Chars(6, "人员证件类型", digits=2)] = ""
    certno: Annotated[str, Chars(50, "证件号码")] = ""
    gend: Annotated[str, Chars(6, "性别")] = ""
    naty: Annotated[str, Chars(3, "民族", digits=2)] = ""
    brdy: Annotated[date | None, Day("出生日期")] = None
    age: Annotated[Decimal | None, Amount(4, 1, "年龄")] = None
    insutype: Annotated[str, Chars(6, "险种类型")] = ""
    psn_type: Annotated[str, Chars(6, "人员类别")] = ""
    cvlserv_flag: Annotated[str, Chars(3, "公务员标志")] = ""
    setl_time: Annotated[datetime | None, Moment("结算时间")] = None
    mdtrt_cert_type: Annotated[str, Chars(3, "就诊凭证类型", digits=2)] = ""
    med_type: Annotated[str, Chars(6, "医疗类别")] = ""
    medfee_sumamt: Annotated[Decimal | None, Amount(16, 2, "医疗费总额")] = None
    fulamt_ownpay_amt: Annotated[Decimal | None, Amount(16, 2, "全自费金额")] = None
    overlmt_selfpay: Annotated[Decimal | None, Amount(16, 2, "超限价自费费用")] = None
    preselfpay_amt: Annotated[Decimal | None, Amount(16, 2, "先行自付金额")] = None
    inscp_scp_amt: Annotated[Decimal | None, Amount(16, 2, "符合政策范围金额")] = None
    act_pay_dedc: Annotated[Decimal | None, Amount(16, 2, "实际支付起付线")] = None
    hifp_pay: Annotated[Decimal | None, Amount(16, 2, "基本医疗保险统筹基金支出")] = None
    pool_prop_selfpay: Annotated[Decimal | None, Amount(5, 4, "基本医疗保险统筹基金支付比例")] = None
    cvlserv_pay: Annotated[Decimal | None, Amount(16, 2, "公务员医疗补助资金支出")] = None
    hifes_pay: Annotated[Decimal | None, Amount(16, 2, "企业补充医疗保险基金支出")] = None
    hifmi_pay: Annotated[Decimal | None, Amount(16, 2, "居民大病保险资金支出")] = None
    hifob_pay: Annotated[Decimal | None, Amount(16, 2, "职工大额医疗费用补助基金支出")] = None
    maf_pay: Annotated[Decimal | None, Amount(16, 2, "医疗救助基金支出")] = None
    oth_pay: Annotated[Decimal | None, Amount(16, 2, "其他支出")] = None
    fund_pay_sumamt: Annotated[Decimal | None, Amount(16, 2, "基金支付总额")] = None
    psn_part_amt: Annotated[Decimal | None, Amount(16, 2, "个人负担总金额")] = None
    acct_pay: Annotated[Decimal | None, Amount(16, 2, "个人账户支出")] = None
    psn_cash_pay: Annotated[Decimal | None, Amount(16, 2, "个人现金支出")] = None
    pdn_cash_pay: Annotated[Decimal | None, Amount(16, 2, "个人现金支出")] = None
    hosp_part_amt: Annotated[Decimal | None, Amount(16, 2, "医院负担金额")] = None
    balc: Annotated[Decimal | None, Amount(16, 2, "余额")] = None
    acct_mulaid_pay: Annotated[Decimal | None, Amount(16, 2, "个人账户共济支付金额")] = None
    medins_setl_id: Annotated[str, Chars(30, "医药机构结算ID")] = ""
    clr_optins: Annotated[str, Chars(6, "清算经办机构")] = ""
    clr_way: Annotated[str, Chars(6, "清算方式")] = ""
    clr_type: Annotated[str, Chars(6, "清算类别")] = ""

    @property
    def cash(self) -> Decimal | None:
        """What the person pays in cash, whichever way it was spelt."""
        return self.pdn_cash_pay if self.psn_cash_pay is None else self.psn_cash_pay

    def contradictions(self) -> Iterator[Text]:
        """Sums that are off by more than `TOLERANCE`, as far as all their parts are there: worth a warning, no more.

        The sums follow from the meaning of the fields; no document states them (our derivation).
        """
        for total, parts in _SUMS.items():
            sum_of = [getattr(self, name) for name in parts]
            stated = getattr(self, total)
            if stated is not None and None not in sum_of[:2]:
                off = abs(stated - sum((amount or Decimal(0) for amount in sum_of), Decimal(0)))
                if off > TOLERANCE:
                    yield Text(f"{total} 与分项之和不符", f"{total} is not the sum of its parts")


_SUMS = {
    "medfee_sumamt": ("fund_pay_sumamt", "psn_part_amt", "hosp_part_amt"),
    "psn_part_amt": ("acct_pay", "cash", "acct_mulaid_pay"),
    "fund_pay_sumamt": (
        "hifp_pay",
        "cvlserv_pay",
        "hifes_pay",
        "hifmi_pay",
        "hifob_pay",
        "maf_pay",
        "oth_pay",
    ),
}
"""Of each the first two parts are always stated, the others where they exist."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class FundPayment(Record):
    """What one fund paid."""

    fund_pay_type: Annotated[str, Chars(6, "基金支付类型")] = ""
    inscp_scp_amt: Annotated[Decimal | None, Amount(16, 2, "符合政策范围金额")] = None
    crt_payb_lmt_amt: Annotated[Decimal | None, Amount(16, 2, "本次可支付限额金额")] = None
    fund_payamt: Annotated[Decimal | None, Amount(16, 2, "基金支付金额")] = None
    fund_pay_type_name: Annotated[str, Chars(200, "基金支付类型名称")] = ""
    setl_proc_info: Annotated[str, Chars(4000, "结算过程信息")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settled(Record):
    """The answer to 2206, 2207 and 2208."""

    setlinfo: Annotated[SettlementInformation, One(SettlementInformation, "结算信息")]
    setldetail: Annotated[tuple[FundPayment, ...], Rows(FundPayment, "结算基金分项信息")] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Undoing(Record):
    """2208 门诊结算撤销, of a settlement whose number is known."""

    setl_id: Annotated[str, Chars(30, "结算ID")]
    mdtrt_id: Annotated[str, Chars(30, "就诊ID")]
    psn_no: Annotated[str, Chars(30, "人员编号")]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reversal(Record):
    """2601 冲正, of a message whose outcome is not known: 2207, 2208 and some of pharmacies and wards."""

    psn_no: Annotated[str, Chars(30, "人员编号")]
    omsgid: Annotated[str, Chars(30, "原发送方报文ID")]
    oinfno: Annotated[str, Chars(6, "原交易编号")]
