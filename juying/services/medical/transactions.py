"""The transactions that a hospital needs for an outpatient, each with what goes in and what comes out.

Numbers and names are those of the interface; the paths are the ones that public clients use, spelling mistakes included
(``preSettletment``, ``cancleSettletment``), and a site may have others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from juying.services.medical.fields import Record
from juying.services.medical.person import (
    BenefitQuery,
    Benefits,
    Nothing,
    Person,
    PersonQuery,
    SignedIn,
    SignIn,
    SignOut,
)
from juying.services.medical.settlement import Bill, Order, Reversal, Settled, Undoing
from juying.services.medical.visit import (
    ChargeResults,
    Charges,
    ChargeWithdrawal,
    Registered,
    Registration,
    Visit,
    Withdrawal,
)
from juying.text import Text

Question = TypeVar("Question", bound=Record)
Answer = TypeVar("Answer", bound=Record)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction(Generic[Question, Answer]):
    """A kind of message.

    ``node`` and ``answer_node`` are the members of ``input`` and ``output`` that hold the record, empty when it is the
    whole. ``money``: it moves money, so it is never repeated, and without an answer its outcome is in doubt.
    ``fits`` says whether an answer belongs to the question that was sent with this message id.
    """

    number: str
    title: Text
    question: type[Question]
    answer: type[Answer]
    path: str
    node: str = "data"
    answer_node: str = ""
    money: bool = False
    fits: Callable[[Question, Answer, str], bool] = lambda question, answer, message_id: True


def _settled_fits(question: Order | Undoing, answer: Settled, message_id: str) -> bool:
    """Whether a settlement is of this visit, person and message, as far as the answer names them.

    ``medins_setl_id`` is the sender's message id; a site that puts a number of its own there is not doubted.
    """
    said, institution = answer.setlinfo, message_id[:12]
    ours = len(said.medins_setl_id) == len(message_id) and said.medins_setl_id.startswith(institution)
    return (
        bool(said.setl_id)
        and said.mdtrt_id in ("", question.mdtrt_id)
        and said.psn_no in ("", question.psn_no)
        and (not ours or said.medins_setl_id == message_id)
    )


_OUTPATIENT = "/fsi/api/outpatientDocInfoService/"
_SETTLEMENT = "/fsi/api/outpatientSettleService/"

SIGN_IN = Transaction(
    number="9001",
    title=Text("签到", "sign in"),
    question=SignIn,
    answer=SignedIn,
    path="/fsi/api/signInSignOutService/signIn",
    node="signIn",
    answer_node="signinoutb",
)
SIGN_OUT = Transaction(
    number="9002",
    title=Text("签退", "sign out"),
    question=SignOut,
    answer=Nothing,
    path="/fsi/api/signInSignOutService/signOut",
    node="signOut",
)
PERSON = Transaction(
    number="1101",
    title=Text("人员信息获取", "person"),
    question=PersonQuery,
    answer=Person,
    path="/fsi/api/fsiPsnInfoService/queryPsnInfo",
)
BENEFITS = Transaction(
    number="2001",
    title=Text("待遇享受检查", "benefits"),
    question=BenefitQuery,
    answer=Benefits,
    path="/fsi/api/fsiPsnPriorityInfoService/queryPsnPriorityInfo",
)
REGISTER = Transaction(
    number="2201",
    title=Text("门诊挂号", "registration"),
    question=Registration,
    answer=Registered,
    path=_OUTPATIENT + "outpatientRregistration",
    answer_node="data",
)
WITHDRAW = Transaction(
    number="2202",
    title=Text("门诊挂号撤销", "withdrawal of a registration"),
    question=Withdrawal,
    answer=Nothing,
    path=_OUTPATIENT + "outpatientRegistrationCancel",
)
UPLOAD_VISIT = Transaction(
    number="2203",
    title=Text("门诊就诊信息上传", "diagnoses"),
    question=Visit,
    answer=Nothing,
    path=_OUTPATIENT + "outpatientMdtrtinfoUp",
    node="",
)
UPLOAD_CHARGES = Transaction(
    number="2204",
    title=Text("门诊费用明细上传", "charges"),
    question=Charges,
    answer=ChargeResults,
    path=_OUTPATIENT + "outpatientFeeListUp",
    node="",
)
WITHDRAW_CHARGES = Transaction(
    number="2205",
    title=Text("门诊费用明细撤销", "withdrawal of charges"),
    question=ChargeWithdrawal,
    answer=Nothing,
    path=_OUTPATIENT + "outpatientFeeListUpCancel",
)
PREVIEW = Transaction(
    number="2206",
    title=Text("门诊预结算", "preview of a settlement"),
    question=Bill,
    answer=Settled,
    path=_SETTLEMENT + "preSettletment",
)
SETTLE = Transaction(
    number="2207",
    title=Text("门诊结算", "settlement"),
    question=Order,
    answer=Settled,
    path=_SETTLEMENT + "saveSettletment",
    money=True,
    fits=_settled_fits,
)
UNDO = Transaction(
    number="2208",
    title=Text("门诊结算撤销", "undoing of a settlement"),
    question=Undoing,
    answer=Settled,
    path=_SETTLEMENT + "cancleSettletment",
    money=True,
    fits=_settled_fits,
)
REVERSE = Transaction(
    number="2601",
    title=Text("冲正", "reversal"),
    question=Reversal,
    answer=Nothing,
    path="/fsi/api/reverseService/revsMethod",
)

TRANSACTIONS = {
    transaction.number: transaction
    for transaction in (
        SIGN_IN,
        SIGN_OUT,
        PERSON,
        BENEFITS,
        REGISTER,
        WITHDRAW,
        UPLOAD_VISIT,
        UPLOAD_CHARGES,
        WITHDRAW_CHARGES,
        PREVIEW,
        SETTLE,
        UNDO,
        REVERSE,
    )
}
