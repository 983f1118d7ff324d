"""Status words and what they mean to the person in front of the card.

Sources: ISO 7816-4 for 61xx to 6Fxx; 93xx and 94xx as observed on social security, PBOC and transport cards.
"""

from juying.errors import InputError
from juying.text import Text

OK = 0x9000

_MEANINGS: dict[int, Text] = {
    0x9000: Text("成功", "success"),
    0x6200: Text("警告：卡内数据未改变", "warning: nothing on the card was changed"),
    0x6281: Text("警告：返回的数据可能有误，请重读一次", "warning: part of the data may be corrupted; read it again"),
    0x6282: Text(
        "警告：已到文件或记录末尾，数据比要求的少", "warning: end of file or record, less data than asked for"
    ),
    0x6283: Text(
        "所选文件或应用已被锁定，请联系发卡机构", "the selected file or application is blocked; ask the card's issuer"
    ),
    0x6284: Text("警告：文件控制信息格式不符", "warning: the file control information is badly formatted"),
    0x6285: Text("所选文件已终止使用，请换卡", "the selected file is in termination state; replace the card"),
    0x6286: Text("警告：卡上传感器没有数据", "warning: no input from a sensor on the card"),
    0x6300: Text(
        "认证失败：密钥、密码或认证数据不正确", "authentication failed: wrong key, password or authentication data"
    ),
    0x6381: Text("警告：文件已写满", "warning: the last write filled up the file"),
    0x6400: Text("执行出错，卡内数据未改变，请重试", "execution failed, nothing was changed; try again"),
    0x6401: Text("卡片要求立即应答", "the card requires an immediate response"),
    0x6500: Text(
        "执行出错，卡内数据可能已改变，请重读核对",
        "execution failed and the card may have been changed; read it back and compare",
    ),
    0x6581: Text(
        "卡片存储器写入失败，请重试；再次失败请换卡",
        "the card's memory could not be written; try again, and replace the card if it fails again",
    ),
    0x6600: Text("安全环境错误", "security problem reported by the card"),
    0x6700: Text("命令长度错误", "wrong length"),
    0x6800: Text("不支持此类别字节的功能", "a function in the class byte is not supported"),
    0x6881: Text("不支持逻辑通道", "logical channels are not supported"),
    0x6882: Text("不支持安全报文", "secure messaging is not supported"),
    0x6883: Text("命令链未结束，缺少最后一条命令", "the last command of the chain was expected"),
    0x6884: Text("不支持命令链", "command chaining is not supported"),
    0x6900: Text("命令不被允许", "the command is not allowed"),
    0x6901: Text(
        "命令不被接受：卡片或应用的状态无效", "the command is not accepted: invalid state of card or application"
    ),
    0x6981: Text("命令与文件结构不符", "the command does not suit the structure of the file"),
    0x6982: Text(
        "不满足安全状态：须先通过密钥认证或验证个人密码",
        "security status not satisfied: authenticate with the key or verify the holder's PIN first",
    ),
    0x6983: Text(
        "认证方法已锁定：密码或密钥连续错误次数过多，请到发卡机构解锁",
        "blocked after too many wrong tries of PIN or key; have it unblocked by the issuer",
    ),
    0x6984: Text(
        "引用的数据无效：密钥或密码不可用，或随机数已失效，请从头再做",
        "reference data not usable: invalid key or PIN, or the challenge has expired; start again",
    ),
    0x6985: Text("不满足使用条件，请按规定的顺序操作", "conditions of use not satisfied; keep to the order of steps"),
    0x6986: Text("不允许此命令：当前没有选中文件", "command not allowed: no file is selected"),
    0x6987: Text("缺少安全报文数据（如校验码）", "secure messaging data (such as the MAC) is missing"),
    0x6988: Text(
        "安全报文错误：校验码不正确，可能用错了密钥",
        "secure messaging data is incorrect: wrong MAC, perhaps the wrong key",
    ),
    0x6A00: Text("参数 P1 或 P2 错误", "wrong parameter P1 or P2"),
    0x6A80: Text("数据内容不正确", "the data field is incorrect"),
    0x6A81: Text(
        "不支持此功能，或卡片、应用已被锁定", "the function is not supported, or the card or application is blocked"
    ),
    0x6A82: Text("卡上没有此文件或应用", "no such file or application on the card"),
    0x6A83: Text("没有此记录", "no such record"),
    0x6A84: Text("文件空间不足，或记录过长", "not enough space in the file, or the record is too long"),
    0x6A85: Text("数据长度与 TLV 结构不符", "the length does not agree with the TLV structure"),
    0x6A86: Text("参数 P1、P2 不正确", "incorrect parameters P1 and P2"),
    0x6A87: Text("数据长度与 P1、P2 不符", "the length does not agree with P1 and P2"),
    0x6A88: Text("找不到引用的数据或密钥", "the referenced data or key was not found"),
    0x6A89: Text("文件已存在", "the file exists already"),
    0x6A8A: Text("应用名已存在", "an application of this name exists already"),
    0x6B00: Text("偏移量或参数超出范围", "offset or parameters out of range"),
    0x6D00: Text(
        "卡片不支持此命令，可能选错了应用",
        "the card does not know this command; perhaps the wrong application is selected",
    ),
    0x6E00: Text("卡片不支持此命令类别", "the card does not support this class of commands"),
    0x6F00: Text("卡片内部错误，请取出卡片后重试", "internal error of the card; take it out and try again"),
    0x9302: Text("校验码（MAC）无效，可能用错了密钥", "invalid MAC; perhaps the wrong key was used"),
    0x9301: Text("资金不足", "not enough money on the card"),
    0x9303: Text("应用或卡片已被永久锁定，请换卡", "the application or card is blocked for good; replace the card"),
    0x9401: Text("资金不足", "not enough money on the card"),
    0x9402: Text("交易计数器已到最大值，请换卡", "the transaction counter is at its end; replace the card"),
    0x9403: Text(
        "不支持此密钥索引：PSAM 卡可能不支持该功能",
        "key index not supported; the PSAM may lack this function",
    ),
    0x9406: Text("所需的 MAC 或 TAC 不可用", "the requested MAC or TAC is not available"),
    0x9407: Text("复合应用的锁定标志已置位", "the record of the compound application is locked"),
    0x9408: Text("钱包被灰锁，须先解扣", "the purse is grey-locked; it has to be released first"),
}

