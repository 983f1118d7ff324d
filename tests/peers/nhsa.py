"""A gateway of the national insurance platform, with invented people and a ledger of its own, and every bad habit.

``python -m tests.peers.nhsa [--port N] [--habit NAME]... [--sign-in] [--x-tif-secret TEXT] [--certificate PEM]``

Lines of JSON on standard input tell it more:

``{"habit": NAME, "infno": "2207", "times": 1}``  plays a habit, for one kind of message, so many times
``{"book": true}``      books what the habit ``books-late`` has put aside
``{"idle": true}``       answers when everything that has come is dealt with
``{"ledger": true}``    answers with every settlement and its state, and the numbers of all messages that came
``{"reset": true}``     forgets habits, ledger and messages

It books whatever it is sent, also the same bill twice: that this never happens is the client's business.
"""

import argparse
import hashlib
import hmac
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

Document = dict[str, Any]

AREA = "331002"
CARD_IDENTIFIER = "331000D15600000500" + "A1B2C3D4E5F607"
ANNA = "33100000000000000000100001"


def _person(number: str, name: str, *insurances: Document, **more: Any) -> Document:
    base = {
        "psn_no": number,
        "psn_cert_type": "08",
        "certno": "L898902C3",
        "psn_name": name,
        "gend": "2",
        "naty": "99",
        "brdy": "1974-08-12",
        "age": 52.0,
    }
    return {"baseinfo": {**base, **more}, "insuinfo": list(insurances), "idetinfo": []}


def _insured(kind: str = "310", **more: Any) -> Document:
    return {
        "insutype": kind,
        "balc": 1234.5,
        "psn_type": "1101",
        "psn_insu_stas": "1",
        "psn_insu_date": "2025-01-01",
        "paus_insu_date": None,
        "cvlserv_flag": "0",
        "insuplc_admdvs": AREA,
        "emp_name": "椒江样本医药研究院",
        **more,
    }


PEOPLE = {
    "A10000001": _person(ANNA, "ERIKSSON ANNA MARIA", _insured()),
    "JYX000010": _person(ANNA, "ERIKSSON ANNA MARIA", _insured()),
    "A10000002": _person(ANNA[:-1] + "2", "PAUSED PETRA", _insured(psn_insu_stas="2", paus_insu_date="2026-03-01")),
    "A10000003": _person(ANNA[:-1] + "3", "NOBODY NORA"),
    "A10000004": _person(ANNA[:-1] + "4", "REMOTE RITA", _insured(insuplc_admdvs="330106")),
    "A10000005": _person(ANNA[:-1] + "5", "ACCOUNT ADA", _insured()),
    "A10000006": _person(
        ANNA[:-1] + "6",
        "MANY MONA",
        _insured("510"),
        _insured("390", psn_insu_stas="2", paus_insu_date="2025-01-01"),
        _insured("310"),
    ),
    "A10000007": _person(ANNA[:-1] + "7", "ENDED ELLA", _insured(psn_insu_stas="4")),
    "A10000008": _person(ANNA[:-1] + "8", "UNENTITLED UMA", _insured(balc=0)),
    "A10000009": _person(ANNA[:-1] + "9", "FUTURE FREYA", _insured(psn_insu_date="2099-01-01")),
}
TOKENS = {"TOKEN-ANNA": "A10000001"}
ACCOUNT_ONLY, UNENTITLED = ANNA[:-1] + "5", ANNA[:-1] + "8"


class Refusal(Exception):
    """The platform says no."""


