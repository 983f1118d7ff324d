"""The commands for files: SELECT, records, binary data, GET RESPONSE (ISO 7816-4).

Each takes the session and the request and returns the response data; every other end is an `AnswerError`. Memory is
written last, when nothing can fail any more; the selection is put back by the card when a command fails.
"""

from collections.abc import Callable, Mapping

from juying.card.virtual.memory import Lock
from juying.card.virtual.session import AnswerError, Request, Session
from juying.card.virtual.tree import Dedicated, Elementary
from juying.codec.file import Rules
from juying.codec.spec import FileKind

FIRST, LAST, NEXT, PREVIOUS, BY_NUMBER = range(5)
"""Low three bits of P2 of the record commands: which occurrence of an identifier, or P1 is a number."""
_TEMPLATES = {0x00: 0x6F, 0x04: 0x62}
"""Tag around the control information, by bits 4 and 3 of P2 of SELECT: FCI or FCP; 0C asks for none."""


def select(session: Session, request: Request) -> bytes:
    """A4: by FID (P1 00), child directory (01), file of the current directory (02), name or its beginning (04)."""
    find = _SELECTORS.get(request.p1)
    occurrence, wanted = request.p2 & 0x03, request.p2 & 0x0C
    if find is None or request.p2 & 0xF0 or wanted == 0x08 or occurrence not in (0, 2 if request.p1 == 4 else 0):
        raise AnswerError(0x6A86)
    target = find(session, request)
    if target is None:
        raise AnswerError(0x6A82)
    if isinstance(target, Dedicated) and target.on_select is not None:
        target.on_select()
    answer = b""
    if wanted in _TEMPLATES:
        answer = bytes((_TEMPLATES[wanted], len(target.control))) + target.control
    if isinstance(target, Elementary):
        session.use(target, 0)
        return answer
    lock = session.memory.locks.get(target.name)
    if lock is Lock.FOR_EVER:
        raise AnswerError(0x9303)
    session.enter(target)
    if lock is not None:
        raise AnswerError(0x6283, answer)
    return answer


def _fid(request: Request) -> int:
    if len(request.data) != 2:
        raise AnswerError(0x6700)
    return int.from_bytes(request.data, "big")


def _any(session: Session, request: Request) -> Dedicated | Elementary | None:
    if not request.data:
        return session.tree.root
    fid = _fid(request)
    return session.directory.by_fid.get(fid) or session.tree.by_fid(fid)


def _child(session: Session, request: Request) -> Dedicated | None:
    fid = _fid(request)
    tree = session.tree
    if session.directory not in (tree.root, tree.environment) or fid == tree.root.fid:
        return None
    return tree.by_fid(fid)


def _file(session: Session, request: Request) -> Elementary | None:
    return session.directory.by_fid.get(_fid(request))


def _name(session: Session, request: Request) -> Dedicated | None:
    name = request.data
    if not 1 <= len(name) <= 16:
        raise AnswerError(0x6700)
    matches = [entry for entry in session.tree.applications if entry.aid.startswith(name)]
    if request.p2 & 0x02 and session.directory in matches:
        matches = matches[matches.index(session.directory) + 1 :]
    return matches[0] if matches else None


_SELECTORS: Mapping[int, Callable[[Session, Request], Dedicated | Elementary | None]] = {
    0x00: _any,
    0x01: _child,
    0x02: _file,
    0x04: _name,
}


def read_record(session: Session, request: Request) -> bytes:
    """B2: one record, by number or by tag, of the current file or of the one whose SFI is in P2."""
    _expect_reading(request)
    file = _record_file(session, request)
    number = _guarded(session, file, request, file.read) if file.read else _record(session, file, request)
    return bytes(file.records[number - 1])


def update_record(session: Session, request: Request) -> bytes:
    """DC: overwrite one record; "previous" with P1 00 on a cyclic file writes the next one instead."""
    file = _record_file(session, request)
    if file.kind is FileKind.CYCLIC and request.p2 & 0x07 == PREVIOUS and not request.p1:
        return _append(session, file, request.data)
    number = _guarded(session, file, request, file.write) if file.write else _record(session, file, request)
    _check(file, number, request.data)
    session.memory.write(file.records[number - 1], 0, request.data)
    return b""


def append_record(session: Session, request: Request) -> bytes:
    """E2: the newest record of a cyclic file; a linear file is full from the start."""
    if request.p1 or request.p2 & 0x07:
        raise AnswerError(0x6A86)
    return _append(session, _record_file(session, request), request.data)


def read_binary(session: Session, request: Request) -> bytes:
    """B0: bytes of a transparent file; 6282 with the rest when the file ends before Le is reached."""
    _expect_reading(request)
    file, offset = _place(session, request)
    if file.read:
        session.require(file.read[0])
    wanted = request.le or 0
    found = bytes(file.records[0][offset : offset + wanted])
    session.use(file)
    if len(found) < wanted and not request.open_end:
        raise AnswerError(0x6282, found)
    return found


