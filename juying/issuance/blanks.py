"""Where the cards to be written come from."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from juying.card.access import Access
from juying.card.administration import load_keys
from juying.card.monitor import EventKind, ReaderMonitor
from juying.card.pcsc import open_card
from juying.card.ssc import SscCard
from juying.card.transport import Transport
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.image import load_card, save_card
from juying.card.virtual.transport import LocalTransport
from juying.codec.spec import Profile
from juying.crypto.keys import DemonstrationKeys
from juying.errors import CardError, InputError
from juying.text import Text

CARD_FILE, SPOILED = "card.vcard", "spoiled"


class Blanks(Protocol):
    """A supply of cards; an order that a card fails is tried with ``attempts`` cards in all.

    ``access`` is what can be shown to these cards, None for what `SscCard` takes by itself.
    """

    attempts: int
    access: Access | None

    def card(self, folder: Path) -> AbstractContextManager[Transport]:
        """The card for the order whose results go to ``folder``: a new one, or the one begun earlier."""

    def at_hand(self, folder: Path) -> bool | None:
        """Whether the card for this order is here already; None when nobody knows before it is put in."""

    def keep(self) -> None:
        """The card at work, and what was written to it, must outlive us from now on."""

    def set_aside(self) -> None:
        """The card at work is spoiled: the next one for its order is another."""


class VirtualBlanks:
    """Virtual cards, each kept as ``card.vcard`` in its folder; spoiled ones go into the folder ``spoiled`` beside."""

    attempts = 1

    def __init__(self, profile: Profile, region: str, *, access: Access | None = None) -> None:
        """New cards have this profile and come from this region (6 digits).

        They leave the factory with the demonstration keys, and get those of ``access`` where it has some.
        """
        self.profile = profile
        self.region = region
        self.access = access
        self._card: VirtualCard | None = None
        self._path = Path()
        self._saved = 0

    @contextmanager
    def card(self, folder: Path) -> Iterator[Transport]:
        """A card that is saved whatever happens to it, as a real one would keep what was written.

        Raises `CardError` when the image cannot be read or written, because then it is the card that failed, and
        `KeyUseError` when a new card cannot get the keys.
        """
        self._path = folder / CARD_FILE
        with _as_card_error():
            card = load_card(self._path) if self._path.exists() else self._blank()
        self._card, self._saved = card, card.memory.changes
        try:
            with LocalTransport(card, name=str(self._path)) as transport:
                yield transport
        finally:
            if card.memory.changes != self._saved:
                self.keep()
            self._card = None

    def at_hand(self, folder: Path) -> bool:
        """Whether the folder has an image."""
        return (folder / CARD_FILE).exists()

    def keep(self) -> None:
        """Save the card. Raises `CardError`."""
        if self._card is not None and (self._card.memory.changes != self._saved or not self._path.exists()):
            with _as_card_error():
                save_card(self._card, self._path)
            self._saved = self._card.memory.changes

    def set_aside(self) -> None:
        """Move the image, and have it saved in its new place. Raises `CardError`."""
        if self._card is None:
            return
        folder = self._path.parent
        aside = folder.parent / SPOILED / f"{folder.name}-{self._card.memory.historical[-4:].hex()}.vcard"
        try:
            aside.parent.mkdir(mode=0o700, exist_ok=True)
            if self._path.exists():
                self._path.replace(aside)
        except OSError as error:
            raise CardError(
                f"虚拟卡文件不能移动（{error.strerror}）",
                f"the virtual card cannot be moved ({error.strerror})",
                where=str(aside),
            ) from None
        self._path = aside

    def _blank(self) -> VirtualCard:
        card = VirtualCard.blank(self.profile, region=self.region)
        keys = self.access.keys if self.access is not None else None
        if keys is None:
            return card
        with LocalTransport(card) as transport:
            session = SscCard.open(transport, self.profile, Access(keys=keys))
            if session.authenticate():  # they are the demonstration keys
                return card
            session.present(Access(keys=DemonstrationKeys()))
            load_keys(session, keys)
        return card


@contextmanager
def _as_card_error() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise CardError(*error.text, where=error.where) from None


class ReaderBlanks:
    """Cards put into a reader one after the other; ``tell`` gets what the clerk is to do.

    A card that lies in the reader at the start is taken as the first.
    """

    attempts = 3

    def __init__(self, reader: str, tell: Callable[[Text], None], *, access: Access | None = None) -> None:
        """Use the reader of exactly this name; ``access`` is what can be shown to the cards."""
        self.reader = reader
        self.access = access
        self._tell = tell
        self._events = ReaderMonitor().watch()
        self._present = False
        self._used = False

    @contextmanager
    def card(self, folder: Path) -> Iterator[Transport]:
        """The next card; waits until the one before is taken out and a new one lies in the reader."""
        number = folder.name
        if self._used:
            self._tell(Text("请取出卡片", "take the card out"))
            self._wait(present=False)
        self._tell(Text(f"请放入卡号 {number} 的卡片", f"insert the card for number {number}"))
        self._wait(present=True)
        self._used = True
        with open_card(self.reader) as transport:
            yield transport

    def at_hand(self, folder: Path) -> None:
        """Nobody knows."""

    def keep(self) -> None:
        """A card keeps what was written by itself."""

    def set_aside(self) -> None:
        """The clerk does that."""

    def _wait(self, *, present: bool) -> None:
        while self._present is not present:
            event = next(self._events)
            if not event.reader or (event.reader == self.reader and event.kind is EventKind.READER_REMOVED):
                self._tell(event.text)
            if event.reader == self.reader:
                self._present = event.kind is EventKind.CARD_INSERTED
