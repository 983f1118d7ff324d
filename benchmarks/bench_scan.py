"""Scanning: a camera frame to its verdict, how well codes are read in bad conditions, and how soon the command answers.

"Measured" for frames is the time at which 99 of 100 are done, held against a limit in milliseconds. Every frame shows
another phone's code from another angle; the verification has everything: both signatures, status list, policy, replay.

The command line is timed from its start to its end for one of our own pictures, against an interpreter that loads
nothing but the three libraries that cannot be done without.

    python benchmarks/bench_scan.py
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from common import ROOT, Row, show, side_by_side
from PIL import Image

from juying.codec.qr import save_qr
from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import issue, to_text
from juying.credential.policy import Assurance, Policy
from juying.credential.presentation import present
from juying.credential.replay import MemoryReplayCache
from juying.credential.status import StatusLists, sign_status_list
from juying.credential.trust import TrustedKey, TrustList
from juying.credential.verify import verify
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.model import Employer, Holder, PermitCategory, Sex, WorkPermit
from juying.scan.frames import choose, read_frame
from juying.scan.plain_png import read_plain_png
from juying.scan.wedge import wedge_text
from juying.text import Text

sys.path.insert(0, str(ROOT))
from tests.scan.frames import View, frame

FRAMES, ROUNDS = 100, 4
LIMIT = 5.0  # milliseconds from frame to verdict
TRIALS = 25
STARTS = 25
NOW = datetime.now(UTC)
STATUS = StatusReference(list_number=3, index=70_001)
PERMIT = WorkPermit(
    number="331002202600001",
    category=PermitCategory.A,
    employer=Employer(name="椒江样本医药研究院", code="123310020000DDD18Q"),
    position="首席科学家",
    valid_from=(NOW - timedelta(days=30)).date(),
    valid_until=(NOW + timedelta(days=700)).date(),
    authority="台州市示范签发机关（样本）",
    region="331002",
)
HOLDER = Holder(
    name="ERIKSSON ANNA MARIA",
    nationality="UTO",
    birth_date=datetime(1974, 8, 12, tzinfo=UTC).date(),
    sex=Sex.FEMALE,
    document_number="L898902C3",
    chinese_name="安娜",
)
FLOOR = "import cryptography.hazmat.primitives.asymmetric.ec, cbor2, zxingcpp"
COMMAND = "from juying.cli import main; main()"


class Site:
    """An issuer, a holder whose phone shows a new code each second, and a gate."""

    def __init__(self, algorithm: Algorithm) -> None:
        signer, self.phone = SoftwareSigner.generate(algorithm), SoftwareSigner.generate()
        key = TrustedKey.of(
            signer,
            issuer=Text("测试签发机关", "issuer of the benchmark"),
            region="331000",
            not_before=NOW - timedelta(days=1),
            not_after=NOW + timedelta(days=90),
        )
        self.trust = TrustList([key])
        self.status = StatusLists()
        token = sign_status_list(bytes(100_000), signer, number=STATUS.list_number, issued_at=NOW)
        self.status.add(token, self.trust, now=NOW)
        claims = Claims.of(
            HOLDER, PERMIT, tier=Tier.FULL, issued_at=NOW, status=STATUS, holder_key=self.phone.public_key
        )
        self.credential = issue(claims, signer)

    def codes(self, count: int) -> list[str]:
        """What the phone shows around now."""
        moments = (NOW + timedelta(seconds=number % 59 - 29) for number in range(count))
        return [to_text(present(self.credential, self.phone, now=moment)) for moment in moments]

    def gate(self) -> Callable[[Image.Image], object]:
        """From a frame to the verdict; the replay cache is asked, but of a gate that has not seen anybody."""
        policy = Policy(assurance=Assurance.HOLDER)

        def verdict(seen: Image.Image) -> None:
            cache = MemoryReplayCache()
            text = choose(read_frame(seen))
            assert verify(text, self.trust, now=NOW, policy=policy, status=self.status, replay=cache).accepted

        return verdict


def held_up(random: Random) -> View:
    """A phone as it is held before a gate: near enough, never straight, sometimes in dark mode."""
    return View(
        width=random.randint(280, 460),
        turned=random.uniform(-30, 30),
        tilted=random.uniform(0, 35),
        inverted=random.random() < 0.2,
        light=random.uniform(0.4, 1),
        noise=random.uniform(0, 0.05),
        at=(random.randint(500, 780), random.randint(300, 420)),
    )


def frames(algorithm: Algorithm) -> list[Row]:
    """Frames of 1280 x 720 pixels to verdicts, one after another."""
    site, random = Site(algorithm), Random(7)
    seen = [frame((text, held_up(random)), seed=number) for number, text in enumerate(site.codes(FRAMES))]
    gate = site.gate()
    for one in seen[:10]:
        gate(one)
    taken: list[float] = []
    for _ in range(ROUNDS):
        for one in seen:
            start = time.perf_counter()
            gate(one)
            taken.append(1e3 * (time.perf_counter() - start))
    taken.sort()
    name = algorithm.name
    return [
        Row(f"frame to verdict, issuer {name}: p99", taken[len(taken) * 99 // 100], LIMIT, "limit", target=1),
        Row(f"… median of {len(taken)}", taken[len(taken) // 2]),
    ]


def parts() -> list[Row]:
    """What a frame without a code costs, and other ways in."""
    text = Site(Algorithm.ES256).codes(1)[0]
    empty, code = frame(), frame((text, View(width=360, turned=10)))
    with TemporaryDirectory() as folder:
        save_qr(text, Path(folder) / "code.png")
        picture = (Path(folder) / "code.png").read_bytes()
    runs = [
        lambda: read_frame(code),
        lambda: read_frame(empty),
        lambda: read_plain_png(picture, max_pixels=10**8),
        lambda: wedge_text(f"]Q1{text.lower()}\r\n"),
    ]
    names = ["a frame with a code", "a frame without: every look", "pixels of our own PNG", "text of a scanner"]
    timings = side_by_side(*runs, rounds=50)
    return [Row(name, 1e3 * timing.best) for name, timing in zip(names, timings, strict=True)]


def reading() -> None:
    """How many of the codes are read, of those that a phone shows (326 bytes at most) and of short ones."""
    random = Random(11)
    full = Site(Algorithm.SM2).codes(1)[0]
    short = full[:160]
    rows: list[tuple[str, dict[str, object]]] = [
        *((f"turned {angle}°", {"turned": angle}) for angle in (0, 15, 45, 90, 180)),
        *((f"tilted {angle}°", {"tilted": angle}) for angle in (20, 40, 55, 65)),
        *((f"{width} pixels wide", {"width": width}) for width in (240, 160, 130, 100)),
        *((f"light {light:.0%}", {"light": light, "noise": 0.02}) for light in (0.3, 0.1, 0.05, 0.03)),
        *((f"noise {noise:.0%}", {"noise": noise}) for noise in (0.2, 0.4, 0.5, 0.6)),
        *((f"blur {blur} pixels", {"blur": blur, "noise": 0.02}) for blur in (0.8, 1.2, 1.6, 2.0)),
        ("dark mode", {"inverted": True}),
        ("dark mode, tilted 40°, light 20 %", {"inverted": True, "tilted": 40, "light": 0.2}),
    ]
    print(f"Codes read, of {TRIALS}: one that a phone shows ({len(full)} characters), and one of {len(short)}")
    for name, condition in rows:
        rates = [_rate(text, condition, random) for text in (full, short)]
        print(f"  {name:36}" + "".join(f"{rate:8.2f}" for rate in rates))


def _rate(text: str, condition: dict[str, object], random: Random) -> float:
    read = 0
    for trial in range(TRIALS):
        turned = random.uniform(-5, 5) + float(str(condition.get("turned", 0)))
        at = (random.randint(560, 720), random.randint(320, 400))
        view = View(**{"width": 300, **condition, "turned": turned, "at": at})  # type: ignore[arg-type]
        read += text in read_frame(frame((text, view), seed=trial))
    return read / TRIALS


def command() -> list[Row]:
    """``juying verify PICTURE`` from start to end, for people and as JSON."""
    site = Site(Algorithm.ES256)
    with TemporaryDirectory() as folder:
        picture, trust = Path(folder) / "code.png", Path(folder) / "trust.json"
        save_qr(to_text(site.credential), picture)
        site.trust.save(trust)
        given = ["verify", str(picture), "--trust", str(trust)]
        floor, people, json, empty = side_by_side(
            lambda: start([FLOOR]),
            lambda: start([COMMAND, *given]),
            lambda: start([COMMAND, *given, "--json"]),
            lambda: start([""]),
            rounds=STARTS,
        )
    return [
        Row("juying verify PICTURE", 1e3 * people.best, 1e3 * floor.best, "the libraries alone", target=2),
        Row("juying verify PICTURE --json", 1e3 * json.best, 1e3 * floor.best, "the libraries alone", target=2),
        Row("… medians", 1e3 * people.median, 1e3 * floor.median, "the libraries alone"),
        Row("an empty interpreter", 1e3 * empty.best),
    ]


def start(arguments: Iterable[str]) -> None:
    """A new interpreter, with compiled modules as every installed program has them."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", *arguments], capture_output=True, env=environment, check=False)
    # 3: there is no status list at hand
    assert done.returncode in (0, 3), done.stderr


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    algorithms = (Algorithm.ES256, Algorithm.SM2)
    show("Frames of 1280 x 720 pixels, one core", [row for algorithm in algorithms for row in frames(algorithm)])
    print()
    show("Parts", parts())
    print()
    show(f"The command line, from start to end; best of {STARTS}", command())
    print()
    reading()


if __name__ == "__main__":
    main()