@dataclass
class Platform:
    """What the platform knows and does."""

    wants_sign_in: bool = False
    x_tif_secret: str = ""
    settlements: list[Document] = field(default_factory=list)
    undoings: list[Document] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    visits: dict[str, Document] = field(default_factory=dict)
    charges: dict[str, Document] = field(default_factory=dict)
    put_aside: list[Document] = field(default_factory=list)
    reversed_is_gone: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: Any = field(default_factory=lambda: count(1))

    def answer(self, envelope: Document) -> Any:
        """The output for a message; `Refusal` for a no."""
        number = envelope["infno"]
        if self.wants_sign_in and number != "9001" and envelope.get("sign_no") != "S0001":
            raise Refusal("未签到")
        content = envelope["input"]
        if isinstance(content, str):
            content = json.loads(content, parse_float=Decimal)
        with self.lock:
            return getattr(self, f"do_{number[:4]}")(content, envelope)

    def do_9001(self, content: Document, _: Document) -> Any:
        if not content["signIn"]["opter_no"]:
            raise Refusal("操作员不存在")
        return {"signinoutb": {"sign_time": "2026-12-01 08:00:00", "sign_no": "S0001"}}

    def do_9002(self, content: Document, _: Document) -> Any:
        if content["signOut"]["sign_no"] != "S0001":
            raise Refusal("签到编号不存在")
        return None

    def do_1101(self, content: Document, _: Document) -> Any:
        data = content["data"]
        card = data["mdtrt_cert_no"]
        if data["mdtrt_cert_type"] == "01":
            card = TOKENS.get(card, "")
        elif data["card_sn"] != CARD_IDENTIFIER:
            raise Refusal("卡识别码校验失败")
        if card not in PEOPLE:
            raise Refusal("人员信息不存在")
        return json.loads(json.dumps(PEOPLE[card]))

    def do_2001(self, content: Document, envelope: Document) -> Any:
        data = content["data"]
        if not envelope.get("insuplc_admdvs"):
            raise Refusal("参保地医保区划不能为空")
        pooled = "0" if data["psn_no"] in (ACCOUNT_ONLY, UNENTITLED) else "1"
        row = {
            "psn_no": data["psn_no"],
            "trt_chk_type": "01",
            "fund_pay_type": "310100",
            "trt_enjymnt_flag": pooled,
            "begndate": "2025-01-01",
            "enddate": None,
            "trt_chk_rslt": "" if pooled == "1" else "待遇等待期内",
        }
        return {"trtinfo": [row, {**row, "trt_chk_type": "99", "fund_pay_type": "", "trt_enjymnt_flag": "0"}]}

    def do_2201(self, content: Document, _: Document) -> Any:
        data = content["data"]
        visit = f"V{next(self.numbers):06}"
        self.visits[visit] = data
        return {"data": {"mdtrt_id": visit, "psn_no": data["psn_no"], "ipt_otp_no": data["ipt_otp_no"]}}

    def do_2202(self, content: Document, _: Document) -> Any:
        visit = content["data"]["mdtrt_id"]
        if any(entry["mdtrt_id"] == visit and entry["state"] == "booked" for entry in self.settlements):
            raise Refusal("已结算，不能撤销挂号")
        self.visits.pop(visit)

    def do_2203(self, content: Document, _: Document) -> Any:
        if content["mdtrtinfo"]["mdtrt_id"] not in self.visits:
            raise Refusal("就诊信息不存在")

    def do_2204(self, content: Document, _: Document) -> Any:
        for line in content["feedetail"]:
            if line["feedetl_sn"] in self.charges:
                raise Refusal("费用明细流水号重复")
        self.charges |= {line["feedetl_sn"]: line for line in content["feedetail"]}
        return {
            "result": [
                {
                    "feedetl_sn": line["feedetl_sn"],
                    "det_item_fee_sumamt": _amount(line["det_item_fee_sumamt"]),
                    "cnt": _amount(line["cnt"]),
                    "pric": _amount(line["pric"]),
                    "selfpay_prop": 0.1,
                    "chrgitm_lv": "02",
                    "med_chrgitm_type": "09",
                    "lmt_used_flag": "0",
                }
                for line in content["feedetail"]
            ]
        }

    def do_2205(self, content: Document, _: Document) -> Any:
        data = content["data"]
        for number, line in list(self.charges.items()):
            if line["mdtrt_id"] == data["mdtrt_id"] and data["chrg_bchno"] in ("0000", line["chrg_bchno"]):
                del self.charges[number]

    def do_2206(self, content: Document, _: Document) -> Any:
        return _settlement(content["data"], "")

    def do_2207(self, content: Document, envelope: Document) -> Any:
        return self.book(content["data"], envelope["msgid"])

    def book(self, data: Document, message: str) -> Document:
        """Settle, without asking whether it was done before."""
        with self.lock:
            number = f"S{next(self.numbers):08}"
            self.settlements.append(
                {
                    "msgid": message,
                    "setl_id": number,
                    "mdtrt_id": data["mdtrt_id"],
                    "chrg_bchno": data["chrg_bchno"],
                    "amount": str(data["medfee_sumamt"]),
                    "state": "booked",
                }
            )
        answer = _settlement(data, number)
        answer["setlinfo"]["medins_setl_id"] = message
        return answer

    def do_2208(self, content: Document, envelope: Document) -> Any:
        data = content["data"]
        for entry in self.settlements:
            if entry["setl_id"] == data["setl_id"] and entry["state"] == "booked":
                entry["state"] = "undone"
                self.undoings.append({"msgid": envelope["msgid"], "setl_id": data["setl_id"], "state": "booked"})
                number = f"U{next(self.numbers):08}"
                amounts = {"medfee_sumamt": "-" + entry["amount"], "psn_cash_pay": "-20.00"}
                return {"setlinfo": {"mdtrt_id": entry["mdtrt_id"], "setl_id": number, **amounts}, "setldetail": []}
        raise Refusal("结算信息不存在或已撤销")

    def do_2601(self, content: Document, _: Document) -> Any:
        data = content["data"]
        for entry in self.settlements if data["oinfno"] == "2207" else self.undoings:
            if entry["msgid"] == data["omsgid"]:
                if entry["state"] == "reversed":
                    raise Refusal("原交易不存在" if self.reversed_is_gone else "该交易已冲正，不能重复冲正")
                entry["state"] = "reversed"
                for settlement in self.settlements:
                    if data["oinfno"] == "2208" and settlement["setl_id"] == entry["setl_id"]:
                        settlement["state"] = "booked"
                return None
        raise Refusal("原交易不存在")

    def ledger(self) -> Document:
        """All that was booked, and the numbers of all messages."""
        with self.lock:
            return {"settlements": self.settlements, "undoings": self.undoings, "messages": self.messages}


