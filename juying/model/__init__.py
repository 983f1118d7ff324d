"""Who and what: people, permits, cards and their numbers. No bytes, no input and output, standard library only."""

from juying.model.card import CardIdentity
from juying.model.people import Holder
from juying.model.permit import Employer, PermitCategory, WorkPermit
from juying.model.sex import Sex

__all__ = ["CardIdentity", "Employer", "Holder", "PermitCategory", "Sex", "WorkPermit"]
