"""From a command to its whole answer: a stack of small wrappers around a transport.

Each layer is a function from `Command` to `Response`, made around the layer below it. From the card upwards:

``on_the_line``       encodes, obeys the rules of T=0, refuses answers that ISO 7816 does not allow
``with_exact_length`` repeats a command once when the card answers 6Cxx ("use this Le")
``with_long_data``    sends what does not fit the short form in extended length or as a chain of commands
``with_whole_answer`` collects what waits behind 61xx with GET RESPONSE

Every loop is bounded in rounds and in bytes. Secure messaging is one more layer on top of `plain_stack`, made after
SELECT and dropped at the next one: it protects a whole command, and the layers below carry the result.
"""

from collections.abc import Callable, Collection
from typing import Self

from juying.card.apdu import EXTENDED_LE, SHORT_DATA, SHORT_LE, Command, Response, get_response
from juying.card.status import OK, meaning
from juying.card.transport import Transport
from juying.errors import CardError, InputError, ProtocolError, StatusError

Exchange = Callable[[Command], Response]
"""One layer: takes a command, gives the response, whatever its status word."""

MAX_ROUNDS = 512
"""GET RESPONSE commands for one answer; 256 suffice for the longest that ISO knows (our choice)."""

MAX_ANSWER = EXTENDED_LE
"""Bytes of one answer."""

_CHAINING = 0x10
_WRONG_LENGTH = 0x6700


