"""Pictures: how fast they are drawn, and from how small a camera picture they are read.

The peer of the speeds is the library ``qrcode`` with its automatic mask and Pillow's PNG writer, drawing the symbol
alone; ours come with a caption that differs from one to the next. The rates of reading stand next to the figures that
the design was made with; the 25 trials a cell take about a minute, the 5 of ``--quick`` a quarter of that.

    python benchmarks/bench_picture.py [--quick]
"""

import sys
import tempfile
from collections.abc import Callable
from io import BytesIO
from itertools import count
from pathlib import Path
from random import Random

import qrcode
import zxingcpp
from camera import GOOD, MID, POOR, Capture, seen, with_glare
from common import Row, show, side_by_side

from juying.codec import base45, qr
from juying.codec.qr import Medium, draw_qr, encode_qr, png_qr
from juying.codec.qr_pdf import Labelled, pdf_qr, pdf_sheets
from juying.codec.svg import svg_qr
from juying.files import write_atomically
from juying.text import Text

TRIALS = 5 if "--quick" in sys.argv[1:] else 25
ROUNDS = 5
BATCH = 20
NUMBERS = count()

Cell = tuple[int, float]
# Width of the symbol in pixels of the camera, and the rate of the design.
DESIGN: dict[tuple[int, Medium], dict[Capture, list[Cell]]] = {
    (110, Medium.PAPER): {
        GOOD: [(120, 1.0), (160, 1.0)],
        MID: [(160, 0.96), (200, 1.0), (240, 1.0), (280, 1.0)],
        POOR: [(240, 0.64), (280, 1.0), (320, 1.0)],
    },
    (250, Medium.SCREEN): {
        GOOD: [(120, 1.0), (160, 1.0)],
        MID: [(160, 0.16), (200, 0.96), (240, 1.0), (280, 1.0)],
        POOR: [(240, 0.0), (280, 0.16), (320, 0.8)],
    },
    (250, Medium.PAPER): {
        GOOD: [(120, 0.84), (160, 1.0)],
        MID: [(160, 0.0), (200, 0.64), (240, 1.0), (280, 1.0)],
        POOR: [(240, 0.0), (280, 0.0), (320, 0.48)],
    },
    (350, Medium.SCREEN): {
        GOOD: [(120, 0.84), (160, 1.0)],
        MID: [(160, 0.0), (200, 0.84), (240, 1.0), (280, 1.0)],
        POOR: [(240, 0.0), (280, 0.0), (320, 0.36)],
    },
    (350, Medium.PAPER): {
        GOOD: [(120, 0.0), (160, 1.0)],
        MID: [(160, 0.0), (200, 0.04), (240, 0.8), (280, 1.0)],
        POOR: [(240, 0.0), (280, 0.0), (320, 0.0)],
    },
    (450, Medium.PAPER): {
        GOOD: [(120, 0.0), (160, 0.92)],
        MID: [(160, 0.0), (200, 0.0), (240, 0.44), (280, 0.76)],
        POOR: [(240, 0.0), (280, 0.0), (320, 0.0)],
    },
}
PER_MODULE = {GOOD: 2.1, MID: 3.6, POOR: 6.0}
"""Pixels to a module that are enough, as the design has it."""


def text(length: int, seed: int = 0) -> str:
    """A credential of ``length`` bytes, as far as a QR code can tell."""
    return "JY1:" + base45.encode(Random(seed).randbytes(length))


def caption(number: int) -> tuple[Text, ...]:
    """The caption of one of many holders."""
    until = f"20{number % 10 + 26}-05-31"
    initials = f"{chr(65 + number % 26)}.{chr(65 + number // 26 % 26)}."
    return (
        Text("聚英卡 · 外国人来华工作许可", "Juying Card · Work permit for foreigners"),
        Text(f"{initials} · 完整凭证，有效期至 {until}", f"{initials} · Full credential, valid until {until}"),
    )


def peer(payload: str) -> bytes:
    """The library with its automatic mask, and Pillow."""
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, box_size=8, border=4)
    code.add_data(payload, optimize=0)
    code.make()
    png = BytesIO()
    code.make_image().save(png, "PNG")
    return png.getvalue()


def batch(draw: Callable[[str, int], object], payloads: list[str], size: int) -> Callable[[], None]:
    """Draw ``size`` of the payloads, each with a number of its own."""

    def run() -> None:
        for payload in payloads[:size]:
            draw(payload, next(NUMBERS))

    return run


