"""The states of orders, cards, blanks, permits, credentials and lots: which change into which, and what people call
them. The tables are those of the design, written down a second time."""

from itertools import product

import pytest

from juying.errors import InputError
from juying.ledger.states import (
    LIVE_CARDS,
    OPEN_ORDERS,
    WAITING_ORDERS,
    BlankState,
    CardState,
    CredentialState,
    LotState,
    OrderKind,
    OrderState,
    PermitState,
    Role,
    Word,
    may_become,
    require,
)

CHANGES = {
    OrderState: """
        planned: writing suspended replaced cancelled
        writing: written planned
        written: verified writing planned
        verified: sealed writing planned
        sealed: delivered
        suspended: planned replaced cancelled
    """,
    CardState: """
        begun: live spoiled
        live: suspended replaced cancelled lost
        suspended: live replaced cancelled lost
        lost: replaced cancelled
    """,
    BlankState: """
        stock: in-use spoiled scrapped
        in-use: used spoiled
        used: scrapped
        spoiled: scrapped
    """,
    PermitState: "valid: superseded expired cancelled revoked",
    CredentialState: """
        signed: live superseded revoked
        live: superseded revoked
        superseded: revoked
    """,
    LotState: """
        open: closed
        closed: open
    """,
}


def allowed(kind: type[Word]) -> set[tuple[str, str]]:
    lines = [line.strip().partition(": ") for line in CHANGES[kind].strip().splitlines()]
    return {(before, after) for before, _, rest in lines for after in rest.split()}


@pytest.mark.parametrize("kind", CHANGES)
def test_exactly_these_changes_are_allowed(kind: type[Word]) -> None:
    assert {(one.value, other.value) for one, other in product(kind, kind) if may_become(one, other)} == allowed(kind)


@pytest.mark.parametrize("kind", CHANGES)
def test_all_others_are_refused_with_the_words_of_people(kind: type[Word]) -> None:
    for before, after in product(kind, kind):
        if (before.value, after.value) in allowed(kind):
            require(before, after, where="x/1")
            continue
        with pytest.raises(InputError) as error:
            require(before, after, where="x/1")
        assert error.value.where == "x/1"
        assert f"is {before.text.en} and cannot become {after.text.en}" in error.value.text.en
        assert before.text.zh in error.value.text.zh


def test_words_of_two_kinds_do_not_mix() -> None:
    """SUSPENDED is a state of orders and of cards."""
    assert OrderState.SUSPENDED == CardState.SUSPENDED
    assert may_become(CardState.LIVE, CardState.SUSPENDED)
    assert not may_become(OrderState.SEALED, CardState.SUSPENDED)


@pytest.mark.parametrize("kind", [*CHANGES, Role, OrderKind])
def test_every_word_has_a_name_in_both_languages(kind: type[Word]) -> None:
    names = [word.text for word in kind]
    assert all(name.zh and name.en for name in names)
    assert len(set(names)) == len(names)
    for word in kind:
        assert kind(word.value) is word
        assert str(word) == word.value == word
        assert len(word.value) <= 16, "as the columns of the database"


def test_groups_of_states() -> None:
    assert set(OPEN_ORDERS) < set(WAITING_ORDERS)
    assert {state for state in OrderState if state not in WAITING_ORDERS} == {
        OrderState.SEALED, OrderState.DELIVERED, OrderState.REPLACED, OrderState.CANCELLED,
    }  # fmt: skip
    assert set(LIVE_CARDS) == {CardState.LIVE, CardState.SUSPENDED}
