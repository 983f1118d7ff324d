"""The short form of `make fuzz`."""

from juying.credential.verify import Verdict
from tests.fuzz.credential import Corpus, fuzz


def test_the_genuine_ones_are_valid() -> None:
    corpus = Corpus()
    assert {corpus.verdict(data) for data in corpus.genuine} == {Verdict.VALID}


def test_100_000_mutated_tokens_raise_nothing_and_none_verifies() -> None:
    verdicts = fuzz(Corpus(), 100_000, seed=20261201)
    assert verdicts.total() == 100_000
    reached = {
        Verdict.MALFORMED,
        Verdict.UNKNOWN_KID,
        Verdict.UNSUPPORTED_ALG,
        Verdict.BAD_ISSUER_SIG,
        Verdict.BAD_HOLDER_SIG,
    }
    assert reached <= verdicts.keys(), "the mutations no longer reach every stage of the verifier"
