"""Which services there are, what the one configuration file says of them, and asking them all at once."""

import asyncio
import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from time import monotonic

import pytest

from juying.credential.verdict import Verdict as Permit
from juying.credential.verify import verify
from juying.errors import InputError
from juying.issuance.office import sign_permit
from juying.services import sites
from juying.services.adapter import Adapter
from juying.services.asking import CheckResult, aask, acheck, ask, check
from juying.services.platform import VoucherPlatform
from juying.services.presentation import Presentation
from juying.services.resilience import Deadline
from juying.services.sites import GROUP, adapters, load_sites, platforms, services
from juying.services.verdict import Decision, Verdict
from tests import people
from tests.services.installed import Pool, install

GYM = Path(__file__).parent.parent.parent / "examples/gym_card"
SHOWN = Presentation(carrier="chip", card_number="JYX000010")
LONG = 600.0  # seconds that no test waits for


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, pool="pools", bath="bath", hall="hall")


def configured(tmp_path: Path, text: str) -> sites.Tables:
    path = tmp_path / "sites.toml"
    path.write_text(text, "utf-8")
    return load_sites(path)


def names(made: tuple[Adapter, ...]) -> list[str]:
    return [adapter.name for adapter in made]


# The configuration


def test_each_service_gets_its_table_and_may_have_several_sites(tmp_path: Path) -> None:
    tables = configured(tmp_path, '[pool.north]\ndoes = "pass"\n[pool.south]\ndoes = "fail"\n[bath]\n')
    assert names(adapters(tables, "all")) == ["pool.north", "pool.south", "bath"]
    assert names(adapters(tables, "pool")) == ["pool.north", "pool.south"]
    assert names(adapters(tables, "pool.south")) == ["pool.south"]


def test_a_service_that_needs_no_settings_needs_no_table() -> None:
    assert names(adapters({}, "bath")) == ["bath"]


@pytest.mark.parametrize("wanted", ["all", "hall"])
def test_what_is_not_configured_says_how(wanted: str) -> None:
    with pytest.raises(InputError, match=r"configured; name a TOML file with --sites or in .* JUYING_SITES"):
        adapters({}, wanted)


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [("pol", "pool"), ("pool.noth", "pool.north"), ("pool.north.quay", "pool.north"), ("bath.x", None), ("al", "all")],
)
def test_an_unknown_name_leads_to_the_nearest(tmp_path: Path, wanted: str, nearest: str | None) -> None:
    tables = configured(tmp_path, '[pool.north]\ndoes = "pass"\n[bath]\n')
    with pytest.raises(InputError, match=f"the nearest is {nearest};" if nearest else "there is no such service"):
        adapters(tables, wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[pol]\n", "sites.toml pol: .* there is no such service, the nearest is pool"),
        ("pool = 3\n", r"sites.toml pool: .* this has to be a table, \[pool\]"),
        ("[pool\n", "sites.toml: .* this is no TOML"),
        ("[[pool]]\n", "this has to be a table"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        configured(tmp_path, text)


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sites.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="this is no TOML"):
        load_sites(tmp_path / "sites.toml")
    with pytest.raises(InputError, match="the file cannot be read"):
        load_sites(tmp_path / "missing.toml")


def test_a_mistake_in_a_table_is_the_service_to_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^hall: 缺少 does / does is missing$"):
        adapters(configured(tmp_path, "[hall]\n"), "hall")
    with pytest.raises(InputError, match=r"pool: .* no site of it is configured"):
        adapters(configured(tmp_path, "[pool]\n"), "all")


def test_what_breaks_in_a_service_is_told_without_what_stands_in_its_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bath: .* cannot be used \(tests.services.installed:bath: RuntimeError\)$"):
        adapters(configured(tmp_path, '[bath]\ndoes = "secret"\n'), "bath")


def test_a_service_whose_package_is_broken_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, pool="no_such_package:pools")
    with pytest.raises(InputError, match="no_such_package:pools: No module named 'no_such_package'"):
        adapters({"pool": {}}, "all")


