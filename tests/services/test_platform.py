"""Codes that a platform resolves give the same verdicts and checks as those that prove themselves."""

import itertools
import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from juying.credential.claims import Claims, Tier
from juying.credential.issue import issue, to_text
from juying.credential.policy import Assurance, Policy
from juying.credential.trust import TrustList
from juying.credential.verdict import CHECKS, Outcome, Step, Verdict
from juying.crypto.signing import SoftwareSigner
from juying.errors import InputError, PlatformUnavailable
from juying.services.platform import (
    MAX_ANSWER,
    Answer,
    EsscPlatform,
    Person,
    Shown,
    VoucherPlatform,
    verify_any,
)
from tests import people

CODE = "1234567890123456789012345678"


class Script:
    """A resolver on loopback that answers what the test says, and remembers what it was asked."""

    def __init__(self) -> None:
        self.body = b""
        self.status = 200
        self.questions: list[dict[str, object]] = []
        self.used: set[str] = set()
        self.hang = threading.Event()

    def answer(self, **members: object) -> None:
        self.body = json.dumps(members).encode()


@pytest.fixture
def script() -> Iterator[tuple[Script, str]]:
    told = Script()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.questions.append(question)
            told.hang.wait(5)
            self.send_response(told.status)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    told.hang.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield told, f"http://127.0.0.1:{server.server_port}/localcfc/api/hsecfc/localQrCodeQuery"
    told.hang.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def voucher(script: tuple[Script, str]) -> VoucherPlatform:
    return VoucherPlatform(
        url=script[1],
        organisation="H33100200001",
        operator="op1",
        operator_name="测试操作员",
        errors={"-1": Verdict.STALE_OR_FUTURE, "-2": Verdict.REPLAYED},
    )


def ask(platform: VoucherPlatform, code: str = CODE, policy: Policy | None = None) -> Shown:
    return verify_any(code, TrustList(), [platform], now=people.NOW, policy=policy or Policy())


def test_a_code_that_the_platform_accepts_is_valid(script: tuple[Script, str], voucher: VoucherPlatform) -> None:
    script[0].answer(code=0, message="ok", data={"userName": "SAMPLE", "idNo": "X1", "ecToken": "token-1"})
    shown = ask(voucher)
    assert shown.verification.verdict is Verdict.VALID
    assert shown.verification.accepted
    assert shown.verification.assurance is Assurance.HOLDER
    assert tuple(check.name for check in shown.verification.checks) == CHECKS
    assert shown.person == Person(name="SAMPLE", document_number="X1", token="token-1")
    assert "SAMPLE" not in repr(shown)
    assert "token-1" not in repr(shown)


def test_the_question_is_the_one_that_resolvers_know(script: tuple[Script, str], voucher: VoucherPlatform) -> None:
    script[0].answer(code=0, data={"ecToken": "t"})
    ask(voucher)
    question = script[0].questions[0]
    assert question["transType"] == "ec.query"
    assert question["orgId"] == "H33100200001"
    assert isinstance(question["data"], dict)
    assert question["data"]["ecQrCode"] == CODE
    assert question["data"]["businessType"] == "01301"


@pytest.mark.parametrize(
    ("code", "verdict", "step"),
    [(-1, Verdict.STALE_OR_FUTURE, Step.FRESHNESS), (-2, Verdict.REPLAYED, Step.REPLAY)],
)
def test_a_configured_error_code_is_a_verdict_with_its_check(
    code: int, verdict: Verdict, step: Step, script: tuple[Script, str], voucher: VoucherPlatform
) -> None:
    script[0].answer(code=code, message="no")
    verification = ask(voucher).verification
    assert verification.verdict is verdict
    assert not verification.accepted
    assert [check.name for check in verification.checks if check.outcome is Outcome.FAIL] == [step]
    assert len(verification.checks) == len(CHECKS)


