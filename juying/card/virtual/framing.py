"""From the bytes of a command to a `Request` and from an answer to bytes, by the rules of each protocol.

With T=0 the card sees five header bytes and perhaps data; whether P3 means Lc or Le follows from the data, an
answer to a command with data waits for GET RESPONSE (61xx), and a wrong Le is corrected (6Cxx). With T=1 all four
cases of ISO 7816-3 arrive as they are, short and extended.
"""

from juying.card.virtual.session import AnswerError, Request, Session

OK = b"\x90\x00"
PROPRIETARY, SECURE, PROPRIETARY_SECURE = 0x80, 0x04, 0x84
"""Class bytes beside 00: commands of this family of cards; a MAC after plain data; enciphered data and a MAC, or a
proprietary command with a MAC."""
MAXIMUM_DATA = 0xFFFF
"""Bytes of command data, chained or extended."""


def parse_t0(raw: bytes) -> Request:
    """Read a T=0 command; a Le after the data, which has no meaning there, is ignored. `AnswerError` 6700."""
    size = len(raw)
    if size < 4:
        raise AnswerError(0x6700)
    cla, ins, p1, p2 = raw[:4]
    if size <= 5:
        return Request(cla, ins, p1, p2, b"", (raw[4] if size == 5 else 0) or 256, True)
    end = 5 + raw[4]
    if raw[4] == 0 or not end <= size <= end + 1:
        raise AnswerError(0x6700)
    return Request(cla, ins, p1, p2, raw[5:end], None, False)


def parse_t1(raw: bytes) -> Request:
    """Read a command of ISO 7816-3, cases 1 to 4, short and extended. `AnswerError` 6700."""
    size = len(raw)
    if size < 4:
        raise AnswerError(0x6700)
    cla, ins, p1, p2 = raw[:4]
    if size == 5:
        return Request(cla, ins, p1, p2, b"", raw[4] or 256, not raw[4])
    if size == 4:
        return Request(cla, ins, p1, p2, b"", None, False)
    if raw[4]:
        start, end, width = 5, 5 + raw[4], 1
    elif size == 7:
        start, end, width = 5, 5, 2
    elif size > 7:
        start, end, width = 7, 7 + int.from_bytes(raw[5:7], "big"), 2
    else:
        raise AnswerError(0x6700)
    if size == end and end > start:
        return Request(cla, ins, p1, p2, raw[start:], None, False)
    if size != end + width or (start == end and size != 7):
        raise AnswerError(0x6700)
    expected = int.from_bytes(raw[end:], "big")
    return Request(cla, ins, p1, p2, raw[start:end], expected or 256**width, not expected)


def reply_t0(session: Session, request: Request, body: bytes) -> bytes:
    """The answer bytes for ``body``; after a command with data it waits for GET RESPONSE."""
    size = len(body)
    if not size:
        return OK
    if request.le is None:
        session.pending = body
        return bytes((0x61, size & 0xFF))
    if size != request.le:
        raise AnswerError(0x6C00 | size & 0xFF)
    return body + OK


def reply_t1(_session: Session, request: Request, body: bytes) -> bytes:
    """The answer bytes for ``body``, nothing but the status word where the terminal expects no data."""
    if request.le is None:
        return OK
    if len(body) > request.le:
        raise AnswerError(0x6C00 | len(body) & 0xFF)
    return body + OK


def warning_t0(session: Session, _request: Request, warning: AnswerError) -> bytes:
    """The answer bytes for a warning (62xx); its data waits for GET RESPONSE, as that of any command with data does."""
    session.pending = warning.data
    return warning.sw.to_bytes(2)


def warning_t1(_session: Session, request: Request, warning: AnswerError) -> bytes:
    """The answer bytes for data with a warning (62xx), nothing but the status word where no data is expected."""
    return (warning.data if request.le is not None else b"") + warning.sw.to_bytes(2)


def expect_class(request: Request, *classes: int) -> None:
    """Refuse a class byte that is not among ``classes``, as `wrong_class` says."""
    if request.cla not in classes:
        raise wrong_class(request.cla)


def wrong_class(cla: int) -> AnswerError:
    """The refusal of a class byte: 6882 for secure messaging, 6881 for another logical channel, else 6E00."""
    if cla & 0xE0 and cla != PROPRIETARY_SECURE:
        return AnswerError(0x6E00)
    if cla & 0x0C:
        return AnswerError(0x6882)
    return AnswerError(0x6881 if cla & 0x03 else 0x6E00)


def assemble(session: Session, request: Request) -> Request | None:
    """Join a chained command; `None` while parts are missing. `AnswerError` 6883 when another one cuts in."""
    head = request[1:4]
    if session.chain_head not in (None, head):
        raise AnswerError(0x6883)
    data = session.chain + request.data
    if len(data) > MAXIMUM_DATA:
        raise AnswerError(0x6700)
    if request.cla & 0x10:
        session.chain, session.chain_head = data, head
        return None
    session.drop_chain()
    return request._replace(data=data)
