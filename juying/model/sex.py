"""Sex codes of GB/T 2261.1."""

from enum import StrEnum

from juying.text import Text


class Sex(StrEnum):
    """The code that cards and forms carry (GB/T 2261.1)."""

    UNKNOWN = "0"
    MALE = "1"
    FEMALE = "2"
    UNSPECIFIED = "9"

    @property
    def text(self) -> Text:
        """The word for people."""
        return _WORDS[self]


_WORDS = {
    Sex.UNKNOWN: Text("未知的性别", "unknown"),
    Sex.MALE: Text("男", "male"),
    Sex.FEMALE: Text("女", "female"),
    Sex.UNSPECIFIED: Text("未说明的性别", "unspecified"),
}
