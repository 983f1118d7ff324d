"""Why a card refuses: the step, the rule of the profile, and what is missing, for the person at the reader."""

from collections.abc import Iterable, Mapping
from enum import Enum

from juying.card.pin_pad import ANSWERS
from juying.card.status import meaning, tries_left
from juying.codec.rules import DEBIT, KEY, MAC, PIN, AccessRule
from juying.errors import AccessRefused
from juying.text import Text

NOT_SATISFIED, BLOCKED, NO_KEY, FOR_GOOD = 0x6982, 0x6983, 0x6A88, 0x9303

REFUSALS = frozenset({NOT_SATISFIED, BLOCKED, 0x6984, 0x6985, 0x6987, 0x6988, 0x9302, FOR_GOOD})
"""Status words of a card that wants something else first; so does 63Cx."""

NO_PIN = Text("没有给出个人密码", "no PIN was given")
NO_KEYS = Text("没有给出密钥库", "no key store was given")
OWN_KEYS = Text(
    "这张虚拟卡的密钥不是演示密钥，没有给出密钥库", "this virtual card has keys of its own; no key store was given"
)
NO_CITY = Text("卡识别码中没有发卡城市，无法选用密钥", "the card identifier names no city: no key can be chosen")
NEVER = Text("规格不允许此操作", "the profile does not allow it at all")
NO_SEAL = Text("卡规格中没有此类密钥", "the profile has no such key")
UNCHANGED = Text("未作任何改动", "nothing was changed")
PURSE = Text("只有扣款命令可以更改", "only the purse command may change it")


class Act(Enum):
    """What was being done with a file."""

    READ = Text("读取", "read")
    WRITE = Text("写入", "write")


def is_refusal(sw: int) -> bool:
    """Whether a status word says that a key, a PIN or secure messaging is wanted."""
    return sw in REFUSALS or tries_left(sw) is not None


def lacking_key(store: Text, city: str) -> Text:
    """A key that ``store`` does not have for ``city``."""
    return Text(f"{store.zh.rstrip()}中没有城市 {city} 的这个密钥", f"{store.en} has none for city {city}")


def refused_key(sw: int) -> Text:
    """What the card says to an authentication with a key; it is not tried a second time."""
    left = tries_left(sw)
    if left == 0 or sw == BLOCKED:
        return Text(
            "卡上的这个密钥因连续错误已被锁定，请到发卡机构处理",
            "the card has locked this key after too many wrong tries; take it to the issuer",
        )
    if left is not None:
        return Text(
            f"卡片不认密钥库中的这个密钥，还可以试 {left} 次，未再尝试",
            f"the card does not accept the one in the key store, {_tries(left)} left, and it was not tried again",
        )
    if sw == NO_KEY:
        return Text("卡上没有这个密钥", "the card has no such key")
    said = meaning(sw)
    return Text(f"密钥认证失败（{sw:04X}：{said.zh}）", f"its authentication failed ({sw:04X}: {said.en})")


def refused_pin(sw: int) -> Text:
    """What card or PIN pad says to a PIN."""
    left = tries_left(sw)
    if left == 0 or sw == BLOCKED:
        return Text("个人密码已锁定，请到发卡机构解锁", "the PIN is locked; have it unblocked by the issuer")
    if left is not None:
        return Text(f"个人密码错误，还可以试 {left} 次", f"the PIN was wrong, {_tries(left)} left")
    said = ANSWERS.get(sw) or meaning(sw)
    return Text(f"个人密码未验证（{said.zh}）", f"the PIN was not verified ({said.en})")


def refused(
    sw: int, act: Act, address: str, rule: AccessRule, reasons: Mapping[str, Text], *, profile: str, where: str
) -> AccessRefused:
    """The error for a command on a file that the card refused with ``sw``.

    ``reasons`` says of each grant in ``rule`` that could not be had why; a grant that is not in it was shown.
    """
    missing = _missing(rule, reasons)
    why = [reasons[grant] for grant in missing] or [_rest(rule, profile, sw)]
    needs, said = _needs(act, address, rule), meaning(sw)
    # 6982 says no more than that something is missing, and that is told better.
    texts = [needs, *why] if sw == NOT_SATISFIED else [said, needs, *why]
    zh, en = _joined(texts)
    text = Text(f"卡片返回 {sw:04X}：{zh}", f"the card answered {sw:04X}: {en}")
    return AccessRefused(sw, text, rule=rule.text, missing=missing, where=where)


