"""Result codes of PC/SC and what they mean for a person at the reader.

The numbers are those of winscard.h and pcsclite.h. Windows hands them out as negative numbers, Linux and macOS as
positive ones; ``error_of`` takes both.
"""

import sys
from typing import NamedTuple

from juying.errors import (
    CardError,
    CardRemoved,
    CommandTimeout,
    ReaderUnavailable,
    ServiceUnavailable,
    TransportError,
)
from juying.text import Text

SUCCESS = 0x00000000
CANCELLED = 0x80100002
TIMEOUT = 0x8010000A
COMM_ERROR = 0x80100013
NOT_TRANSACTED = 0x80100016
NO_READERS_AVAILABLE = 0x8010002E
REMOVED_CARD = 0x80100069


class Meaning(NamedTuple):
    """The exception for a code, and its message."""

    error: type[TransportError]
    text: Text


_NO_SERVICE = Text("智能卡服务没有运行", "the smart card service is not running")
_SERVICE_LOST = Text("与智能卡服务的连接已中断", "the connection to the smart card service is lost")
_READER_GONE = Text(
    "没有这个读卡器，或者它已被拔下；请接好读卡器，用 juying readers 查看名称",
    "there is no such reader, or it was unplugged; plug it in and look up its name with: juying readers",
)
_NO_CARD = Text(
    "读卡器中没有卡，或者卡已被取出；请重新插卡",
    "no card in the reader, or it was pulled out; insert it again",
)
_HELD = Text("另一个程序正在占用这张卡；请先关闭那个程序", "another program holds the card; close that program first")
_RESET = Text(
    "另一个程序复位了这张卡，本次会话已失效；请重新打开",
    "another program reset the card and this session is void; open the card again",
)
_MUTE = Text(
    "卡片没有应答；请检查插卡方向、清洁触点后重试",
    "the card does not answer; check which way round it is, clean its contacts and try again",
)
_UNSUPPORTED = Text("读卡器或卡片不支持所需的协议", "reader and card have no protocol in common")
_BROKEN = Text("与卡片的通信出错；请重新插卡", "the exchange with the card failed; insert the card again")
_BUSY = Text("智能卡服务繁忙；请稍后重试", "the smart card service is busy; try again a little later")
_FAILED = Text("智能卡服务报告内部错误", "the smart card service reports a fault of its own")

_START = {
    "win32": Text(
        "请在“服务”（services.msc）中启动 Smart Card（SCardSvr）并接好读卡器",
        "start Smart Card (SCardSvr) in services.msc and plug in a reader",
    ),
    "darwin": Text(
        "macOS 自带此服务：请重新插上读卡器，必要时重启电脑",
        "macOS has it built in: plug the reader in again, restart the machine if need be",
    ),
    "linux": Text(
        "Debian：apt install pcscd，然后 systemctl start pcscd.socket",
        "on Debian: apt install pcscd, then systemctl start pcscd.socket",
    ),
}

