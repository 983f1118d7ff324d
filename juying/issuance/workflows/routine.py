"""What is done every day or every few minutes: status lists published, permits ended that have run out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from juying.credential.publish import publish
from juying.issuance.changes import expire
from juying.issuance.office import Office
from juying.issuance.workflows.tasks import Case, Kind, Part, Step, Task
from juying.ledger.register import LedgerRegister

_WHOLE: list[Part] = [[]]


@dataclass(frozen=True, slots=True)
class Publishing(Task):
    """Publishes all status lists into ``folder``, signed with the key of ``office``."""

    kind = Kind.PUBLISH

    office: Office
    folder: Path

    def plan(self, case: Case) -> list[Part]:
        """One part."""
        return _WHOLE

    @property
    def steps(self) -> tuple[Step, ...]:
        """One step: lists that are published twice are the newer ones."""
        return (self.publish,)

    def publish(self, case: Case, part: Part, _: Any) -> dict[str, int]:
        """Publish."""
        register = LedgerRegister(case.ledger, case.actor)
        lists = publish(register, self.folder, self.office.signer, self.office.trust, now=self.office.clock())
        return {"published": len(lists)}


@dataclass(frozen=True, slots=True)
class Expiring(Task):
    """Ends permits whose last day is past."""

    kind = Kind.EXPIRE

    def plan(self, case: Case) -> list[Part]:
        """One part."""
        return _WHOLE

    @property
    def steps(self) -> tuple[Step, ...]:
        """One step: what was ended is not found again."""
        return (self.expire,)

    def expire(self, case: Case, part: Part, _: Any) -> dict[str, int]:
        """End them, some at a time."""
        ended = 0
        while True:
            case.going_on()
            with case.ledger.transaction(case.actor) as tx:
                done = expire(tx, case.today)
            if not done:
                return {"expired": ended}
            ended += len(done)