def test_two_packages_may_not_bring_the_same_service(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [EntryPoint("pool", value, GROUP) for value in ("one:pools", "two:pools", "one:pools")]
    monkeypatch.setattr(sites, "entry_points", lambda group: found[::2])
    assert list(services()) == ["pool"]  # one that is found twice is the same
    monkeypatch.setattr(sites, "entry_points", lambda group: found)
    with pytest.raises(InputError, match="two packages bring a service pool: one:pools and two:pools"):
        services()


VOUCHER = {"url": "http://127.0.0.1", "organisation": "H33100200001", "operator": "1", "operator_name": "样本"}


def test_a_platform_is_no_service(tmp_path: Path) -> None:
    tables = configured(tmp_path, '[platform.voucher]\nurl = "http://127.0.0.1"\n')
    with pytest.raises(InputError, match="no service is configured"):
        adapters(tables, "all")
    with pytest.raises(InputError, match="there is no such service"):
        adapters(tables, "platform")


def test_platforms_are_made_from_their_table() -> None:
    assert platforms({}) == ()
    errors = {"30021": "expired"}
    (made,) = platforms({"platform": {"voucher": {**VOUCHER, "timeout": 1, "business": "01101", "errors": errors}}})
    assert made == VoucherPlatform(**VOUCHER, timeout=1, business="01101", errors={"30021": Permit.EXPIRED})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"vouchers": {}}, "platform.vouchers: unknown member, the nearest is platform.voucher|nearest is voucher"),
        ({"voucher": {}}, "the member platform.voucher.url is missing"),
        ({"voucher": {**VOUCHER, "url": 3}}, "platform.voucher.url: .* this has the wrong type"),
        ({"voucher": {**VOUCHER, "timeout": "3"}}, "platform.voucher.timeout: .* this has the wrong type"),
        ({"voucher": {**VOUCHER, "business": "1"}}, "the business type has five digits"),
        ({"voucher": {**VOUCHER, "errors": {"1": "gone"}}}, "platform.voucher.errors: .* a table of codes"),
        ({"voucher": {**VOUCHER, "errors": "gone"}}, "platform.voucher.errors: .* a table of codes"),
    ],
)
def test_a_mistake_in_the_table_of_a_platform_is_named(table: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        platforms({"platform": table})


# Asking


def asked(*does: str, seconds: float = LONG, form: str = "sync") -> tuple[Verdict, ...]:
    made = [Pool(one, f"pool.{number}") for number, one in enumerate(does)]
    deadline = Deadline.after(seconds)
    if form == "sync":
        return ask(made, SHOWN, now=people.NOW, deadline=deadline)
    return asyncio.run(aask(made, SHOWN, now=people.NOW, deadline=deadline))


both_forms = pytest.mark.parametrize("form", ["sync", "async"])


@both_forms
def test_all_are_asked_and_answer_in_their_order(form: str) -> None:
    verdicts = asked("pass", "fail", "unknown", form=form)
    assert [(verdict.service, verdict.decision) for verdict in verdicts] == [
        ("pool.0", Decision.ELIGIBLE),
        ("pool.1", Decision.INELIGIBLE),
        ("pool.2", Decision.UNDETERMINED),
    ]
    assert asked(form=form) == ()


@both_forms
def test_one_that_hangs_keeps_nobody_waiting(form: str) -> None:
    begin = monotonic()
    verdicts = asked("pass", "hang", "fail", seconds=0.3, form=form)
    assert [str(verdict.decision) for verdict in verdicts] == ["eligible", "undetermined", "ineligible"]
    assert verdicts[1].checks[0].code == "deadline"
    assert monotonic() - begin < LONG / 10


@both_forms
@pytest.mark.parametrize(("does", "why"), [("break", "KeyError"), ("misuse", "there is no card number")])
def test_one_that_breaks_is_undetermined_and_named(form: str, does: str, why: str) -> None:
    broken, good = asked(does, "pass", form=form)
    assert (broken.decision, good.decision) == (Decision.UNDETERMINED, Decision.ELIGIBLE)
    assert broken.checks[0].code == "adapter_failed"
    assert broken.checks[0].reason.en == f"the adapter pool.0 failed: {why}"
    assert "JYX000010" not in str(broken)


@both_forms
def test_an_adapter_has_to_be_done_a_little_sooner_than_the_question(form: str) -> None:
    left = []

    class Looking(Pool):
        def check(self, presentation: Presentation, *, now: object, deadline: Deadline | None = None) -> Verdict:
            assert deadline is not None
            left.append(deadline.left())
            return super().check(presentation, now=people.NOW)

    made, deadline = [Looking("pass", "pool")], Deadline.after(LONG)
    if form == "sync":
        ask(made, SHOWN, now=people.NOW, deadline=deadline)
    else:
        asyncio.run(aask(made, SHOWN, now=people.NOW, deadline=deadline))
    assert left[0] < deadline.left()


def test_permit_and_service_stand_side_by_side() -> None:
    office, pool = people.office(), [Pool("fail", "pool")]
    permit = verify(sign_permit(office, people.application()).full, office.trust, now=people.NOW)
    shown, deadline = Presentation.from_qr(permit), Deadline.after(LONG)
    result = check(pool, shown, now=people.NOW, deadline=deadline)
    assert result == asyncio.run(acheck(pool, shown, now=people.NOW, deadline=deadline))
    document = json.loads(json.dumps(result.to_dict()))
    assert document["proven"] == ["signature_valid"]
    assert document["permit"] == {
        "signature": "valid",
        "verdict": "valid",
        "reason": {"zh": "有效", "en": "valid"},
    }
    assert [service["verdict"] for service in document["services"]] == ["ineligible"]


def test_without_a_permit_the_service_is_asked_all_the_same() -> None:
    result = check([Pool("pass", "pool")], SHOWN, now=people.NOW, deadline=Deadline.after(LONG))
    assert result.card_dict() == {"proven": [], "permit": {"signature": "absent", "verdict": None}}
    assert result.worst is Decision.ELIGIBLE


@pytest.mark.parametrize(
    ("does", "worst"),
    [("pass fail unknown", "ineligible"), ("pass unknown", "undetermined"), ("pass", "eligible"), ("", "undetermined")],
)
def test_the_worst_of_several(does: str, worst: str) -> None:
    assert CheckResult((), "absent", None, asked(*does.split())).worst == worst


# The example


def test_a_package_of_somebody_else_is_found_and_asked(tmp_path: Path) -> None:
    project = tomllib.loads((GYM / "pyproject.toml").read_text("utf-8"))["project"]
    package = tmp_path / "gym_card-1.0.dist-info"  # what pip makes of it
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: gym-card\nVersion: 1.0\n", "utf-8")
    lines = [f"{name} = {value}" for name, value in project["entry-points"][GROUP].items()]
    (package / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]), "utf-8")
    table = {"gym": {"categories": ["A"], "opens": 6, "closes": 22}}
    program = f"from juying.services.sites import *; print(adapters({table}, 'all')[0].title)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(GYM)])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("人才健身卡 / talents' gym card\n", "")


