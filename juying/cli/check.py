"""``juying check``: may this card or code be used here?"""

import json as json_library
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.gate import Audience, Lists, Nonce, PolicyFile, ReplayFile
from juying.cli.options import (
    AskPin,
    Json,
    KeyStore,
    PinFile,
    ProfileName,
    Reader,
    Replay,
    Root,
    Trust,
    Virtual,
    load_trust,
    open_access,
    open_transport,
)
from juying.cli.output import Exit, print_json
from juying.cli.plain import Cell, print_line, print_rows
from juying.cli.trusting import known_lists
from juying.cli.verifying import load_verifier, open_replay_cache, text_of
from juying.errors import CardRefused, InputError
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from juying.card.access import Access
    from juying.card.transport import Transport
    from juying.card.tunion import TransitCard
    from juying.credential.status import StatusLists
    from juying.credential.trust import TrustList
    from juying.credential.verdict import Verification
    from juying.services.adapter import Adapter
    from juying.services.asking import CheckResult
    from juying.services.platform import Platform
    from juying.services.presentation import Presentation
    from juying.services.verdict import Verdict

SECONDS = 10.0
"""For the whole question, unless the option says otherwise: nobody waits longer at a counter (our choice)."""

TRANSIT = "transit"
"""The service that asks about the transport application of a card."""


def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE",
            help="medical、transit、library、其中一处（library.taizhou）、已安装的其他服务，或 all 表示全部已配置的 / "
            "a service, one site of it, or all that are configured",
        ),
    ],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[CODE]",
            help="JY1: 文本、.txt 文件、二维码图片或 -；不给则读卡 / text, .txt file, picture or -; without it a card",
            show_default=False,
        ),
    ] = None,
    sites: Annotated[
        Path | None,
        typer.Option(
            "--sites",
            metavar="FILE",
            help="服务配置 TOML 文件，默认 JUYING_SITES / TOML file of the services; default: JUYING_SITES",
        ),
    ] = None,
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help="全部问询的时限 / for the whole question")
    ] = SECONDS,
    reader: Reader = None,
    virtual: Virtual = None,
    replay: Replay = None,
    profile: ProfileName = None,
    keys: KeyStore = None,
    pin_file: PinFile = None,
    ask_pin: AskPin = False,
    policy: PolicyFile = None,
    lists: Lists = None,
    audience: Audience = None,
    nonce: Nonce = None,
    replay_cache: ReplayFile = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """这张卡或码在此处可用吗 / is it good for a service; exit status 0 eligible, 1 not, 3 undetermined (of several: 1
    before 3 before 0), 4 card fault.
    """
    from juying.services.adapter import Closing
    from juying.services.asking import check as ask
    from juying.services.resilience import Deadline
    from juying.services.sites import adapters, load_sites, platforms

    if not 0 < deadline <= 600:
        raise InputError("--deadline 须大于 0 秒，至多 600 秒", "--deadline has to be above 0 and at most 600 seconds")
    path = sites or os.environ.get("JUYING_SITES")
    tables = load_sites(path) if path else {}
    asked = adapters(tables, what)
    if source is None:
        wants_transit = any(adapter.name.partition(".")[0] == TRANSIT for adapter in asked)
        with (
            open_access(keys, pin_file, ask_pin) as access,
            open_transport(reader, virtual, replay) as transport,
        ):
            trusted = load_trust(trust, root, required=False)
            presentation = _card(transport, profile, access, trusted, known_lists(lists, trusted), wants_transit)
    elif reader or virtual or replay:
        raise InputError("卡和码只能给一个", "either a card or a code, not both")
    else:
        resolvers = platforms(tables)
        text = source if _recognised(source, resolvers) else text_of(source)
        if _recognised(text, resolvers):
            presentation = _resolved(text, resolvers)
        else:
            presentation = _verified(text, trust, root, policy, lists, audience, nonce, replay_cache)
    result = ask(asked, presentation, now=datetime.now(UTC), deadline=Deadline.after(deadline))
    for adapter in asked:
        if isinstance(adapter, Closing):
            adapter.close()
    _print(result, asked, as_json=json, alone=what != "all" and len(asked) == 1)
    return exit_status(result)


def exit_status(result: "CheckResult") -> int:
    """The exit status for what the services said: of several answers the worst."""
    from juying.services.verdict import Decision

    statuses = {Decision.ELIGIBLE: Exit.DONE, Decision.INELIGIBLE: Exit.NO, Decision.UNDETERMINED: Exit.UNDETERMINED}
    return statuses[result.worst]


