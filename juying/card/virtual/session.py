"""What goes on with a card while it has power; all of it is lost at the next reset."""

from collections.abc import Callable
from typing import NamedTuple

from juying.card.virtual.memory import Memory
from juying.card.virtual.tree import Dedicated, Elementary, HeldKey, Tree
from juying.codec.rules import AccessRule
from juying.codec.spec import KeyKind


class AnswerError(Exception):
    """Leaves a command with a status word other than 9000; only warnings carry ``data``."""

    def __init__(self, sw: int, data: bytes = b"") -> None:
        """Take the status word, 0x6100 to 0x6FFF."""
        self.sw = sw
        self.data = data
        super().__init__(f"{sw:04X}")


class Request(NamedTuple):
    """One command as the card received it.

    ``le`` is the number of bytes that the terminal expects, `None` for none; with ``open_end`` fewer are fine.
    """

    cla: int
    ins: int
    p1: int
    p2: int
    data: bytes
    le: int | None
    open_end: bool

    def __repr__(self) -> str:
        """The header and how much data; the data may be personal."""
        return f"Request({self.cla:02X}{self.ins:02X}{self.p1:02X}{self.p2:02X}, {len(self.data)} bytes)"


Selection = tuple[Dedicated, Elementary | None, int]
"""Current directory, current file, record pointer."""


_OF_APPLICATION = frozenset({KeyKind.MAINTENANCE, KeyKind.APP_BLOCK})
"""Keys of which each application has its own; those of the other kinds belong to the whole card."""


class Session:
    """Selection, security state, data waiting for GET RESPONSE, and the command chain that is being received.

    ``record`` is the record pointer of the current file, 0 when undefined. ``held`` are the grants that were shown in
    the current application (see `juying.codec.rules`), ``challenge`` is the last random number that the card gave and
    that was not used yet. ``random`` makes such numbers.
    """

    __slots__ = (
        "chain",
        "chain_head",
        "challenge",
        "directory",
        "file",
        "held",
        "memory",
        "pending",
        "random",
        "record",
        "tree",
    )

    def __init__(self, tree: Tree, memory: Memory, random: Callable[[int], bytes]) -> None:
        """Start as after a reset: the master file is selected, nothing was shown."""
        self.tree = tree
        self.memory = memory
        self.random = random
        self.held: set[str] = set()
        self.pending = b""
        self.drop_chain()
        self.enter(tree.root)

    def enter(self, directory: Dedicated) -> None:
        """Select a directory; what belonged to the one before is forgotten, all grants among it."""
        self.directory = directory
        self.file: Elementary | None = None
        self.record = 0
        self.challenge = b""
        self.held.clear()

    def require(self, rule: AccessRule | None) -> None:
        """`AnswerError` 6982 unless what was shown is enough for ``rule``; None is a free one."""
        if rule is not None and not rule.allows(self.held):
            raise AnswerError(0x6982)

    def key(self, kind: KeyKind) -> HeldKey:
        """The key of a kind of which there is only one. `AnswerError` 6A88 without one, 6983 when it is blocked."""
        owner = self.directory if kind in _OF_APPLICATION else self.tree.environment
        return usable(next((key for key in owner.keys.values() if key.spec.kind is kind), None))

    def take_challenge(self, length: int) -> bytes:
        """The challenge, which is used up. `AnswerError` 6984 when there is none of this length."""
        challenge, self.challenge = self.challenge, b""
        if len(challenge) != length:
            raise AnswerError(0x6984)
        return challenge

    def use(self, file: Elementary, record: int | None = None) -> None:
        """Make ``file`` the current one; ``record`` moves its record pointer, `None` leaves it."""
        if record is not None:
            self.record = record
        elif file is not self.file:
            self.record = 0
        self.file = file

    @property
    def selection(self) -> Selection:
        """Current directory, file and record pointer, to be put back by `restore`."""
        return self.directory, self.file, self.record

    def restore(self, selection: Selection) -> None:
        """Go back to an earlier selection."""
        self.directory, self.file, self.record = selection

    def drop_chain(self) -> None:
        """Forget the parts of a chained command."""
        self.chain = b""
        self.chain_head: tuple[int, int, int] | None = None


def usable(key: HeldKey | None) -> HeldKey:
    """``key``, if there is one (`AnswerError` 6A88) and it is not blocked (6983)."""
    if key is None:
        raise AnswerError(0x6A88)
    if not key.secret.tries:
        raise AnswerError(0x6983)
    return key
