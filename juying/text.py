"""A sentence for people, in Chinese and English."""

from typing import NamedTuple


class Text(NamedTuple):
    """The same sentence twice; ``str()`` shows both, Chinese first.

    >>> str(Text("读卡失败", "the card cannot be read"))
    '读卡失败 / the card cannot be read'
    """

    zh: str
    en: str

    def __str__(self) -> str:
        """Both languages on one line."""
        return f"{self.zh} / {self.en}" if self.zh != self.en else self.en