def test_a_site_that_wants_its_challenge_answered_is_not_satisfied(
    script: tuple[Script, str], voucher: VoucherPlatform
) -> None:
    script[0].answer(code=0, data={"ecToken": "t"})
    verification = ask(voucher, policy=Policy(assurance=Assurance.CHALLENGED)).verification
    assert verification.verdict is Verdict.NO_HOLDER_BINDING
    assert verification.assurance is Assurance.BEARER


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"garbage",
        b"[]",
        b'"text"',
        b"{}",
        b'{"code": 99}',
        b'{"code": 0}',
        b'{"code": 0, "data": {}}',
        b'{"code": 0, "data": []}',
        b"[" * 50_000,
        b" " * (MAX_ANSWER + 1),
    ],
    ids=range(11),
)
def test_an_answer_that_is_not_understood_is_never_a_no(
    body: bytes, script: tuple[Script, str], voucher: VoucherPlatform
) -> None:
    script[0].body = body
    with pytest.raises(PlatformUnavailable) as error:
        ask(voucher)
    assert CODE not in str(error.value)


def test_a_server_error_is_never_a_no(script: tuple[Script, str], voucher: VoucherPlatform) -> None:
    script[0].status = 500
    with pytest.raises(PlatformUnavailable):
        ask(voucher)


def test_a_server_that_hangs_is_never_a_no(script: tuple[Script, str], voucher: VoucherPlatform) -> None:
    script[0].hang.clear()
    with pytest.raises(PlatformUnavailable, match="Timeout"):
        ask(replace(voucher, timeout=0.1))


def test_a_server_that_is_not_there_is_never_a_no(voucher: VoucherPlatform) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(PlatformUnavailable, match="ConnectError"):
        ask(replace(voucher, transport=httpx.MockTransport(refuse)))


def test_a_server_that_drips_is_cut_off(voucher: VoucherPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = itertools.count(step=1.0)
    monkeypatch.setattr("juying.services.platform.time.monotonic", lambda: next(moments))

    def drip(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=itertools.repeat(b" "))

    with pytest.raises(PlatformUnavailable, match="too slow"):
        ask(replace(voucher, transport=httpx.MockTransport(drip)))


def test_a_code_is_asked_about_once(script: tuple[Script, str], voucher: VoucherPlatform) -> None:
    script[0].status = 503
    with pytest.raises(PlatformUnavailable):
        ask(voucher)
    assert len(script[0].questions) == 1


def test_our_own_codes_never_leave_the_terminal(script: tuple[Script, str], voucher: VoucherPlatform) -> None:
    issuer = SoftwareSigner.generate()
    claims = Claims.of(people.holder(), people.permit(), tier=Tier.FULL, issued_at=people.NOW)
    text = to_text(issue(claims, issuer))
    shown = verify_any(text, TrustList([people.trusted(issuer)]), [voucher], now=people.NOW)
    assert shown.verification.verdict is Verdict.VALID
    assert shown.person is None
    assert script[0].questions == []


@pytest.mark.parametrize("code", ["", "short", "1" * 600, "not a code at all"])
def test_a_code_of_no_kind_is_malformed_and_nobody_is_asked(
    code: str, script: tuple[Script, str], voucher: VoucherPlatform
) -> None:
    assert ask(voucher, code).verification.verdict is Verdict.MALFORMED
    assert script[0].questions == []


def test_the_electronic_social_security_card_is_asked_through_the_sites_gateway() -> None:
    class Gateway:
        asked: tuple[str, str] | None = None

        def check(self, code: str, business: str) -> Answer:
            self.asked = code, business
            return Answer(Verdict.SUSPENDED)

    gateway = Gateway()
    shown = verify_any("ABCDEFGH12345678", TrustList(), [EsscPlatform(gateway, business="04")], now=people.NOW)
    assert shown.verification.verdict is Verdict.SUSPENDED
    assert gateway.asked == ("ABCDEFGH12345678", "04")


@pytest.mark.parametrize(
    "change", [{"business": "1"}, {"errors": {"1": Verdict.BAD_ISSUER_SIG}}, {"errors": {"1": Verdict.VALID}}]
)
def test_settings_that_cannot_be_meant_are_refused(change: dict[str, object], voucher: VoucherPlatform) -> None:
    with pytest.raises(InputError):
        replace(voucher, **change)


def test_a_missing_httpx_is_named(voucher: VoucherPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(InputError, match="juying\\[services\\]"):
        ask(voucher)
