"""Finding out how a library system speaks: by trying, with questions only.

Nothing is lent, returned or paid, and the number that is asked about is nobody's. Each try that may upset the system
has a connection of its own.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from juying.errors import DecodeError, PlatformUnavailable
from juying.services.library.client import check_authorities, explained, secured
from juying.services.library.codec import MAX_MESSAGE, Received, Sum, decode, encode
from juying.services.library.items import ItemInformation
from juying.services.library.kinds import this_second
from juying.services.library.layout import Message
from juying.services.library.messages import (
    Login,
    LoginAnswer,
    PatronInformation,
    PatronStatus,
    ResendAnswer,
    SystemStatus,
    TerminalStatus,
)
from juying.services.library.patron import SUPPORTED
from juying.services.library.site import Site
from juying.services.library.wire import Checking, Summing, Terminator, Wire
from juying.text import Text

NOBODY = "JUYING-SELFTEST"
"""The number of the reader and the item that are asked about."""
CHARSETS = ("utf-8", "gb18030", "cp850")
"""Tried in this order: the first in which everything can be read."""
_OPEN = Wire(receive_checksum=Checking.OFF, sequence=Checking.OFF, echo=Checking.OFF)
"""Takes everything."""


class Finding(NamedTuple):
    """One thing that was found out; ``good`` is None where it is neither good nor bad."""

    name: Text
    value: str
    good: bool | None
    remark: Text | None = None


@dataclass(slots=True)
class Report:
    """What was found, and the settings that follow from it."""

    findings: list[Finding] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def add(self, zh: str, en: str, value: object, good: bool | None = None, remark: Text | None = None) -> None:
        """Note a finding."""
        self.findings.append(Finding(Text(zh, en), str(value), good, remark))

    def toml(self, site: Site) -> str:
        """The table of the site, ready to be put into a configuration."""
        lines = [f"[library.{site.name}]", f'host = "{site.host}"', f"port = {site.port}"]
        if site.tls is None:
            lines.append("tls = false")
        elif site.tls.ca_file:
            lines.append(f"ca_file = {_quoted(site.tls.ca_file)}")
        if site.login:
            lines += [f"login = {_quoted(site.login)}", 'password_env = "JUYING_LIBRARY_PASSWORD"']
        lines += [f"{key} = {_toml(value)}" for key, value in self.settings.items()]
        return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _quoted(str(value))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def selftest(site: Site, *, progress: Callable[[Text], None] = lambda _: None) -> Report:
    """Try the system at ``site``, of which host, port, TLS, login and time-outs count.

    ``progress`` is told of each step. Raises `PlatformUnavailable` when there is no connection, or no answer to
    anything, and `InputError` for authorities that are no use.
    """
    check_authorities(site)
    probe = _Probe(site)
    report = Report()
    try:
        with closing(probe):
            progress(Text("连接和报文结束符", "connection and end of messages"))
            _terminators(probe, report)
            _charset(probe, report)
            progress(Text("校验和与序号", "checksum and sequence number"))
            _checksums(probe, report)
            progress(Text("系统状态", "status of the system"))
            _status(probe, report)
            progress(Text("支持的消息", "messages that it knows"))
            _messages(probe, report)
            _resend(probe, report)
    except (OSError, PlatformUnavailable) as error:
        raise explained(error, site) from None
    return report


class _Probe:
    """A connection for experiments: any bytes out, and whatever comes back."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.wire = _OPEN
        self.heard = bytearray()
        """All that came back."""
        self.last = b""
        """What came back last."""
        self.digit = 0
        """The digit that was sent last."""
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """A new connection, without login."""
        self.close()
        site = self.site
        raw = socket.create_connection((site.host, site.port), timeout=site.resilience.connect)
        try:
            self._socket = secured(raw, site.tls) if site.tls else raw
        except BaseException:
            raw.close()
            raise

    def log_in(self) -> Received | None:
        """A new connection, with login if there is one."""
        self.connect()
        return self.ask(self.login()) if self.site.login else None

    def login(self) -> Message:
        site = self.site
        return Login(login=site.login, password=site.password, location=site.location or None)

    def first(self) -> Message:
        """What a system answers first."""
        return self.login() if self.site.login else TerminalStatus()

    def send(self, data: bytes) -> bytes:
        """What comes back: up to the first end of a message, or until nothing more comes."""
        if self._socket is None:
            return b""
        heard = b""
        with suppress(TimeoutError):
            try:
                self._socket.settimeout(self.site.resilience.timeout)
                self._socket.sendall(data)
                while len(heard) < MAX_MESSAGE and not heard.lstrip().endswith((b"\r", b"\n")):
                    piece = self._socket.recv(MAX_MESSAGE)
                    if not piece:
                        self.close()
                        break
                    heard += piece
            except TimeoutError:
                raise
            except OSError:
                self.close()
        self.last = heard
        self.heard += heard
        return heard

    def ask(self, request: Message, wire: Wire | None = None) -> Received | None:
        """The answer to a request, None if there is none that can be read."""
        self.digit = (self.digit + 1) % 10
        wire = wire or self.wire
        return self.read(self.send(encode(request, wire, self.digit if wire.sums else None)), request)

    def read(self, heard: bytes, request: Message) -> Received | None:
        """The answer among what came back."""
        for line in heard.splitlines():
            with suppress(DecodeError):
                received = decode(line, self.wire)
                if received.message.id == request.answer:
                    return received
        return None

    @property
    def alive(self) -> bool:
        """Whether the system has not hung up."""
        return self._socket is not None

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _terminators(probe: _Probe, report: Report) -> None:
    """Which ends of messages the system understands, with checksum and without."""
    for sums in (Checking.WARN, Checking.OFF):
        good = []
        for terminator in Terminator:
            wire = replace(_OPEN, terminator=terminator, send_checksum=sums)
            probe.connect()
            if probe.ask(probe.first(), wire) is not None:
                good.append(terminator)
        if good:
            break
    if not good:
        raise PlatformUnavailable(
            "没有任何可读的应答：请检查端口、TLS 以及账号", "no answer that can be read: check port, TLS and login"
        )
    probe.wire = replace(_OPEN, terminator=good[0], send_checksum=sums)
    report.settings["terminator"] = good[0].value
    report.add("报文结束符", "end of messages", ", ".join(good), True)


