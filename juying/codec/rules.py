"""Access rules: what has to be shown to a card before it lets a file be read or written.

A rule is written in a profile as ``free``, ``never``, ``debit``, or as grants joined by ``or`` or by ``and``. The
virtual card enforces it, our side of the conversation obeys it, and the tests try every way to break it: all
three read it through `access_rule`.
"""

import functools
from collections.abc import Set
from dataclasses import dataclass

PIN = "pin"
"""Grant: the holder's PIN was verified."""
DEBIT = "debit"
"""Grant: the change is part of a purse command; no UPDATE ever has it."""
KEY, MAC = "key:", "mac:"
"""Prefixes of grants: external authentication with a key; a command that carries a MAC made with a key."""


@dataclass(frozen=True, slots=True)
class AccessRule:
    """A rule, ready to be asked.

    ``alternatives`` are the sets of grants of which each alone suffices: an empty set for ``free``, no set at all for
    ``never``. Names of keys belong to the application of the file.
    """

    text: str
    alternatives: tuple[frozenset[str], ...]

    def allows(self, held: Set[str]) -> bool:
        """Whether one who holds the grants ``held`` may go on."""
        return any(needed <= held for needed in self.alternatives)

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the keys in the rule, in their order."""
        grants = self.text.split()
        return tuple(grant.partition(":")[2] for grant in grants if grant.startswith((KEY, MAC)))


@functools.cache
def access_rule(text: str) -> AccessRule:
    """The rule behind its ``text`` as a profile states it; the profile has checked its form.

    >>> access_rule("pin or key:RK1").allows({"pin"})
    True
    """
    if text == "free":
        return AccessRule(text, (frozenset(),))
    if text == "never":
        return AccessRule(text, ())
    if " and " in text:
        return AccessRule(text, (frozenset(text.split(" and ")),))
    return AccessRule(text, tuple(frozenset({grant}) for grant in text.split(" or ")))
