"""What the codes of the transit application mean, in Chinese and English.

The tables agree in several public programs; a code that is not here is shown as it is.
"""

from collections.abc import Mapping

from juying.text import Text

KINDS: Mapping[int, Text] = {
    1: Text("普通卡", "normal"),
    2: Text("学生卡", "student"),
    3: Text("老人卡", "senior"),
    4: Text("测试卡", "test"),
    5: Text("军人卡", "military"),
}
"""Card kinds (file 17); local systems use others, in files of their own."""

ENABLED: Mapping[int, Text] = {
    0: Text("未启用", "not enabled"),
    1: Text("已启用", "enabled"),
    2: Text("已停用", "stopped"),
}
"""Values of the enabled flag (file 15)."""

TRANSACTIONS: Mapping[str, Text] = {
    "02": Text("圈存", "load"),
    "03": Text("圈提", "unload"),
    "06": Text("消费", "purchase"),
    "07": Text("修改透支限额", "overdraft limit changed"),
    "09": Text("复合消费", "compound purchase"),
}
"""Types of file 18."""

TAPS: Mapping[str, Text] = {
    "01": Text("进站", "in"),
    "02": Text("出站", "out"),
    "03": Text("进站", "in"),
    "04": Text("出站", "out"),
    "05": Text("单次", "single"),
    "06": Text("单次", "single"),
    "07": Text("补票", "penalty"),
    "08": Text("补票", "penalty"),
    "09": Text("充值", "load"),
    "0A": Text("充值", "load"),
}
"""Types of file 1E: 01, 02, 05, 07 and 09 concern the card's electronic cash, the others its purse."""

INDUSTRIES: Mapping[str, Text] = {
    "01": Text("地铁", "metro"),
    "02": Text("公交", "bus"),
    "03": Text("水上客运", "water"),
    "04": Text("出租", "taxi"),
    "05": Text("租赁汽车", "car rental"),
    "06": Text("公共自行车", "public bicycle"),
    "07": Text("停车", "parking"),
    "08": Text("长途", "coach"),
    "09": Text("轮渡", "ferry"),
    "0A": Text("城际高铁", "intercity rail"),
    "0B": Text("民航", "air"),
    "0C": Text("高速", "motorway"),
    "0E": Text("市郊铁路", "suburban rail"),
}
"""Industries of file 1E."""


def name(table: Mapping[str, Text], code: str) -> Text:
    """What ``code`` means, or the code itself."""
    return table.get(code, Text(code, code))
