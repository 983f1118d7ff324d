"""How long it takes until the first line of one's own code runs, against pyscard's own import.

Every import happens in a new interpreter; the time of one that imports nothing is taken off both sides.

    python benchmarks/bench_import.py
"""

import subprocess
import sys

from common import Row, show, side_by_side

ROUNDS = 25
JUYING = "import juying"
CARDS = "from juying import SscCard, open_card; from juying.card.pcsc import _scard; _scard()"
PYSCARD = "import smartcard.System"
HELP = "import sys; sys.argv = ['juying', '--help']; from juying.cli import main; main()"
HEAVY = ("smartcard", "PIL", "cryptography", "pydantic", "cbor2", "qrcode", "zxingcpp", "openpyxl")


def run(code: str) -> None:
    """A new interpreter that runs ``code``; what it prints is lost."""
    subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=True)


def loaded(code: str) -> str:
    """Which heavy packages ``code`` loads."""
    tell = f"print(*(name for name in {HEAVY} if name in sys.modules), file=sys.stderr)"
    watched = f"import atexit, sys\natexit.register(lambda: {tell})\n{code}"
    done = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True)
    return ", ".join(done.stderr.split()) or "none"


def main() -> None:
    empty, *others = side_by_side(
        *(lambda code=code: run(code) for code in ("", JUYING, PYSCARD, CARDS, HELP)),  # type: ignore[misc]
        rounds=ROUNDS,
    )
    juying, pyscard, cards, help_ = (1e3 * (timing.best - empty.best) for timing in others)
    rows = [
        Row("import juying", juying, pyscard, PYSCARD, target=2),
        Row("… and what a terminal needs of it", cards, pyscard, PYSCARD),
        Row("juying --help", help_, pyscard, PYSCARD),
        Row("an empty interpreter", 1e3 * empty.best),
    ]
    show(f"Net of an empty interpreter; best of {ROUNDS}", rows)
    for name, code in (("import juying", JUYING), ("juying --help", HELP)):
        print(f"  heavy packages loaded by {name}: {loaded(code)}")


if __name__ == "__main__":
    main()