def _amount(value: Any) -> float:
    return float(value)


def _settlement(data: Document, number: str) -> Document:
    total = Decimal(str(data["medfee_sumamt"]))
    fund = (total * Decimal("0.8")).quantize(Decimal("0.01"))
    account = min(total - fund, Decimal("100.00"))
    information = {
        "mdtrt_id": data["mdtrt_id"],
        "setl_id": number,
        "psn_no": data["psn_no"],
        "psn_name": "ERIKSSON ANNA MARIA",
        "psn_cert_type": "08",
        "certno": "L898902C3",
        "brdy": "1974-08-12",
        "insutype": data["insutype"],
        "setl_time": "2026-12-01 10:00:00",
        "medfee_sumamt": _amount(total),
        "fulamt_ownpay_amt": 0,
        "overlmt_selfpay": 0,
        "preselfpay_amt": 0,
        "inscp_scp_amt": _amount(total),
        "hifp_pay": _amount(fund),
        "cvlserv_pay": 0,
        "fund_pay_sumamt": _amount(fund),
        "psn_part_amt": _amount(total - fund),
        "acct_pay": _amount(account),
        "psn_cash_pay": _amount(total - fund - account),
        "hosp_part_amt": 0,
        "balc": 1134.5,
        "clr_type": "11",
    }
    detail = {"fund_pay_type": "310100", "inscp_scp_amt": _amount(total), "fund_payamt": _amount(fund)}
    return {"setlinfo": information, "setldetail": [detail]}


# What an answer looks like: each habit takes the answer and gives it in its own way.