def _checksums(probe: _Probe, report: Report) -> None:
    """What the system does about our checksum, and what its own is."""
    summed = replace(probe.wire, send_checksum=Checking.WARN)
    bare = replace(probe.wire, send_checksum=Checking.OFF)
    first = probe.first()
    probe.connect()
    takes = probe.ask(first, summed) is not None
    probe.connect()
    needs = probe.ask(first, bare) is None
    probe.connect()
    body = encode(first, summed, 0)[: -4 - len(summed.end)]
    checks = probe.read(probe.send(body + b"0000" + summed.end), first) is None
    probe.wire = summed if takes else bare
    mode = Checking.OFF if not takes else Checking.STRICT if needs else Checking.WARN
    remark = (
        Text("系统会验证", "the system checks it") if checks else Text("系统不验证", "the system does not check it")
    )
    if not takes:
        remark = Text("带校验和的报文没有应答", "messages with one are not answered")
    report.settings["send_checksum"] = mode.value
    report.add("我方校验和", "our checksum", mode, takes, remark)
    _their_checksum(probe, report)


def _their_checksum(probe: _Probe, report: Report) -> None:
    """The rule that fits all of several answers, and whether they carry our digits."""
    lines: list[bytes] = []
    echoed = []
    for request in (TerminalStatus(), _about_nobody(probe), TerminalStatus()):
        if not probe.alive or not lines:
            probe.log_in()
        answer = probe.ask(request)
        if answer is not None:
            lines += filter(None, probe.last.splitlines())
            echoed.append(answer.sequence == probe.digit)
    sums = {rule: {_sum(line, replace(probe.wire, checksum=rule)) for line in lines} for rule in Summing}
    fitting = [rule for rule in Summing if sums[rule] == {Sum.RIGHT}]
    if fitting:
        report.settings["checksum"] = fitting[0].value
        report.settings["receive_checksum"] = Checking.STRICT.value
        report.add("对方校验和", "its checksum", fitting[0], True)
    else:
        none = sums[Summing.BYTES] <= {Sum.ABSENT}
        remark = Text("应答没有校验和", "its answers have none")
        if not none:
            remark = Text("不符合任何已知算法", "right by no rule that is known")
        report.settings["receive_checksum"] = Checking.OFF.value
        report.add("对方校验和", "its checksum", "off", None if none else False, remark)
    mode = Checking.STRICT if echoed and all(echoed) else Checking.OFF
    remark = Text("应答不带请求的序号", "its answers do not carry the digit of the question")
    report.settings["sequence"] = mode.value
    report.add("序号", "sequence number", mode, mode is Checking.STRICT or None, None if all(echoed) else remark)