def impossible(
    act: Act,
    address: str,
    rule: AccessRule,
    reasons: Mapping[str, Text],
    *,
    where: str,
    sw: int = NOT_SATISFIED,
    untouched: bool = False,
) -> AccessRefused:
    """The error for a step that was not tried, because its rule cannot be fulfilled.

    ``sw`` is what the card said to key or PIN, 6982 if it was not asked; ``untouched`` that nothing was written yet.
    """
    missing = _missing(rule, reasons)
    why = [reasons[grant] for grant in missing] or [NEVER]
    after = [UNCHANGED] if untouched else []
    text = _joined([_needs(act, address, rule), *why, *after])
    return AccessRefused(sw, text, rule=rule.text, missing=missing, where=where)


def no_proof(
    step: str, rule: AccessRule, reasons: Mapping[str, Text], *, where: str, sw: int = NOT_SATISFIED
) -> AccessRefused:
    """The error for a command of the office: we lack its key (``reasons`` says why), or the card refused it."""
    missing = _missing(rule, reasons)
    wanted = _word(rule.text)
    needs = Text(f"{step} 需要{wanted.zh}", f"{step} needs {wanted.en}")
    why = [reasons[grant] for grant in missing] or [meaning(sw)]
    text = _joined([needs, *why, UNCHANGED])
    return AccessRefused(sw, text, rule=rule.text, missing=missing, where=where)


def no_seal(name: str, reason: Text, *, untouched: bool = False) -> AccessRefused:
    """The error for a permit that cannot be sealed or opened: the key ``name`` is not there, and ``reason`` says why.

    ``untouched`` says that nothing was written yet.
    """
    needs = Text(f"密封的工作许可需要密钥 {name}", f"a sealed permit needs {name}")
    text = _joined([needs, reason, *([UNCHANGED] if untouched else [])])
    return AccessRefused(NOT_SATISFIED, text, rule=KEY + name, missing=(KEY + name,), where="permit")


def _missing(rule: AccessRule, reasons: Mapping[str, Text]) -> list[str]:
    """The grants of a rule that could not be had, each once, in their order."""
    grants = dict.fromkeys(grant for grants in rule.alternatives for grant in sorted(grants))
    return [grant for grant in grants if grant in reasons]


def _joined(texts: Iterable[Text]) -> Text:
    """Texts one after the other, the same one only once."""
    unique = list(dict.fromkeys(texts))
    return Text("；".join(text.zh for text in unique), "; ".join(text.en for text in unique))


def _rest(rule: AccessRule, profile: str, sw: int) -> Text:
    """Why the card refuses although nothing seems to be missing."""
    if not rule.alternatives:
        return NEVER
    if sw == FOR_GOOD:
        return Text("请换卡", "replace the card")
    return Text(
        f"规格 {profile} 的要求已满足，此卡的规定可能不同",
        f"what profile {profile} asks for was shown, this card may ask for more",
    )


def _needs(act: Act, address: str, rule: AccessRule) -> Text:
    zh, en = act.value
    if rule.text == "free":
        return Text(f"{address} 的{zh}按规格不需要密钥或密码", f"{en} of {address} needs neither key nor PIN")
    if not rule.alternatives:
        return Text(f"{address} 的{zh}", f"{en} of {address}")
    words = [[_word(grant) for grant in sorted(grants)] for grants in rule.alternatives]
    wanted = Text(
        "或".join("和".join(word.zh for word in grants) for grants in words),
        " or ".join(" and ".join(word.en for word in grants) for grants in words),
    )
    return Text(f"{address} 的{zh}需要{wanted.zh}", f"{en} of {address} needs {wanted.en}")


def _word(grant: str) -> Text:
    if grant == PIN:
        return Text("个人密码", "the PIN")
    if grant == DEBIT:
        return Text("扣款命令", "the purse command")
    name = grant.partition(":")[2]
    if grant.startswith(MAC):
        return Text(f"密钥 {name} 的校验码", f"a MAC made with {name}")
    return Text(f"密钥 {name}", name)


def _tries(left: int) -> str:
    return f"{left} {'tries' if left > 1 else 'try'}"
