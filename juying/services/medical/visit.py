"""A visit of an outpatient, from registration (2201) over diagnoses (2203) and charges (2204) to their withdrawal."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from juying.services.medical.fields import Amount, Chars, Day, Moment, One, Record, Rows

ALL_BATCHES = "0000"
"""In the place of a 收费批次号 in 2205: everything that is not settled yet."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Registration(Record):
    """2201 门诊挂号. ``ipt_otp_no`` is the hospital's own number of the visit, unique in the hospital."""

    psn_no: Annotated[str, Chars(30, "人员编号")]
    insutype: Annotated[str, Chars(6, "险种类型")]
    begntime: Annotated[datetime, Moment("挂号时间")]
    mdtrt_cert_type: Annotated[str, Chars(3, "就诊凭证类型")]
    mdtrt_cert_no: Annotated[str, Chars(50, "就诊凭证编号")]
    ipt_otp_no: Annotated[str, Chars(30, "住院/门诊号")]
    atddr_no: Annotated[str, Chars(30, "医师编码")]
    dr_name: Annotated[str, Chars(50, "医师姓名")]
    dept_code: Annotated[str, Chars(30, "科室编码")]
    dept_name: Annotated[str, Chars(100, "科室名称")]
    caty: Annotated[str, Chars(6, "科别")]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Registered(Record):
    """The answer to 2201: the number of the visit."""

    mdtrt_id: Annotated[str, Chars(30, "就诊ID")]
    psn_no: Annotated[str, Chars(30, "人员编号")] = ""
    ipt_otp_no: Annotated[str, Chars(30, "住院/门诊号")] = ""
    exp_content: Annotated[str, Chars(4000, "字段扩展")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Withdrawal(Record):
    """2202 挂号撤销, as long as nothing is settled."""

    psn_no: Annotated[str, Chars(30, "人员编号")]
    mdtrt_id: Annotated[str, Chars(30, "就诊ID")]
    ipt_otp_no: Annotated[str, Chars(30, "住院/门诊号")]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class VisitInformation(Record):
    """What a visit was for."""

    mdtrt_id: Annotated[str, Chars(30, "就诊ID")]
    psn_no: Annotated[str, Chars(30, "人员编号")]
    med_type: Annotated[str, Chars(6, "医疗类别")]
    begntime: Annotated[datetime, Moment("开始时间")]
    main_cond_dscr: Annotated[str, Chars(1000, "主要病情描述")] = ""
    dise_codg: Annotated[str, Chars(30, "病种编码")] = ""
    dise_name: Annotated[str, Chars(500, "病种名称")] = ""
    birctrl_type: Annotated[str, Chars(6, "计划生育手术类别")] = ""
    birctrl_matn_date: Annotated[date | None, Day("计划生育手术或生育日期")] = None
    matn_type: Annotated[str, Chars(6, "生育类别")] = ""
    geso_val: Annotated[Decimal | None, Amount(2, 0, "孕周数")] = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Diagnosis(Record):
    """One diagnosis of a visit."""

    diag_type: Annotated[str, Chars(3, "诊断类别")]
    diag_srt_no: Annotated[str, Chars(2, "诊断排序号")]
    diag_code: Annotated[str, Chars(20, "诊断代码")]
    diag_name: Annotated[str, Chars(100, "诊断名称")]
    diag_dept: Annotated[str, Chars(50, "诊断科室")]
    dise_dor_no: Annotated[str, Chars(30, "诊断医生编码")]
    dise_dor_name: Annotated[str, Chars(50, "诊断医生姓名")]
    diag_time: Annotated[datetime, Moment("诊断时间")]
    vali_flag: Annotated[str, Chars(3, "有效标志")] = "1"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Visit(Record):
    """2203 门诊就诊信息上传 (2203A in some regions)."""

    mdtrtinfo: Annotated[VisitInformation, One(VisitInformation, "就诊信息")]
    diseinfo: Annotated[tuple[Diagnosis, ...], Rows(Diagnosis, "诊断信息")]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Charge(Record):
    """One line of a bill. All lines of a 收费批次号 have the same ``dise_codg``."""

    feedetl_sn: Annotated[str, Chars(30, "费用明细流水号")]
    mdtrt_id: Annotated[str, Chars(30, "就诊ID")]
    psn_no: Annotated[str, Chars(30, "人员编号")]
    chrg_bchno: Annotated[str, Chars(30, "收费批次号")]
    rx_circ_flag: Annotated[str, Chars(3, "外购处方标志")]
    fee_ocur_time: Annotated[datetime, Moment("费用发生时间")]
    med_list_codg: Annotated[str, Chars(50, "医疗目录编码")]
    medins_list_codg: Annotated[str, Chars(150, "医药机构目录编码")]
    det_item_fee_sumamt: Annotated[Decimal, Amount(16, 2, "明细项目费用总额")]
    cnt: Annotated[Decimal, Amount(16, 4, "数量")]
    pric: Annotated[Decimal, Amount(16, 6, "单价")]
    bilg_dept_codg: Annotated[str, Chars(30, "开单科室编码")]
    bilg_dept_name: Annotated[str, Chars(100, "开单科室名称")]
    bilg_dr_codg: Annotated[str, Chars(30, "开单医生编码")]
    bilg_dr_name: Annotated[str, Chars(50, "开单医师姓名")]
    hosp_appr_flag: Annotated[str, Chars(3, "医院审批标志")]
    dise_codg: Annotated[str, Chars(30, "病种编码")] = ""
    rxno: Annotated[str, Chars(30, "处方号")] = ""
    sin_dos_dscr: Annotated[str, Chars(200, "单次剂量描述")] = ""
    used_frqu_dscr: Annotated[str, Chars(200, "使用频次描述")] = ""
    prd_days: Annotated[Decimal | None, Amount(4, 2, "周期天数")] = None
    medc_way_dscr: Annotated[str, Chars(200, "用药途径描述")] = ""
    acord_dept_codg: Annotated[str, Chars(30, "受单科室编码")] = ""
    acord_dept_name: Annotated[str, Chars(100, "受单科室名称")] = ""
    orders_dr_code: Annotated[str, Chars(30, "受单医生编码")] = ""
    orders_dr_name: Annotated[str, Chars(50, "受单医生姓名")] = ""
    tcmdrug_used_way: Annotated[str, Chars(6, "中药使用方式")] = ""
    etip_flag: Annotated[str, Chars(3, "外检标志")] = ""
    etip_hosp_code: Annotated[str, Chars(30, "外检医院编码")] = ""
    dscg_tkdrug_flag: Annotated[str, Chars(3, "出院带药标志")] = ""
    matn_fee_flag: Annotated[str, Chars(6, "生育费用标志")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Charges(Record):
    """2204 门诊费用明细上传. A ``feedetl_sn`` that was uploaded before is refused: withdraw it by 2205 first."""

    feedetail: Annotated[tuple[Charge, ...], Rows(Charge, "费用明细")]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChargeResult(Record):
    """How the platform sees one line of a bill."""

    feedetl_sn: Annotated[str, Chars(30, "费用明细流水号")]
    det_item_fee_sumamt: Annotated[Decimal | None, Amount(16, 2, "明细项目费用总额")] = None
    cnt: Annotated[Decimal | None, Amount(16, 4, "数量")] = None
    pric: Annotated[Decimal | None, Amount(16, 6, "单价")] = None
    pric_uplmt_amt: Annotated[Decimal | None, Amount(16, 6, "定价上限金额")] = None
    selfpay_prop: Annotated[Decimal | None, Amount(5, 4, "自付比例")] = None
    fulamt_ownpay_amt: Annotated[Decimal | None, Amount(16, 2, "全自费金额")] = None
    overlmt_amt: Annotated[Decimal | None, Amount(16, 2, "超限价金额")] = None
    preselfpay_amt: Annotated[Decimal | None, Amount(16, 2, "先行自付金额")] = None
    inscp_scp_amt: Annotated[Decimal | None, Amount(16, 2, "符合政策范围金额")] = None
    chrgitm_lv: Annotated[str, Chars(3, "收费项目等级")] = ""
    med_chrgitm_type: Annotated[str, Chars(6, "医疗收费项目类别")] = ""
    bas_medn_flag: Annotated[str, Chars(3, "基本药物标志")] = ""
    hi_nego_drug_flag: Annotated[str, Chars(3, "医保谈判药品标志")] = ""
    chld_medc_flag: Annotated[str, Chars(3, "儿童用药标志")] = ""
    list_sp_item_flag: Annotated[str, Chars(3, "目录特项标志")] = ""
    lmt_used_flag: Annotated[str, Chars(3, "限制使用标志")] = ""
    drt_reim_flag: Annotated[str, Chars(3, "直报标志")] = ""
    memo: Annotated[str, Chars(500, "备注")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChargeResults(Record):
    """The answer to 2204."""

    result: Annotated[tuple[ChargeResult, ...], Rows(ChargeResult, "费用明细结果")] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ChargeWithdrawal(Record):
    """2205 门诊费用明细撤销, of one batch or of `ALL_BATCHES`."""

    mdtrt_id: Annotated[str, Chars(30, "就诊ID")]
    chrg_bchno: Annotated[str, Chars(30, "收费批次号")]
    psn_no: Annotated[str, Chars(30, "人员编号")]