def _sum(line: bytes, wire: Wire) -> Sum:
    """What the checksum of an answer says by a rule."""
    with suppress(DecodeError):
        return decode(line, wire).checksum
    return Sum.WRONG


def _about_nobody(probe: _Probe) -> PatronInformation:
    site = probe.site
    return PatronInformation(
        date=this_second(),
        institution=site.institution,
        reader=NOBODY,
        terminal_password=site.terminal_password,
        pin="",
    )


def _status(probe: _Probe, report: Report) -> None:
    """Login, and what the system says of itself."""
    site = probe.site
    answer = probe.log_in()
    if site.login:
        ok = answer is not None and isinstance(answer.message, LoginAnswer) and answer.message.ok
        report.add("终端登录", "login", "ok" if ok else "refused", bool(ok))
    status = probe.ask(TerminalStatus())
    if status is None or not isinstance(status.message, SystemStatus):
        report.add("系统状态（99）", "status (99)", "no answer", False)
        report.settings["status"] = False
        return
    said = status.message
    report.add("系统在线", "on line", said.online, bool(said.online))
    report.add("机构代码 AO", "institution AO", said.institution, bool(said.institution))
    if said.institution:
        report.settings["institution"] = said.institution
    if said.library:
        report.add("图书馆名称", "library", said.library)
    wait = said.timeout if said.timeout is not None else "?"
    report.add("超时（0.1 秒）与重试", "time-out (0.1 s), retries", f"{wait}, {said.retries}")
    if said.time is not None and said.time.tzinfo is None:
        skew = abs((said.time - this_second()).total_seconds())
        report.add("时钟相差（秒）", "clocks differ by (s)", f"{skew:.0f}", skew < 120)
    known = [each for each in SUPPORTED if each in said.supported]
    report.add("自称支持（BX）", "says that it knows (BX)", " ".join(known) or "-")
    for problem in status.problems:
        report.add("98 的偏差", "98 deviates", "-", False, problem)


def _messages(probe: _Probe, report: Report) -> None:
    """Whether the questions are answered that a terminal needs."""
    site = probe.site
    short = PatronStatus(
        date=this_second(),
        institution=site.institution,
        reader=NOBODY,
        terminal_password=site.terminal_password,
        pin="",
    )
    item = ItemInformation(
        date=this_second(),
        institution=site.institution,
        item=NOBODY,
        terminal_password=site.terminal_password,
    )
    answered = {}
    for request in (_about_nobody(probe), short, item):
        if not probe.alive:
            probe.log_in()
        answer = probe.ask(request)
        answered[request.id] = answer is not None
        deviations = "; ".join(str(problem) for problem in answer.problems) if answer else ""
        report.add(
            f"消息 {request.id}",
            f"message {request.id}",
            "answered" if answer else "not answered",
            answer is not None if request.id == "63" else None,
            Text(deviations, deviations) if deviations else None,
        )
        if answer is None:
            probe.log_in()
    if answered["63"]:
        report.settings["question"] = "63"
    elif answered["23"]:
        report.settings["question"] = "23"


def _resend(probe: _Probe, report: Report) -> None:
    """Whether 97 brings the last answer again."""
    probe.log_in()
    status = probe.ask(TerminalStatus())
    again = probe.read(probe.send(encode(ResendAnswer(), probe.wire)), TerminalStatus())
    known = status is not None and again is not None and again.message == status.message
    report.settings["resend"] = known
    report.add("重发（97）", "resend (97)", "answered" if known else "not answered", None)


def _charset(probe: _Probe, report: Report) -> None:
    """The first character set in which everything that is heard can be read."""
    probe.log_in()
    for request in (TerminalStatus(), _about_nobody(probe)):
        probe.ask(request)
    heard = bytes(probe.heard)
    if heard.isascii():
        remark = Text("应答中只有 ASCII，无法判断", "the answers held nothing but ASCII")
        report.add("字符集", "character set", "?", None, remark)
        return
    charset = next(_readable(heard))
    probe.wire = replace(probe.wire, charset=charset)
    report.settings["charset"] = charset
    report.add("字符集", "character set", charset, True)


def _readable(heard: bytes) -> Iterator[str]:
    for charset in CHARSETS:
        with suppress(UnicodeDecodeError):
            heard.decode(charset)
            yield charset