def _each(value: Any, change: Callable[[str, Any], Any], name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _each(item, change, key) for key, item in value.items()}
    if isinstance(value, list):
        return [_each(item, change, name) for item in value]
    return change(name, value)


def _output(change: Callable[[Any], Any]) -> Callable[[Document], Document]:
    return lambda answer: {**answer, "output": change(answer["output"])}


def _values(change: Callable[[str, Any], Any]) -> Callable[[Document], Document]:
    return _output(lambda output: _each(output, change))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _single(output: Any) -> Any:
    return {
        name: rows[0] if isinstance(rows, list) and len(rows) == 1 else rows for name, rows in (output or {}).items()
    }


SHAPES: dict[str, Callable[[Document], Document]] = {
    "status-as-text": lambda answer: {**answer, "infcode": str(answer["infcode"])},
    "status-as-number": lambda answer: {**answer, "infcode": int(answer["infcode"])},
    "warning": lambda answer: {**answer, "infcode": 9, "warn_msg": "余额即将用尽"},
    "strange-status": lambda answer: {**answer, "infcode": 7},
    "no-status": lambda answer: {name: value for name, value in answer.items() if name != "infcode"},
    "numbers-as-text": _values(lambda _, value: f" {value:.2f}" if _is_number(value) else value),
    "codes-as-numbers": _values(lambda _, value: int(value) if isinstance(value, str) and value.isdigit() else value),
    "empty-for-nothing": _values(lambda _, value: "" if value is None else value),
    "single-object": _output(_single),
    "birthday-with-time": _values(lambda name, value: f"{value} 00:00:00" if name == "brdy" else value),
    "compact-dates": _values(lambda name, value: value.replace("-", "") if name.endswith("date") and value else value),
    "dates-in-milliseconds": _values(lambda name, value: 157505400000 if name == "brdy" else value),
    "no-insurance-state": _values(lambda name, value: None if name == "psn_insu_stas" else value),
    "strange-insurance-state": _values(lambda name, value: "7" if name == "psn_insu_stas" else value),
    "short-certificate-type": _values(lambda name, value: "8" if name == "psn_cert_type" else value),
    "unknown-members": _output(lambda output: {**(output or {}), "newfield": {"x": [1, 2]}}),
    "output-null": _output(lambda _: None),
    "output-empty-text": _output(lambda _: ""),
    "output-in-a-list": _output(lambda output: [output]),
    "output-as-text": _output(lambda output: json.dumps(output, ensure_ascii=False)),
    "output-encrypted": _output(lambda _: "QkFTRTY0IENJUEhFUlRFWFQ="),
    "wrong-type": _output(lambda _: ["not", "an", "object"]),
    "pdn-cash-pay": _output(lambda output: json.loads(json.dumps(output).replace("psn_cash_pay", "pdn_cash_pay"))),
    "answer-of-another": _values(lambda name, value: "V999999" if name == "mdtrt_id" else value),
    "answer-of-another-message": _values(
        lambda name, value: value[:-4] + "0000" if name == "medins_setl_id" else value
    ),
    "refuses": lambda answer: {**answer, "infcode": -1, "err_msg": "操作员无权限", "output": None},
    "not-insured-text": lambda answer: {**answer, "infcode": -1, "err_msg": "该人员未参保", "output": None},
    "internal-time-out": lambda answer: {**answer, "infcode": -1, "err_msg": "调用中心端超时", "output": None},
    "gateway-refusal": lambda _: {"code": 401, "message": "signature error", "success": False},
}


def _twice(body: bytes) -> bytes:
    return body[:-1] + b',"infcode":-1}'


