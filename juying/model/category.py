"""Categories of work permits."""

from enum import StrEnum

from juying.text import Text


class PermitCategory(StrEnum):
    """The three categories of the service guide of 2017."""

    A = "A"
    B = "B"
    C = "C"

    @property
    def text(self) -> Text:
        """The name of the category."""
        return _CATEGORIES[self]


_CATEGORIES = {
    PermitCategory.A: Text("外国高端人才", "high-end talent"),
    PermitCategory.B: Text("外国专业人才", "professional"),
    PermitCategory.C: Text("其他外国人员", "other foreign personnel"),
}