_MEANINGS: dict[int, Meaning] = {
    0x00000006: Meaning(ServiceUnavailable, _SERVICE_LOST),  # ERROR_INVALID_HANDLE of Windows: service ended
    0x00000016: Meaning(ReaderUnavailable, _READER_GONE),  # ERROR_BAD_COMMAND of Windows: reader pulled
    0x0000001F: Meaning(ReaderUnavailable, _READER_GONE),  # ERROR_GEN_FAILURE of Windows: reader pulled
    0x0000006D: Meaning(ServiceUnavailable, _SERVICE_LOST),  # ERROR_BROKEN_PIPE of Windows: remote desktop
    0x80100001: Meaning(TransportError, _FAILED),  # F_INTERNAL_ERROR
    0x80100003: Meaning(ServiceUnavailable, _SERVICE_LOST),  # E_INVALID_HANDLE
    0x80100009: Meaning(ReaderUnavailable, _READER_GONE),  # E_UNKNOWN_READER
    0x8010000B: Meaning(TransportError, _HELD),  # E_SHARING_VIOLATION
    0x8010000C: Meaning(CardRemoved, _NO_CARD),  # E_NO_SMARTCARD
    0x8010000D: Meaning(TransportError, _UNSUPPORTED),  # E_UNKNOWN_CARD
    0x8010000F: Meaning(TransportError, _UNSUPPORTED),  # E_PROTO_MISMATCH
    0x80100010: Meaning(TransportError, _BUSY),  # E_NOT_READY
    0x80100012: Meaning(ServiceUnavailable, _SERVICE_LOST),  # E_SYSTEM_CANCELLED
    COMM_ERROR: Meaning(ServiceUnavailable, _SERVICE_LOST),  # F_COMM_ERROR
    0x80100014: Meaning(TransportError, _FAILED),  # F_UNKNOWN_ERROR
    0x80100015: Meaning(TransportError, _MUTE),  # E_INVALID_ATR
    NOT_TRANSACTED: Meaning(TransportError, _BROKEN),  # E_NOT_TRANSACTED
    0x80100017: Meaning(ReaderUnavailable, _READER_GONE),  # E_READER_UNAVAILABLE
    0x80100018: Meaning(ServiceUnavailable, _SERVICE_LOST),  # P_SHUTDOWN
    0x8010001A: Meaning(TransportError, _UNSUPPORTED),  # E_READER_UNSUPPORTED
    0x8010001C: Meaning(TransportError, _UNSUPPORTED),  # E_CARD_UNSUPPORTED
    0x8010001D: Meaning(ServiceUnavailable, _NO_SERVICE),  # E_NO_SERVICE
    0x8010001E: Meaning(ServiceUnavailable, _NO_SERVICE),  # E_SERVICE_STOPPED
    NO_READERS_AVAILABLE: Meaning(ReaderUnavailable, _READER_GONE),
    0x8010002F: Meaning(TransportError, _BROKEN),  # E_COMM_DATA_LOST
    0x80100031: Meaning(TransportError, _BUSY),  # E_SERVER_TOO_BUSY
    0x80100065: Meaning(TransportError, _UNSUPPORTED),  # W_UNSUPPORTED_CARD
    0x80100066: Meaning(TransportError, _MUTE),  # W_UNRESPONSIVE_CARD
    0x80100067: Meaning(TransportError, _MUTE),  # W_UNPOWERED_CARD
    0x80100068: Meaning(TransportError, _RESET),  # W_RESET_CARD
    REMOVED_CARD: Meaning(CardRemoved, _NO_CARD),
}


def unsigned(code: int) -> int:
    """A result code or a state as the 32 bits that the standard means, whatever sign the system gave it."""
    return code & 0xFFFFFFFF


def error_of(code: int, reader: str = "") -> TransportError:
    """The exception for a result code other than success, in ``reader`` (or anywhere).

    Codes that mean nothing to a person at a reader become a TransportError that names the number.
    """
    code = unsigned(code)
    meaning = _MEANINGS.get(code)
    if meaning is None:
        return TransportError(f"PC/SC 错误 {code:08X}", f"PC/SC error {code:08X}", where=reader)
    zh, en = meaning.text
    if meaning.error is ServiceUnavailable:
        return service_unavailable(Text(f"{zh}（{code:08X}）", f"{en} ({code:08X})"), reader)
    return meaning.error(f"{zh}（{code:08X}）", f"{en} ({code:08X})", where=reader)


def check(code: int, reader: str = "") -> None:
    """Raise the exception of a result code, unless it is success."""
    if code != SUCCESS:
        raise error_of(code, reader)


def service_unavailable(why: Text, reader: str = "") -> ServiceUnavailable:
    """ServiceUnavailable with what to do about it on this system."""
    start = _START.get(sys.platform, _START["linux"])
    return ServiceUnavailable(f"{why.zh}；{start.zh}", f"{why.en}; {start.en}", where=reader)


def no_answer(reader: str, timeout: float) -> CommandTimeout:
    """For a card that said nothing for ``timeout`` seconds."""
    return CommandTimeout(
        f"{timeout:g} 秒内没有应答；请取出卡片重新插入，或关闭占用卡片的其他程序",
        f"no answer within {timeout:g} s; pull the card out and insert it again, or close other programs that use it",
        where=reader,
    )


def dead(why: BaseException, reader: str) -> TransportError:
    """For a connection that ended earlier because of ``why``."""
    text = why.text if isinstance(why, CardError) else Text("程序被中断", "the program was interrupted")
    return TransportError(
        f"连接已失效（{text.zh}）；请重新打开卡片",
        f"the connection is dead ({text.en}); open the card again",
        where=reader,
    )
