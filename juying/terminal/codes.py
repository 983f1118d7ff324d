"""Return codes of the terminal interface, and which one an error of ours becomes.

The codes are published (vendor manuals and the programs that handle them). A status word of the card becomes its
negative: 6A82 is -27266.
"""

from enum import IntEnum

from juying.errors import (
    CardError,
    CardRefused,
    CardRemoved,
    CommandTimeout,
    DecodeError,
    InputError,
    JuyingError,
    KeyUseError,
    ProtocolError,
    StatusError,
    TransportError,
)
from juying.text import Text

LONGEST_MESSAGE = 200
"""Characters of a message; callers in the field bring buffers of 1024 bytes."""


class Code(IntEnum):
    """Every published return code that we answer, but for status words."""

    OK = 0
    CARD_TYPE = -1
    """The card is no social security card, or one that we do not know."""
    NO_CARD = -2
    NO_ANSWER = -4
    READER = -11
    """No such reader, or the smart card service does not run."""
    NOT_CONNECTED = -12
    """An HSM step without the one before it."""
    UNSUPPORTED = -13
    PARAMETER = -14
    IDENTIFIER = -20
    """A card identifier that cannot be one."""
    NOT_GENUINE = -21
    OTHER_CARD = -22
    """The card is not the one in pCardInfo."""
    DATA = -23
    PSAM_LEVEL = -24
    """Usage of the key and steps of diversification do not go together."""
    CANCELLED = -31
    TIMEOUT = -32
    PIN_LENGTH = -33
    PINS_DIFFER = -34
    INITIAL_PIN = -35
    """An initial PIN does not trade."""
    TO_INITIAL_PIN = -36
    """The PIN may not be changed to an initial one."""
    CHARACTER = -41
    LENGTH = -42
    PIN_WRONG = -51
    PIN_LOCKED = -52
    NO_PSAM = -2201
    NO_ALGORITHM = -2202
    NO_READ_KEY = -2203
    """The PSAM lacks RKSSSE, without which a card of the third generation cannot be read."""
    NO_HSM_NEEDED = -2204


TITLES = {
    Code.OK: "成功",
    Code.CARD_TYPE: "卡类型不符",
    Code.NO_CARD: "无卡",
    Code.NO_ANSWER: "卡片无应答",
    Code.READER: "读卡器连接失败",
    Code.NOT_CONNECTED: "没有上一步骤，或会话已结束",
    Code.UNSUPPORTED: "不支持此功能",
    Code.PARAMETER: "参数错误",
    Code.IDENTIFIER: "卡识别码格式错误",
    Code.NOT_GENUINE: "内部认证失败",
    Code.OTHER_CARD: "卡片与传入的卡信息不符",
    Code.DATA: "数据无效",
    Code.PSAM_LEVEL: "PSAM 卡密钥级别不符",
    Code.CANCELLED: "已取消",
    Code.TIMEOUT: "操作超时",
    Code.PIN_LENGTH: "密码长度错误",
    Code.PINS_DIFFER: "两次输入的密码不一致",
    Code.INITIAL_PIN: "初始密码不能用于交易，请先修改密码",
    Code.TO_INITIAL_PIN: "不能改为初始密码",
    Code.CHARACTER: "含有非法字符",
    Code.LENGTH: "长度错误",
    Code.PIN_WRONG: "密码验证失败",
    Code.PIN_LOCKED: "密码已锁定",
    Code.NO_PSAM: "没有 PSAM 卡",
    Code.NO_ALGORITHM: "PSAM 卡不支持此卡的算法",
    Code.NO_READ_KEY: "PSAM 卡没有 RKSSSE 密钥",
    Code.NO_HSM_NEEDED: "此操作不需要加密机",
}
"""What each says, in the language of those who read it."""

KEY_NOT_FOUND, NO_PURCHASE = 0x6A88, 0x9403
"""Status words that say that a PSAM lacks a key, or the key for purchases."""
BAD_USE = frozenset({Code.UNSUPPORTED, Code.PARAMETER, Code.IDENTIFIER, Code.DATA, Code.CHARACTER, Code.LENGTH})
"""Codes for a caller who asks for what cannot be."""
FAULTS = frozenset({Code.CARD_TYPE, Code.NO_CARD, Code.NO_ANSWER, Code.READER})
"""Codes for reader or card; so are status words, `LEAST_STATUS_WORD` and above."""
LEAST_STATUS_WORD = 0x6000

_KINDS: tuple[tuple[type[JuyingError], int], ...] = (
    (CardRemoved, Code.NO_CARD),
    (CommandTimeout, Code.NO_ANSWER),
    (TransportError, Code.READER),
    (ProtocolError, Code.NO_ANSWER),
    (CardRefused, Code.CARD_TYPE),
    (CardError, Code.UNSUPPORTED),
    (DecodeError, Code.DATA),
    (InputError, Code.PARAMETER),
    (KeyUseError, -KEY_NOT_FOUND),
)
"""What is first in the tree of errors comes first here."""


class CallError(JuyingError):
    """A call ends with ``code``, one of `Code` or the negative of a status word."""

    def __init__(self, code: int, detail: Text | None = None) -> None:
        """Take the code, and what happened where the code alone does not say it."""
        self.code = int(code)
        self.detail = detail
        title = TITLES.get(Code(code), "") if code in set(Code) else ""
        zh = title if detail is None else f"{title}：{detail.zh}" if title else detail.zh
        super().__init__(zh, detail.en if detail is not None else f"return code {int(code)}")


def refused(sw: int, text: Text) -> CallError:
    """The end of a call to which the card answered ``sw``."""
    return CallError(-sw, text)


def code_of(error: JuyingError) -> int:
    """The return code for an error of any kind."""
    if isinstance(error, CallError):
        return error.code
    if isinstance(error, StatusError):
        return -error.sw
    return next((code for kind, code in _KINDS if isinstance(error, kind)), Code.UNSUPPORTED)


def message_of(error: JuyingError) -> str:
    """What pOutInfo says of an error; never a value, a key or a PIN, because no error of ours holds one."""
    return error.text.zh[:LONGEST_MESSAGE]
