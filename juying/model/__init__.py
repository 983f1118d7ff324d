"""Who and what: people, permits, cards and their numbers. No bytes, no input and output, standard library only.

The names here are imported when they are first used: a terminal that verifies has no use for most of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from juying.model.card import CardIdentity
    from juying.model.category import PermitCategory
    from juying.model.people import Holder
    from juying.model.permit import Employer, WorkPermit
    from juying.model.sex import Sex

__all__ = ["CardIdentity", "Employer", "Holder", "PermitCategory", "Sex", "WorkPermit"]

_MODULES = {
    "CardIdentity": "card",
    "Employer": "permit",
    "Holder": "people",
    "PermitCategory": "category",
    "Sex": "sex",
    "WorkPermit": "permit",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'juying.model' has no attribute {name!r}")
    return getattr(import_module(f"juying.model.{_MODULES[name]}"), name)
