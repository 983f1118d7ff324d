"""The command line of the fuzz targets."""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable

Tally = Counter[str]
"""How many there were of each outcome."""


def main(name: str, fuzz: Callable[[int, int], Tally], description: str | None, verdict: str) -> int:
    """Run ``fuzz`` with count and seed from the command line, and print what came of it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    sys.stdout.write(f"{name}: {options.count}, seed {options.seed}\n")
    started = time.perf_counter()
    tally = fuzz(options.count, options.seed)
    for outcome, number in tally.most_common():
        sys.stdout.write(f"  {outcome:20} {number:10}\n")
    sys.stdout.write(f"  {verdict}; {time.perf_counter() - started:.0f} s\n")
    return 0
