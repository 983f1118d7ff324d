"""What goes on with a card while it has power; all of it is lost at the next reset."""

from typing import NamedTuple

from juying.card.virtual.memory import Memory
from juying.card.virtual.tree import Dedicated, Elementary, Tree


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


Selection = tuple[Dedicated, Elementary | None, int]
"""Current directory, current file, record pointer."""


class Session:
    """Selection, data waiting for GET RESPONSE, and the command chain that is being received.

    ``record`` is the record pointer of the current file, 0 when undefined.
    """

    __slots__ = ("chain", "chain_head", "directory", "file", "memory", "pending", "record", "tree")

    def __init__(self, tree: Tree, memory: Memory) -> None:
        """Start as after a reset: the master file is selected."""
        self.tree = tree
        self.memory = memory
        self.pending = b""
        self.drop_chain()
        self.enter(tree.root)

    def enter(self, directory: Dedicated) -> None:
        """Select a directory; what belonged to the one before is forgotten."""
        self.directory = directory
        self.file: Elementary | None = None
        self.record = 0

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
