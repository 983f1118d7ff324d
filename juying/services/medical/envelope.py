"""What is around every message: who asks whom about somebody insured where, and how the platform begins its answer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from juying.services.medical.fields import Chars, Moment, Raw, Record


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Envelope(Record):
    """A request. One of the two area codes lacks a d: that is how the standard spells them."""

    infno: Annotated[str, Chars(6, "交易编号")]
    msgid: Annotated[str, Chars(30, "发送方报文ID")]
    mdtrtarea_admvs: Annotated[str, Chars(6, "就医地医保区划")]
    recer_sys_code: Annotated[str, Chars(10, "接收方系统代码")]
    infver: Annotated[str, Chars(6, "接口版本号")]
    opter_type: Annotated[str, Chars(3, "经办人类别")]
    opter: Annotated[str, Chars(30, "经办人")]
    opter_name: Annotated[str, Chars(50, "经办人姓名")]
    inf_time: Annotated[datetime, Moment("交易时间")]
    fixmedins_code: Annotated[str, Chars(12, "定点医药机构编号")]
    fixmedins_name: Annotated[str, Chars(200, "定点医药机构名称")]
    input: Annotated[object, Raw("交易输入")]
    insuplc_admdvs: Annotated[str, Chars(6, "参保地医保区划")] = ""
    dev_no: Annotated[str, Chars(100, "设备编号")] = ""
    dev_safe_info: Annotated[str, Chars(2000, "设备安全信息")] = ""
    cainfo: Annotated[str, Chars(1024, "数字签名信息")] = ""
    signtype: Annotated[str, Chars(10, "签名类型")] = ""
    sign_no: Annotated[str, Chars(30, "交易签到流水号")] = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Reply(Record):
    """An answer. ``infcode`` is 0 for done, -1 for refused and, in some places, 9 for done with a warning."""

    infcode: Annotated[str, Chars(4, "交易状态码")]
    inf_refmsgid: Annotated[str, Chars(30, "接收方报文ID")] = ""
    refmsg_time: Annotated[str, Chars(17, "接收报文时间")] = ""
    respond_time: Annotated[str, Chars(17, "响应报文时间")] = ""
    err_msg: Annotated[str, Chars(200, "错误信息")] = ""
    warn_msg: Annotated[str, Chars(200, "警告信息")] = ""
    cainfo: Annotated[str, Chars(1024, "数字签名信息")] = ""
    signtype: Annotated[str, Chars(10, "签名类型")] = ""
    output: Annotated[object, Raw("交易输出")] = None