_FAMILIES: dict[int, Text] = {
    0x62: Text("警告：卡内数据未改变", "warning: nothing on the card was changed"),
    0x63: Text("警告：卡内数据已改变", "warning: the card was changed"),
    0x64: Text("执行出错，卡内数据未改变，请重试", "execution failed, nothing was changed; try again"),
    0x65: Text(
        "执行出错，卡内数据可能已改变，请重读核对",
        "execution failed and the card may have been changed; read it back and compare",
    ),
    0x66: Text("安全环境错误", "security problem reported by the card"),
    0x67: Text("命令长度错误", "wrong length"),
    0x68: Text("不支持此类别字节的功能", "a function in the class byte is not supported"),
    0x69: Text("命令不被允许", "the command is not allowed"),
    0x6A: Text("参数 P1 或 P2 错误", "wrong parameter P1 or P2"),
    0x6D: Text("卡片不支持此命令", "the card does not know this command"),
    0x6E: Text("卡片不支持此命令类别", "the card does not support this class of commands"),
    0x6F: Text("卡片内部错误，请取出卡片后重试", "internal error of the card; take it out and try again"),
}


def tries_left(sw: int) -> int | None:
    """How many tries 63Cx leaves for the PIN or key (0 to 15); None for every other status word."""
    return sw & 0x0F if sw & 0xFFF0 == 0x63C0 else None


def meaning(sw: int) -> Text:
    """What a status word says; every value from 0x0000 to 0xFFFF has an answer.

    A status word that the table does not hold is described by its family in ISO 7816-4, and called unknown.
    Raises InputError for a number that is no status word.
    """
    if not 0 <= sw <= 0xFFFF:
        raise InputError("状态字应在 0000 到 FFFF 之间", "a status word is between 0000 and FFFF")
    known = _MEANINGS.get(sw)
    if known:
        return known
    left = tries_left(sw)
    if left is not None:
        return _wrong(left)
    family, count = sw >> 8, sw & 0xFF
    if family == 0x61:
        return Text(
            f"成功，还有 {count or '256 或更多'} 字节待取", f"success, {count or '256 or more'} bytes are waiting"
        )
    if family == 0x6C:
        return Text(f"长度 Le 错误，应为 {count or 256}", f"wrong length Le, {count or 256} is right")
    if family in _FAMILIES:
        zh, en = _FAMILIES[family]
        return Text(f"未知状态字（{zh}）", f"unknown status word ({en})")
    return Text("未知状态字", "unknown status word")


def _wrong(left: int) -> Text:
    if not left:
        return Text(
            "密码或密钥错误，已被锁定，请到发卡机构解锁",
            "wrong PIN or key, now blocked; have it unblocked by the issuer",
        )
    return Text(
        f"密码或密钥错误，还可以试 {left} 次", f"wrong PIN or key, {left} {'tries' if left > 1 else 'try'} left"
    )