def speeds(length: int) -> list[Row]:
    """Milliseconds for a picture of ``length`` bytes for paper."""
    payloads = [text(length, seed) for seed in range(BATCH)]
    few = 4  # of what is slow
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "code.png")

        def drawn(payload: str, number: int) -> bytes:
            return png_qr(payload, medium=Medium.PAPER, caption=caption(number))

        runs: dict[str, tuple[Callable[[str, int], object], int]] = {
            "peer": (lambda payload, _: peer(payload), few),
            "symbol alone": (lambda payload, _: encode_qr(payload, medium=Medium.PAPER), BATCH),
            "PNG without caption": (lambda payload, _: png_qr(payload, medium=Medium.PAPER), BATCH),
            "PNG with caption": (drawn, BATCH),
            "PNG with caption, on the disk": (lambda payload, n: write_atomically(path, drawn(payload, n)), BATCH),
            "SVG with caption": (lambda payload, n: svg_qr(payload, medium=Medium.PAPER, caption=caption(n)), BATCH),
            "PDF with caption": (lambda payload, n: pdf_qr(payload, caption=caption(n)), few),
            "symbol alone, without the extra scan": (
                lambda payload, _: qr._encode_slowly(payload, Medium.PAPER),
                few,
            ),
        }
        times = side_by_side(*(batch(draw, payloads, size) for draw, size in runs.values()), rounds=ROUNDS)
    each = {name: time.best / size * 1000 for (name, (_, size)), time in zip(runs.items(), times, strict=True)}
    reference = each.pop("peer")
    rows = [
        Row(
            name,
            value,
            reference,
            "qrcode, automatic mask, Pillow",
            target=8 if name == "PNG with caption" else None,
            sense=">=",
        )
        for name, value in each.items()
    ]
    sheet = [Labelled(payload, caption(number)) for number, payload in enumerate(payloads[:12])]
    (time,) = side_by_side(lambda: pdf_sheets(sheet), rounds=2)
    return [*rows, Row("A4 sheet of 12 with captions", time.best * 1000)]


def rate(length: int, medium: Medium, width: int, capture: Capture, glare: float = 0.0) -> float:
    """How often a code is read in which the symbol is ``width`` pixels wide."""
    random = Random(f"{length} {medium} {width} {capture.name} {glare}")
    read = 0
    for trial in range(TRIALS):
        payload = text(length, trial)
        picture = draw_qr(payload, medium=medium)
        if glare:
            picture = with_glare(picture, glare, random)
        frame = seen(picture, encode_qr(payload, medium=medium).side, width, capture, random)
        read += payload in [code.text for code in zxingcpp.read_barcodes(frame)]
    return read / TRIALS


def robustness() -> None:
    """The rates by width, measured next to those of the design."""
    print(f"\nRead by zxing-cpp, measured (design), {TRIALS} trials a cell, by width of the symbol in camera pixels")
    heads = [f"{capture.name} {width}" for capture, cells in next(iter(DESIGN.values())).items() for width, _ in cells]
    print(" " * 14 + "".join(f"{head:>13}" for head in heads))
    differences = []
    enough: dict[Capture, list[float]] = {capture: [] for capture in PER_MODULE}
    for (length, medium), captures in DESIGN.items():
        side = encode_qr(text(length), medium=medium).side
        line = f"{length} B {medium.level} v{(side - 17) // 4}".ljust(14)
        for capture, cells in captures.items():
            for width, design in cells:
                measured = rate(length, medium, width, capture)
                differences.append(measured - design)
                line += f"{measured:.2f} ({design:.2f})".rjust(13)
                if width / side >= PER_MODULE[capture]:
                    enough[capture].append(measured)
        print(line)
    print(f"mean difference to the design: {sum(differences) / len(differences):+.2f}")
    for capture, rates in enough.items():
        print(
            f"{capture.name}: at {PER_MODULE[capture]} pixels to a module or more, the rule of the design, "
            + (f"{min(rates):.2f} at least" if rates else "no cell")
        )


def glare() -> None:
    """Rates with a part of the code under a white disc."""
    shares = (0.03, 0.05, 0.08, 0.12)
    print(f"\nWith glare on a share of the area, 350 B, good, 320 pixels wide, {TRIALS} trials a cell")
    print(" " * 8 + "".join(f"{share:>8.0%}" for share in shares) + "   design: fails between")
    for medium, design in ((Medium.SCREEN, "5 % and 8 %"), (Medium.PAPER, "8 % and 12 %")):
        rates = "".join(f"{rate(350, medium, 320, GOOD, share):>8.2f}" for share in shares)
        print(f"level {medium.level} {rates}   {design}")


if __name__ == "__main__":
    show("Drawing a credential of 250 bytes for paper", speeds(250))
    robustness()
    glare()