def _card(
    transport: "Transport",
    profile: str | None,
    access: "Access | None",
    trust: "TrustList",
    status: "StatusLists | None",
    wants_transit: bool,
) -> "Presentation":
    """The card in the reader, with what it and its holder proved.

    Its transport application is read only for a service that asks about it: it tells where somebody has been. A card
    that has no other application is good enough then.
    """
    from juying.card.ssc import SscCard
    from juying.cli.labels import GENUINE
    from juying.codec.profile import load_profile
    from juying.services.presentation import Presentation
    from juying.services.reading import read_card

    layout = load_profile(profile) if profile else None
    try:
        card = SscCard.open(transport, layout, access)
    except CardRefused:
        transit = _transit(transport) if wants_transit else None
        if transit is None:
            raise
        return Presentation(carrier="chip", chip_read=True, transit=transit)
    reading = read_card(card, trust, now=datetime.now(UTC), status=status)
    if reading.genuine is False:
        text, _ = GENUINE[False]
        raise CardRefused(*text, where=transport.name)
    with_pin = access is not None and access.pin is not None
    if with_pin:
        card.verify_pin()
    transit = _transit(transport) if wants_transit else None
    return Presentation.from_chip(reading, pin_verified=with_pin, transit=transit)


def _transit(transport: "Transport") -> "TransitCard | None":
    from juying.card.channel import Channel
    from juying.card.tunion import read_transit

    try:
        return read_transit(Channel(transport))
    except CardRefused:
        return None


def _recognised(code: str, platforms: "Sequence[Platform]") -> bool:
    return any(platform.recognises(code) for platform in platforms)


def _resolved(code: str, platforms: "Sequence[Platform]") -> "Presentation":
    """The code as the platform that issued it resolves it."""
    from juying.credential.trust import TrustList
    from juying.services.platform import verify_any
    from juying.services.presentation import Presentation

    shown = verify_any(code, TrustList(), platforms, now=datetime.now(UTC))
    return Presentation.from_qr(shown.verification, person=shown.person)


def _verified(
    text: str,
    trust: Path | None,
    root: Path | None,
    policy: Path | None,
    lists: Path | None,
    audience: str | None,
    nonce: str | None,
    replay_cache: Path | None,
) -> "Presentation":
    """The text of a code as the issuer's key and the options verify it."""
    from juying.services.presentation import Presentation

    memory = open_replay_cache(replay_cache)
    verify = load_verifier(load_trust(trust, root), policy, lists, audience, nonce, memory)
    return Presentation.from_qr(verify(text))


def _print(result: "CheckResult", asked: "Sequence[Adapter]", *, as_json: bool, alone: bool) -> None:
    if as_json:
        print_json({**result.verdicts[0].to_dict(), **result.card_dict()} if alone else result.to_dict())
        return
    _print_permit(result.signature, result.permit)
    if alone:
        _print_checks(result.verdicts[0])
    else:
        _print_table(result.verdicts, asked)


def _print_permit(signature: str, permit: "Verification | None") -> None:
    """What is known of the permit, which has no say in what follows."""
    from juying.cli.labels import SIGNATURES

    text, colour = SIGNATURES[signature]
    if permit is not None and signature in ("valid", "invalid"):  # the verifier says more
        text, colour = permit.verdict.text, "green" if permit.valid else "red"
    print_line(f"工作许可 / work permit: {text}", colour)
    print_line("")


def _print_checks(verdict: "Verdict") -> None:
    from juying.cli.labels import OUTCOMES

    rows = []
    for check in verdict.checks:
        outcome, colour = OUTCOMES[check.outcome]
        rows.append([Cell(f"{outcome.zh} {outcome.en}", colour), Cell(check.name), Cell(str(check.reason))])
    print_rows(rows)
    print_line("")
    for name, value in verdict.evidence.items():
        shown = value if isinstance(value, str) else json_library.dumps(value, ensure_ascii=False)
        print_line(f"{name}: {shown}", "dim")
    print_line(
        f"{verdict.decision.text}{f'（{age_text(verdict.age)}）' if verdict.age else ''}",
        f"bold {COLOURS[verdict.decision]}",
    )


def _print_table(verdicts: "Sequence[Verdict]", asked: "Sequence[Adapter]") -> None:
    """A row for each service."""
    titles = ("服务 service", "结论 verdict", "答复 answer", "理由 reason")
    rows = [[Cell(title, "bold") for title in titles]]
    for verdict, adapter in zip(verdicts, asked, strict=True):
        colour = COLOURS[verdict.decision]
        rows.append(
            [
                Cell(str(adapter.title)),
                Cell(str(verdict.decision.text), colour),
                Cell(str(age_text(verdict.age))),
                Cell(str(verdict.deciding.reason) if verdict.deciding else ""),
            ]
        )
        if verdict.age:  # why the service was not asked just now
            rows.append([Cell(""), Cell(""), Cell(""), Cell(str(verdict.checks[-1].reason), "dim")])
    print_rows(rows)


COLOURS = {"eligible": "green", "ineligible": "red", "undetermined": "yellow"}


def age_text(age: timedelta) -> Text:
    """How old an answer is, in the largest unit that it fills."""
    seconds = int(age.total_seconds())
    if not age:
        return Text("刚刚", "now")
    for size, zh, en in ((86400, "天", "d"), (3600, "小时", "h"), (60, "分钟", "min")):
        if seconds >= size:
            return Text(f"{seconds // size} {zh}前", f"{seconds // size} {en} ago")
    return Text(f"{seconds} 秒前", f"{seconds} s ago")
