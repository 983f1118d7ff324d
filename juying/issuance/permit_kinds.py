"""The kinds of applications in the life of a work permit, and what each one does: a table.

The kinds and terms are those of the service guide of 2017 (外国人来华工作许可服务指南); there is no public list of
codes, the words are ours. `juying.issuance.permit_life` compares applications with the table, `juying.issuance.changes`
carries it out on the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from typing import Any

from juying.credential.register import Reason
from juying.ledger.states import CardState, OrderKind, PermitState
from juying.model import Holder
from juying.text import Text


class Kind(StrEnum):
    """What an application asks for, or what the office does of itself."""

    FIRST_ABROAD = "first-abroad"
    FIRST_IN_CHINA = "first-in-china"
    SHORT = "short"
    EXTENSION = "extension"
    CHANGE = "change"
    TRANSFER = "transfer"
    REISSUE_LOST = "reissue-lost"
    REISSUE_DAMAGED = "reissue-damaged"
    CANCEL_EMPLOYER = "cancel-employer"
    CANCEL_HOLDER = "cancel-holder"
    CANCEL_AUTHORITY = "cancel-authority"
    REVOCATION = "revocation"
    EXPIRY = "expiry"
    LOSS = "loss"
    SUSPENSION = "suspension"
    RESUMPTION = "resumption"
    LOADING = "loading"

    @property
    def text(self) -> Text:
        """Its name."""
        return TRANSITIONS[self].text

    @property
    def is_first(self) -> bool:
        """Whether it begins with nothing."""
        return not TRANSITIONS[self].needs_permit


class Fate(Enum):
    """What becomes of the credentials there are, on the chip and in the phone."""

    NONE = "none"
    """There are none."""
    KEPT = "kept"
    """They stay good."""
    REPLACED = "replaced"
    """Good until the card has the new ones: nobody with a valid permit is ever told no."""
    REVOKED = "revoked"
    """At once, in the status list."""
    SUSPENDED = "suspended"
    RESUMED = "resumed"
    LAPSED = "lapsed"
    """They end by themselves with the permit."""


PERMIT_FIELDS = frozenset({"number", "category", "employer", "employer_name", "position", "valid_from", "valid_until",
                           "authority", "region"})  # fmt: skip
"""What may differ between permits; ``employer`` is another credit code, ``employer_name`` another name only."""
CONTACT = frozenset({"phone", "email", "address", "address_region"})
HOLDER_FIELDS = frozenset({entry.name for entry in fields(Holder)} | {"photo"})
_DATES = frozenset({"number", "valid_from", "valid_until", "authority", "region", "employer_name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One row of the table.

    ``ends`` is what becomes of the permit before, ``brings`` whether a new one follows, ``may_differ`` which fields of
    permit and holder may be other than before. ``card`` is what becomes of the card in the holder's hand, ``chip`` the
    order that brings the change to a chip, ``reason`` what stands in the register for revoked credentials.
    ``event_days`` are the working days within which it is to be applied for, ``decision_days`` those within which the
    authority decides. ``supervisor`` is for what not every clerk may do.
    """

    text: Text
    needs_permit: bool = True
    brings: bool = False
    ends: PermitState | None = None
    may_differ: frozenset[str] = frozenset()
    credentials: Fate = Fate.KEPT
    reason: Reason = Reason.UNSPECIFIED
    card: CardState | None = None
    chip: OrderKind | None = None
    event_days: int | None = None
    decision_days: int | None = None
    supervisor: bool = False


def _first(zh: str, en: str, decision_days: int) -> Transition:
    return Transition(
        text=Text(zh, en), needs_permit=False, brings=True, credentials=Fate.NONE, chip=OrderKind.NEW,
        may_differ=HOLDER_FIELDS | PERMIT_FIELDS, decision_days=decision_days,
    )  # fmt: skip