def test_the_gym_lets_talents_in_during_opening_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(GYM)
    install(monkeypatch, gym="gym_card:gym_card")
    office = people.office()
    permit = verify(sign_permit(office, people.application()).minimal, office.trust, now=people.NOW)

    def reasons(shown: Presentation, **changes: object) -> list[str]:
        table = {"categories": ["A", "B"], "opens": 6, "closes": 22, **changes}
        (gym,) = adapters({"gym": table}, "gym")
        return [check.code for check in gym.check(shown, now=people.NOW).checks]

    assert reasons(Presentation.from_qr(permit)) == ["ok", "ok"]
    assert reasons(Presentation.from_qr(permit), categories=["C"]) == ["wrong_class", "ok"]
    assert reasons(Presentation.from_qr(permit), opens=20) == ["ok", "wrong_hours"]
    assert reasons(SHOWN) == ["unsigned"]
    with pytest.raises(InputError, match=r"gym\.opens: .* these are no opening hours"):
        reasons(SHOWN, opens=23)
    with pytest.raises(InputError, match=r"gym\.close: unknown member, the nearest is gym\.closes|nearest is closes"):
        reasons(SHOWN, close=3)


def test_the_gym_takes_fewer_than_60_lines() -> None:
    assert len((GYM / "gym_card.py").read_text("utf-8").splitlines()) < 60
