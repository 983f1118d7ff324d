"""Camera frames made by calculation: a code on a desk, seen from an angle, in whatever light."""

from dataclasses import dataclass
from math import cos, radians, sin
from random import Random

from PIL import Image, ImageFilter, ImageOps

from juying.codec import base45
from juying.codec.qr import draw_qr

HD = (1280, 720)
DISTANCE = 1000.0  # of the camera, in pixels
DESK = 150

OURS = "JY1:" + base45.encode(bytes(index * 37 % 256 for index in range(322)))
"""As long as what a phone shows."""
OURS_TOO = "JY1:" + base45.encode(bytes(index * 41 % 256 for index in range(246)))
FOREIGN = "https://example.org/a-poster-on-the-wall"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How the camera sees a code: its width in pixels, the angles in degrees, and light and dirt from 0 to 1."""

    width: int = 320
    turned: float = 0
    tilted: float = 0
    inverted: bool = False
    light: float = 1
    noise: float = 0
    blur: float = 0
    at: tuple[int, int] = (640, 360)


def frame(*codes: tuple[str, View], size: tuple[int, int] = HD, seed: int = 1) -> Image.Image:
    """A grey frame with these codes; light, noise and blur are those of the first, and the same each time."""
    seen = Image.new("L", size, DESK)
    view = codes[0][1] if codes else View()
    for text, each in codes:
        _lay(seen, text, each)
    if view.blur:
        seen = seen.filter(ImageFilter.GaussianBlur(view.blur))
    if view.light < 1:
        seen = seen.point([round(12 + value * view.light) for value in range(256)])
    if view.noise:
        grain = Image.frombytes("L", size, Random(seed).randbytes(size[0] * size[1]))
        # As much noise for a dark frame as for a light one: that is what makes the dark hard.
        seen = Image.blend(seen, grain, view.noise)
    return seen


def _lay(onto: Image.Image, text: str, view: View) -> None:
    """Draw the code of ``text`` into the frame."""
    code = draw_qr(text).convert("L")
    if view.inverted:
        code = ImageOps.invert(code)
    code = code.resize((view.width, view.width), Image.Resampling.BOX)
    shade = Image.new("L", code.size, 255)
    how = _projection(view)
    method, smooth = Image.Transform.PERSPECTIVE, Image.Resampling.BICUBIC
    onto.paste(code.transform(onto.size, method, how, smooth), mask=shade.transform(onto.size, method, how, smooth))


def _projection(view: View) -> list[float]:
    """The coefficients that lead from a pixel of the frame to the pixel of the code that is seen there."""
    turn, tilt, middle = radians(view.turned), radians(view.tilted), view.width / 2
    a, b, c = cos(turn), sin(turn) * cos(tilt), sin(turn) * sin(tilt)  # one pixel to the right on the code, in space
    d, e, f = -sin(turn), cos(turn) * cos(tilt), cos(turn) * sin(tilt)  # one pixel down
    # The ray through the pixel (u, v) of the frame is a multiple of (u, v, DISTANCE) and meets the code where that is
    # x (a, b, c) + y (d, e, f) + (0, 0, DISTANCE). So x, y and 1 are in the proportion of these:
    rows = [(e, -d, 0.0), (-b, a, 0.0), ((b * f - c * e) / DISTANCE, (c * d - a * f) / DISTANCE, a * e - b * d)]
    to_x, to_y, to_one = [(p, q, r - p * view.at[0] - q * view.at[1]) for p, q, r in rows]
    to_x, to_y = (tuple(one + middle * two for one, two in zip(row, to_one, strict=True)) for row in (to_x, to_y))
    return [value / to_one[2] for value in (*to_x, *to_y, *to_one[:2])]
