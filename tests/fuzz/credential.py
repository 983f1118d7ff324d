"""Mutated credentials and presentations against the verifier: nothing escapes it, and nothing changed verifies.

``python -m tests.fuzz.credential --count 1000000 --seed 1`` prints how many there were of each verdict.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from juying.credential.claims import Claims, Tier
from juying.credential.issue import from_text, issue
from juying.credential.presentation import EnrolledCredentials, by_reference, present
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.errors import DecodeError
from tests import people
from tests.fuzz.mutation import as_text, mutate_bytes, mutate_text

GOOD = (Verdict.VALID, Verdict.VALID_STALE_STATUS)
AUDIENCE, NONCE = "gate 1", bytes(8)

SLOW_SHARE = 50
"""One in so many is signed with SM2, whose verification costs ten times the others'."""


class Corpus:
    """Genuine credentials of every kind, and what is needed to verify them."""

    def __init__(self) -> None:
        holder = SoftwareSigner.generate()
        issuers = [SoftwareSigner.generate(algorithm) for algorithm in Algorithm]
        self.trust = TrustList([people.trusted(issuer) for issuer in issuers])
        self.quick: list[bytes] = []
        self.slow: list[bytes] = []
        enrolled = EnrolledCredentials()
        for issuer in issuers:
            kinds = self.slow if issuer.algorithm is Algorithm.SM2 else self.quick
            for tier in Tier:
                claims = Claims.of(
                    people.holder(),
                    people.permit(),
                    tier=tier,
                    issued_at=people.NOW - timedelta(days=1),
                    holder_key=holder.public_key,
                )
                credential = issue(claims, issuer)
                enrolled.add(credential)
                kinds.append(credential)
                kinds.append(present(credential, holder, now=people.NOW))
                kinds.append(present(credential, holder, now=people.NOW, audience=AUDIENCE, nonce=NONCE))
                kinds.append(by_reference(credential, holder, now=people.NOW))
        self.references = enrolled
        self.genuine = frozenset((*self.quick, *self.slow))

    def verdict(self, source: str | bytes) -> Verdict:
        return verify(
            source, self.trust, now=people.NOW, references=self.references, audience=AUDIENCE, nonce=NONCE
        ).verdict


def fuzz(corpus: Corpus, count: int, seed: int) -> Counter[Verdict]:
    """Verdicts of ``count`` mutated tokens; AssertionError for one that was changed and verifies all the same."""
    dice = random.Random(seed)
    verdicts: Counter[Verdict] = Counter()
    for number in range(count):
        kinds = corpus.slow if number % SLOW_SHARE == 0 else corpus.quick
        data = mutate_bytes(dice.choice(kinds), corpus.quick, dice)
        source: str | bytes = data
        if number % 3 == 0:
            text = as_text(dice.choice(kinds))
            source = mutate_text(text, dice)
            data = _bytes_of(source)
        elif number % 3 == 1:
            source = as_text(data)
        verdict = corpus.verdict(source)
        assert verdict not in GOOD or data in corpus.genuine, f"seed {seed}, token {number}: {verdict}"
        verdicts[verdict] += 1
    return verdicts


def _bytes_of(text: str) -> bytes:
    try:
        return from_text(text)
    except DecodeError:
        return b""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args(arguments)
    sys.stdout.write(f"credential: {options.count} tokens, seed {options.seed}\n")
    started = time.perf_counter()
    verdicts = fuzz(Corpus(), options.count, options.seed)
    for verdict, number in verdicts.most_common():
        sys.stdout.write(f"  {verdict:20} {number:10}\n")
    sys.stdout.write(f"  no exception, nothing verified; {time.perf_counter() - started:.0f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