BODIES: dict[str, Callable[[bytes], bytes]] = {
    "error-text-in-gbk": lambda _: '{"infcode":-1,"err_msg":"该人员未参保","output":null}'.encode("gbk"),
    "byte-order-mark": lambda body: b"\xef\xbb\xbf" + body,
    "empty-answer": lambda _: b"",
    "not-json": lambda _: b"OK",
    "html": lambda _: b"<html><body>Nginx</body></html>",
    "not-a-number": lambda body: body.replace(b"1234.5", b"NaN").replace(b'"fund_pay_sumamt": ', b'"f": NaN, "g": '),
    "absurd-exponent": lambda body: body.replace(b"1234.5", b"1e999999").replace(b"1134.5", b"1e999999"),
    "member-twice": _twice,
    "too-long": lambda body: body + b" " * (5 << 20),
    "too-deep": lambda _: b"[" * 200_000 + b"]" * 200_000,
    "rubbish-bytes": lambda _: b"\xff\xfe\x80\x81{}",
}
WAYS = (
    "slow",
    "silent",
    "books-and-is-silent",
    "answers-after-time-out",
    "books-late",
    "hangs-up",
    "books-and-hangs-up",
    "half-answer",
    "http-502",
    "books-and-http-502",
    "redirects",
    "drips-headers",
    "drips-body",
    "status-500-with-answer",
)
NOT_DONE = ("refuses", "not-insured-text", "error-text-in-gbk", "gateway-refusal")
"""The platform, or the gateway before it, says no and does nothing."""
UNDONE_AND_UNSAID = ("silent", "books-late", "hangs-up", "http-502", "redirects")
HANGING = (
    "silent",
    "books-and-is-silent",
    "answers-after-time-out",
    "books-late",
    "drips-headers",
    "drips-body",
)
"""No whole answer comes before the client gives up."""
HABITS = (*SHAPES, *BODIES, *WAYS)
SLOW = 0.05
DRIP = 0.02


@dataclass
class Habits:
    """Which habits are to be played, for which messages, and how often."""

    wanted: list[tuple[str, str, int]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, number: str = "", times: int = -1) -> None:
        if name not in HABITS:
            raise ValueError(name)
        with self.lock:
            self.wanted.append((name, number, times))

    def take(self, number: str) -> str:
        """The habit for a message of this number, empty for none."""
        with self.lock:
            for place, (name, wanted, times) in enumerate(self.wanted):
                if wanted in ("", number):
                    if times == 1:
                        del self.wanted[place]
                    else:
                        self.wanted[place] = (name, wanted, times - 1)
                    return name
        return ""

    def clear(self) -> None:
        with self.lock:
            self.wanted.clear()