def _end(text: Text, ends: PermitState = PermitState.CANCELLED, **others: Any) -> Transition:
    return Transition(
        **{"text": text, "ends": ends, "credentials": Fate.REVOKED, "reason": Reason.PERMIT_ENDED,
           "chip": OrderKind.WIPE, **others}
    )  # fmt: skip


TRANSITIONS: Mapping[Kind, Transition] = {
    Kind.FIRST_ABROAD: _first("首次（境外）", "first, from abroad", 20),
    Kind.FIRST_IN_CHINA: _first("首次（境内）", "first, in China", 20),
    Kind.SHORT: _first("90 日以下", "at most 90 days", 5),
    Kind.EXTENSION: Transition(
        text=Text("延期", "extension"),
        brings=True,
        ends=PermitState.SUPERSEDED,
        may_differ=_DATES | CONTACT | {"photo"},
        credentials=Fate.REPLACED,
        reason=Reason.SUPERSEDED,
        chip=OrderKind.UPDATE,
    ),
    Kind.CHANGE: Transition(
        text=Text("变更", "change"),
        brings=True,
        ends=PermitState.SUPERSEDED,
        may_differ=HOLDER_FIELDS | PERMIT_FIELDS - {"employer"},
        credentials=Fate.REPLACED,
        reason=Reason.SUPERSEDED,
        chip=OrderKind.UPDATE,
        event_days=10,
    ),
    Kind.TRANSFER: Transition(
        text=Text("转聘", "change of employer"),
        brings=True,
        ends=PermitState.SUPERSEDED,
        may_differ=PERMIT_FIELDS | CONTACT | {"photo"},
        credentials=Fate.REVOKED,
        reason=Reason.PERMIT_ENDED,
        chip=OrderKind.UPDATE,
        event_days=10,
        decision_days=20,
    ),
    Kind.REISSUE_LOST: Transition(
        text=Text("补办（遗失）", "replacement of a lost card"),
        credentials=Fate.REVOKED,
        reason=Reason.LOST,
        card=CardState.LOST,
        chip=OrderKind.NEW,
    ),
    Kind.REISSUE_DAMAGED: Transition(
        text=Text("换发（损坏）", "replacement of a damaged card"),
        credentials=Fate.REPLACED,
        reason=Reason.SUPERSEDED,
        chip=OrderKind.NEW,
    ),
    Kind.CANCEL_EMPLOYER: _end(Text("注销（用人单位申请）", "cancelled for the employer"), event_days=10),
    Kind.CANCEL_HOLDER: _end(Text("注销（本人申请）", "cancelled for the holder")),
    Kind.CANCEL_AUTHORITY: _end(Text("注销（依职权）", "cancelled by the authority"), supervisor=True),
    Kind.REVOCATION: _end(Text("撤销", "revoked by the authority"), PermitState.REVOKED, supervisor=True),
    Kind.EXPIRY: _end(Text("到期自动注销", "ended by itself"), PermitState.EXPIRED, credentials=Fate.LAPSED),
    Kind.LOSS: Transition(
        text=Text("挂失", "card reported lost"),
        credentials=Fate.REVOKED,
        reason=Reason.LOST,
        card=CardState.LOST,
    ),
    Kind.SUSPENSION: Transition(
        text=Text("暂停", "suspended"),
        credentials=Fate.SUSPENDED,
        reason=Reason.UNDER_REVIEW,
        card=CardState.SUSPENDED,
    ),
    Kind.RESUMPTION: Transition(
        text=Text("恢复", "resumed"),
        credentials=Fate.RESUMED,
        reason=Reason.REVIEW_ENDED,
        card=CardState.LIVE,
    ),
    Kind.LOADING: Transition(
        text=Text("加载到社会保障卡", "loaded onto a social security card"),
        credentials=Fate.REPLACED,
        reason=Reason.SUPERSEDED,
        card=CardState.LIVE,
        chip=OrderKind.UPDATE,
    ),
}
"""What each kind needs and does."""

ENDING = tuple(kind for kind, row in TRANSITIONS.items() if row.chip is OrderKind.WIPE)
"""The kinds after which there is no permit."""
