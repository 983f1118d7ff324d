"""The short form of `make fuzz` against our side of a conversation."""

from tests.fuzz.answers import fuzz


def test_4_000_damaged_answers_end_in_a_result_or_an_error_of_ours() -> None:
    tally = fuzz(4_000, seed=20261201)
    talks = {outcome.partition(":")[0] for outcome in tally}
    assert talks == {"read", "write", "office", "with_psam", "purse"}
    ends = {outcome.partition(": ")[2] for outcome in tally}
    assert {"done", "ProtocolError", "StatusError", "AccessRefused"} <= ends, "the damage no longer reaches every layer"