class Gateway(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, port: int, platform: Platform, habits: Habits) -> None:
        self.platform, self.habits = platform, habits
        self.ending = threading.Event()
        self.working, self.worked = 0, threading.Condition()
        super().__init__(("127.0.0.1", port), Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.worked:
            self.working += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        super().process_request_thread(request, client_address)
        with self.worked:
            self.working -= 1
            self.worked.notify_all()

    def wait_until_idle(self) -> None:
        """Connections are taken in the order of their coming, so one of ours comes after all others."""
        with socket.create_connection(self.server_address[:2]) as last:
            last.shutdown(socket.SHUT_WR)
            last.recv(1)
        with self.worked:
            self.worked.wait_for(lambda: not self.working)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what this is about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gateway

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        envelope = json.loads(body, parse_float=Decimal)
        number = envelope["infno"]
        platform, habit = self.server.platform, self.server.habits.take(number)
        with platform.lock:
            platform.messages.append(f"{number} {envelope['msgid']}")
        if habit in UNDONE_AND_UNSAID:
            if habit == "books-late":
                with platform.lock:
                    platform.put_aside.append(envelope)
            self._without_answer(habit)
            return
        answer = self._answer(envelope, habit) if self._is_signed() else SHAPES["gateway-refusal"]({})
        if habit in ("books-and-is-silent", "books-and-hangs-up", "books-and-http-502"):
            self._without_answer(habit)
            return
        if habit == "answers-after-time-out":
            self._until_client_leaves()
        if habit == "slow":
            self.server.ending.wait(SLOW)
        answer = SHAPES.get(habit, lambda same: same)(answer)
        text = json.dumps(answer, ensure_ascii=False).encode()
        self._send(BODIES.get(habit, lambda same: same)(text), habit)

    def _is_signed(self) -> bool:
        """Whether the headers are those of a client that knows the secret and the time."""
        secret, headers = self.server.platform.x_tif_secret, self.headers
        if not secret:
            return True
        stamp, nonce = headers.get("x-tif-timestamp", "0"), headers.get("x-tif-nonce", "")
        digest = hashlib.sha256(f"{stamp}{secret}{nonce}{stamp}".encode()).hexdigest()
        on_time = abs(time.time() - int(stamp)) < 300
        return on_time and hmac.compare_digest(digest, headers.get("x-tif-signature", ""))

    def _answer(self, envelope: Document, habit: str) -> Document:
        number = f"{envelope['mdtrtarea_admvs']}20261201100000{0:010}"
        times = {"inf_refmsgid": number, "refmsg_time": "20261201100000000", "respond_time": "20261201100000001"}
        try:
            output = None if habit in NOT_DONE else self.server.platform.answer(envelope)
        except Refusal as refusal:
            return {"infcode": -1, **times, "err_msg": str(refusal), "output": None}
        return {"infcode": 0, **times, "err_msg": "", "output": output}

    def _send(self, body: bytes, habit: str) -> None:
        head = (
            f"HTTP/1.1 {500 if habit == 'status-500-with-answer' else 200} OK\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        if habit == "half-answer":
            self.wfile.write(head + body[: len(body) // 2])
            self.close_connection = True
        elif habit in ("drips-headers", "drips-body"):
            self.wfile.write(head if habit == "drips-body" else b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while not self.server.ending.wait(DRIP):
                self.wfile.write(b" ")
                self.wfile.flush()
        else:
            self.wfile.write(head + body)

    def _without_answer(self, habit: str) -> None:
        self.close_connection = True
        if habit.endswith("http-502"):
            body = b"<html><h1>502 Bad Gateway</h1></html>"
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        elif habit == "redirects":
            self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        elif not habit.endswith("hangs-up"):
            self._until_client_leaves()

    def _until_client_leaves(self) -> None:
        self.connection.settimeout(None)
        self.connection.recv(1)


def serve(arguments: list[str]) -> None:
    """Listen, and obey standard input until it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--habit", action="append", default=[], choices=HABITS)
    parser.add_argument("--sign-in", action="store_true")
    parser.add_argument("--x-tif-secret", default="", help="refuse messages without the headers x-tif-*")
    parser.add_argument("--certificate", metavar="PEM", help="speak TLS, with this certificate and its key")
    options = parser.parse_args(arguments)
    platform, habits = Platform(options.sign_in, options.x_tif_secret), Habits()
    for name in options.habit:
        habits.add(name)
    gateway = Gateway(options.port, platform, habits)
    if options.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate)
        gateway.socket = context.wrap_socket(gateway.socket, server_side=True)
    threading.Thread(target=gateway.serve_forever, daemon=True).start()
    _say({"port": gateway.server_address[1]})
    for line in sys.stdin:
        _say(_obey(json.loads(line), platform, habits, gateway))
    gateway.ending.set()
    gateway.shutdown()


def _obey(order: Document, platform: Platform, habits: Habits, gateway: Gateway) -> Document:
    if "habit" in order:
        habits.add(order["habit"], order.get("infno", ""), order.get("times", -1))
    elif "idle" in order:
        gateway.wait_until_idle()
    elif "reversed_is_gone" in order:
        platform.reversed_is_gone = order["reversed_is_gone"]
    elif "book" in order:
        with platform.lock:
            for envelope in platform.put_aside:
                platform.answer(envelope)
            platform.put_aside.clear()
    elif "reset" in order:
        habits.clear()
        with platform.lock:
            for kept in (platform.settlements, platform.undoings, platform.messages, platform.put_aside):
                kept.clear()
            platform.visits.clear()
            platform.charges.clear()
            platform.reversed_is_gone = False
    return platform.ledger() if "ledger" in order else {}


def _say(document: Document) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1:])