def update_binary(session: Session, request: Request) -> bytes:
    """D6: overwrite bytes of a transparent file; they must end inside it."""
    file, offset = _place(session, request)
    if file.write:
        session.require(file.write[0])
    if not request.data:
        raise AnswerError(0x6700)
    content = file.records[0]
    if offset + len(request.data) > len(content):
        raise AnswerError(0x6A84)
    session.use(file)
    session.memory.write(content, offset, request.data)
    return b""


def get_response(session: Session, request: Request) -> bytes:
    """C0: the data that the command before announced with 61xx; what is not asked for yet stays."""
    pending, wanted = session.pending, request.le
    if not pending:
        raise AnswerError(0x6985)
    if request.p1 or request.p2:
        raise AnswerError(0x6A86)
    if wanted is None:
        raise AnswerError(0x6700)
    if wanted > len(pending):
        raise AnswerError(0x6C00 | len(pending))
    session.pending = pending[wanted:]
    if session.pending:
        raise AnswerError(0x6100 | len(session.pending), pending[:wanted])
    return pending


COMMANDS: Mapping[int, Callable[[Session, Request], bytes]] = {
    0xA4: select,
    0xB0: read_binary,
    0xB2: read_record,
    0xC0: get_response,
    0xD6: update_binary,
    0xDC: update_record,
    0xE2: append_record,
}
"""Instruction byte to command."""
GET_RESPONSE = 0xC0
UPDATES = (0xD6, 0xDC, 0xE2)
"""The commands that change a file; they may be protected by a MAC."""


def _expect_reading(request: Request) -> None:
    if request.data or request.le is None:
        raise AnswerError(0x6700)


def _at(session: Session, sfi: int) -> Elementary:
    """The current file, or the one with this short identifier in the current directory."""
    file = session.directory.by_sfi.get(sfi) if sfi else session.file
    if file is None:
        raise AnswerError(0x6A82 if sfi else 0x6986)
    return file


def _record_file(session: Session, request: Request) -> Elementary:
    file = _at(session, request.p2 >> 3)
    if file.kind is FileKind.TRANSPARENT:
        raise AnswerError(0x6981)
    return file


def _guarded(session: Session, file: Elementary, request: Request, rules: Rules) -> int:
    """As `_record`, for a file with ``rules``. `AnswerError` 6982 when that of the record is not fulfilled.

    How many records a cyclic file holds is told only to those who fulfil its rule.
    """
    if file.kind is FileKind.CYCLIC:
        session.require(rules[0])
    number = _record(session, file, request)
    session.require(rules[number - 1])
    return number


def _record(session: Session, file: Elementary, request: Request) -> int:
    """Number of the addressed record, from 1. Makes the file current; only identifiers move its pointer."""
    mode, identifier = request.p2 & 0x07, request.p1
    pointer = session.record if file is session.file else 0
    count = len(file.records)
    if mode == BY_NUMBER:
        number = identifier or pointer
        if not 1 <= number <= count:
            raise AnswerError(0x6A83)
        session.use(file)
        return number
    if mode > BY_NUMBER:
        raise AnswerError(0x6A86)
    if identifier and file.kind is FileKind.CYCLIC:
        raise AnswerError(0x6981)
    order = {
        FIRST: range(1, count + 1),
        LAST: range(count, 0, -1),
        NEXT: range(pointer + 1, count + 1),
        PREVIOUS: range((pointer or count + 1) - 1, 0, -1),
    }[mode]
    for number in order:
        if not identifier or file.records[number - 1][0] == identifier:
            session.use(file, number)
            return number
    raise AnswerError(0x6A83)


def _append(session: Session, file: Elementary, data: bytes) -> bytes:
    if file.kind is not FileKind.CYCLIC:
        raise AnswerError(0x6A84)
    if file.write:
        session.require(file.write[0])
    _check_length(data, file.record_length)
    session.use(file, 1)
    session.memory.append(file.address, data, file.capacity)
    return b""


def _check_length(data: bytes, length: int) -> None:
    if len(data) != length:
        raise AnswerError(0x6A84 if len(data) > length else 0x6700)


def _check(file: Elementary, number: int, data: bytes) -> None:
    """Refuse data that record ``number`` cannot take: it keeps its length, its tag and its length byte for ever."""
    if file.fixed:
        raise AnswerError(0x6985)
    _check_length(data, len(file.records[number - 1]))
    if file.kind is FileKind.LINEAR:
        head = file.heads[number - 1]
        if data[0] != head[0]:
            raise AnswerError(0x6A80)
        if data[1] != head[1]:
            raise AnswerError(0x6A85)


def _place(session: Session, request: Request) -> tuple[Elementary, int]:
    """File and offset of a binary command: SFI and 8 bits, or 15 bits in the current file."""
    if request.p1 & 0x80:
        if request.p1 & 0x60:
            raise AnswerError(0x6A86)
        file, offset = _at(session, request.p1 & 0x1F), request.p2
    else:
        file, offset = _at(session, 0), request.p1 << 8 | request.p2
    if file.kind is not FileKind.TRANSPARENT:
        raise AnswerError(0x6981)
    if offset >= len(file.records[0]):
        raise AnswerError(0x6B00)
    return file, offset
