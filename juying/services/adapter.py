"""What a service has to bring: one question, in a blocking and an asynchronous form.

Adapters are found by entry point, group ``juying.services``. The name of the entry point is the table of the
configuration file that belongs to it, and what it points to is a factory: it gets that table and gives one adapter, or
one for each site that the table describes (``[library.taizhou]`` gives an adapter named ``library.taizhou``)::

    [project.entry-points."juying.services"]
    gym = "gym_card:gym_card"

The factory raises `InputError` for what is wrong in its table. After that an adapter never raises because a service
is slow, away or confused: it answers UNDETERMINED.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from juying.text import Text

if TYPE_CHECKING:
    from juying.services.presentation import Presentation
    from juying.services.resilience import Deadline
    from juying.services.verdict import Verdict

GROUP = "juying.services"
"""The group of entry points."""


class Adapter(Protocol):
    """A service, or one site of it, that can be asked whether a card or code is good for it."""

    @property
    def name(self) -> str:
        """The service, and after a dot the site where there are several: ``library.taizhou``."""

    @property
    def title(self) -> Text:
        """The name for people."""

    def check(self, presentation: "Presentation", *, now: datetime, deadline: "Deadline | None" = None) -> "Verdict":
        """Ask. ``now`` has a time zone; the answer is there before the ``deadline``, even when the service is slow."""

    async def acheck(
        self, presentation: "Presentation", *, now: datetime, deadline: "Deadline | None" = None
    ) -> "Verdict":
        """As `check`, for an event loop."""


@runtime_checkable
class Closing(Protocol):
    """An adapter that keeps connections open between questions has this as well."""

    def close(self) -> None:
        """Close them."""


class Blocking(ABC):
    """Gives an adapter that has only `check` the asynchronous form: in a thread of its own, so nobody waits in line."""

    @abstractmethod
    def check(self, presentation: "Presentation", *, now: datetime, deadline: "Deadline | None" = None) -> "Verdict":
        """As `Adapter.check`."""

    async def acheck(
        self, presentation: "Presentation", *, now: datetime, deadline: "Deadline | None" = None
    ) -> "Verdict":
        """As `Adapter.acheck`."""
        from juying.services.threads import in_thread

        return await in_thread(lambda: self.check(presentation, now=now, deadline=deadline))


Factory = Callable[[Mapping[str, Any]], Adapter | Sequence[Adapter]]
"""What an entry point leads to."""