class Channel:
    """A conversation with one card; not to be shared between threads.

    ``extended`` says that card and reader can take extended length (T=1 only); if the card then refuses it with
    6700, the channel remembers that and goes on without. ``chaining`` allows command chaining for data of more
    than 255 bytes.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        extended: bool = False,
        chaining: bool = True,
        max_answer: int = MAX_ANSWER,
        max_rounds: int = MAX_ROUNDS,
    ) -> None:
        """Build the plain stack over ``transport``."""
        self.transport = transport
        self._exchange = plain_stack(
            transport, extended=extended, chaining=chaining, max_answer=max_answer, max_rounds=max_rounds
        )

    def transmit(self, command: Command) -> Response:
        """The whole answer to ``command``, with any status word.

        61xx is left over only when the card has more to give than the command asked for. Raises InputError for a
        command that cannot be sent, ProtocolError when the card breaks ISO 7816 or a limit, TransportError when
        the card is gone.
        """
        return self._exchange(command)

    def send(self, command: Command, *, step: str = "", ok: Collection[int] = (OK,)) -> bytes:
        """The data of the answer, if its status word is one of ``ok``.

        Raises StatusError for every other status word, unknown ones included, and else as `transmit` does.
        ``step`` tells people what was being done; it becomes ``where`` of every CardError.
        """
        try:
            response = self._exchange(command)
        except CardError as error:
            error.where = error.where or step
            raise
        sw = response.sw
        if sw in ok or (sw >> 8 == 0x61 and OK in ok):
            return response.data
        raise StatusError(sw, meaning(sw), where=step)

    def close(self) -> None:
        """Let go of the card."""
        self.transport.close()

    def __enter__(self) -> Self:
        """The channel itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the card."""
        self.close()


def plain_stack(
    transport: Transport,
    *,
    extended: bool = False,
    chaining: bool = True,
    max_answer: int = MAX_ANSWER,
    max_rounds: int = MAX_ROUNDS,
) -> Exchange:
    """All layers without secure messaging, over ``transport``; the options are those of `Channel`."""
    t0 = transport.protocol == "T=0"
    exact = with_exact_length(on_the_line(transport))
    long = with_long_data(exact, extended=extended and not t0, chaining=chaining)
    return with_whole_answer(long, t0=t0, max_answer=max_answer, max_rounds=max_rounds)


def on_the_line(transport: Transport) -> Exchange:
    """Encode for the protocol of the line, and check the answer.

    T=0 has no case 1 and no case 4 (ISO 7816-3): P3 = 00 is added to the one, Le taken from the other. INS 6X and 9X
    would be mistaken for status bytes there, and are refused with InputError. An answer without status word,
    or with more data than the command takes, is a ProtocolError.
    """
    transmit = transport.transmit
    t0 = transport.protocol == "T=0"

    def exchange(command: Command) -> Response:
        le = command.le
        if command.ins & 0xF0 in (0x60, 0x90):
            raise InputError(
                f"命令 {command.header} 的 INS 无效：ISO 7816 不允许 6X 和 9X",
                f"command {command.header} has an invalid INS: ISO 7816 forbids 6X and 9X",
            )
        try:
            raw = command.encode()
        except InputError:  # too long for the short form
            raw = command.encode(extended=True)
        else:
            if t0 and not command.data and le is None:
                raw += b"\0"
            elif t0 and command.data and le is not None:
                raw = raw[:-1]
        answer = transmit(raw)
        if len(answer) < 2:
            raise ProtocolError(
                "卡片响应缺少状态字，请取出卡片后重试",
                "the card's answer has no status word; take the card out and try again",
            )
        if len(answer) - 2 > (le or 0):
            raise ProtocolError(
                f"卡片对命令 {command.header} 返回了 {len(answer) - 2} 字节，最多只要求 {le or 0} 字节",
                f"the card answered command {command.header} with {len(answer) - 2} bytes, "
                f"at most {le or 0} were asked for",
            )
        return Response(answer[:-2], answer[-2] << 8 | answer[-1])

    return exchange


def with_exact_length(below: Exchange) -> Exchange:
    """Repeat a command with the Le that 6Cxx names (00 is 256), once.

    The card has not carried out the command then (ISO 7816-4), so that any command may be repeated. Asking for a
    length a second time is a ProtocolError.
    """

    def exchange(command: Command) -> Response:
        response = below(command)
        if response.sw >> 8 != 0x6C or command.le is None:
            return response
        exact = response.sw & 0xFF or SHORT_LE
        response = below(Command(command.cla, command.ins, command.p1, command.p2, command.data, exact))
        if response.sw >> 8 == 0x6C:
            raise ProtocolError(
                f"卡片两次拒绝命令 {command.header} 的长度 Le",
                f"the card refused the length Le of command {command.header} twice",
            )
        return response

    return exchange


def with_long_data(below: Exchange, *, extended: bool, chaining: bool) -> Exchange:
    """Carry what the short form cannot: data of more than 255 bytes, answers of more than 256.

    With ``extended`` the command passes as it is, until the card refuses one with 6700: it was not carried out,
    so it is sent again in the short form, and extended length is not tried any more on this channel. Otherwise
    the data becomes a chain, and a long answer is fetched through 61xx. Raises InputError when ``chaining`` is
    not allowed or the class has no chaining bit.
    """

    def exchange(command: Command) -> Response:
        nonlocal extended
        if command.short:
            return below(command)
        if extended:
            response = below(command)
            if response.sw != _WRONG_LENGTH:
                return response
            extended = False
        return in_chain(command)

    def in_chain(command: Command) -> Response:
        cla, ins, p1, p2, data = command.cla, command.ins, command.p1, command.p2, command.data
        le = None if command.le is None else min(command.le, SHORT_LE)
        last = max(len(data) - 1, 0) // SHORT_DATA * SHORT_DATA
        if last and not (chaining and cla < 0x80):
            raise InputError(
                f"命令 {command.header} 有 {len(data)} 字节数据，此卡或读卡器最多接受 255 字节",
                f"command {command.header} carries {len(data)} bytes, this card or reader takes 255 at most",
            )
        for start in range(0, last, SHORT_DATA):
            response = below(Command(cla | _CHAINING, ins, p1, p2, data[start : start + SHORT_DATA]))
            if response.sw >> 8 == 0x61:
                raise ProtocolError(
                    f"命令链 {command.header} 还没有结束，卡片就返回了数据",
                    f"the card answers the chain {command.header} before its last command",
                )
            if response.sw != OK:
                return response
        return below(Command(cla, ins, p1, p2, data[last:], le))

    return exchange


def with_whole_answer(
    below: Exchange, *, t0: bool = False, max_answer: int = MAX_ANSWER, max_rounds: int = MAX_ROUNDS
) -> Exchange:
    """Collect the answer piece by piece while the card says 61xx.

    No more is fetched than the command takes; Le 256 and 65536 take all there is. With T=0 a warning (62xx, 63xx) may
    hide data of a case 4 command: it is asked for once, and the warning stays the status word (ISO 7816-3). An error
    on the way is the answer. More than ``max_answer`` bytes, more than ``max_rounds`` rounds, or a round without data
    is a ProtocolError.
    """

    def exchange(command: Command) -> Response:
        response = below(command)
        sw1 = response.sw >> 8
        if sw1 == 0x61 and command.le is not None:
            return collect(command, command.le, response)
        if t0 and sw1 in (0x62, 0x63) and command.case == 4 and not response.data:
            more = below(get_response(SHORT_LE, channel_class(command.cla)))
            return Response(more.data, response.sw) if more.sw == OK else response
        return response

    def collect(command: Command, le: int, response: Response) -> Response:
        wanted = max_answer if le in (SHORT_LE, EXTENDED_LE) else min(le, max_answer)
        cla = channel_class(command.cla)
        parts = [response.data]
        missing = wanted - len(response.data)
        rounds = 0
        while response.sw >> 8 == 0x61 and missing > 0:
            if rounds == max_rounds or (rounds and not response.data):
                raise _endless(command)
            rounds += 1
            response = below(get_response(min(response.sw & 0xFF or SHORT_LE, missing), cla))
            if response.sw >> 8 not in (0x61, 0x62, 0x63, 0x90):
                return response
            parts.append(response.data)
            missing -= len(response.data)
        if response.sw >> 8 == 0x61 and wanted != le:
            raise _endless(command)
        return Response(b"".join(parts), response.sw)

    return exchange


def _endless(command: Command) -> ProtocolError:
    return ProtocolError(
        f"命令 {command.header} 的响应没有结束，已停止接收",
        f"the answer to command {command.header} does not end; no more of it is taken",
    )


def channel_class(cla: int) -> int:
    """CLA for a GET RESPONSE after a command of class ``cla``: the logical channel alone.

    Chaining and secure messaging are left out. The further interindustry classes 4X to 7X number the channel in four
    bits; the first ones and 8X, as GlobalPlatform has it, in two; other proprietary classes name none.
    """
    if cla & 0xC0 == 0x40:
        return 0x40 | cla & 0x0F
    return cla & 0x03 if cla < 0x90 else 0x00
