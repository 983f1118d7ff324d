"""A synthetic camera: what a terminal's camera would see of a picture, the same for the same seed.

Perspective, blur of the lens, light from one side, noise of the sensor, and JPEG of quality 70. There is no moire, no
motion and no real lens in it: good for comparing pictures, not for promises.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from math import cos, radians, sin
from random import Random
from statistics import NormalDist

from PIL import Image, ImageChops, ImageDraw, ImageFilter

BLACK, WHITE = 15, 240
"""What the sensor makes of black and white in full light: chosen so that the figures of the design come out."""

SHADE = 0.65
"""The light on the dark side, as a part of that on the bright side; chosen likewise."""

ROOM = 1.6
"""Side of the frame, as a multiple of the width of the symbol; what is around the picture is grey."""

_FINER = 3  # a pixel of the sensor gathers the light of so many by so many
_DISTANCE = 4.0  # from the picture to the camera, in widths of the symbol
_QUALITY = 70
_NORMAL = [NormalDist().inv_cdf((byte + 0.5) / 256) for byte in range(256)]


@dataclass(frozen=True, slots=True)
class Capture:
    """How well it is seen: ``blur`` in pixels, ``noise`` in greys (both standard deviations), ``tilt`` in degrees."""

    name: str
    blur: float
    noise: float
    tilt: float


GOOD = Capture("good", 0.6, 6, 10)
MID = Capture("mid", 1.0, 12, 20)
POOR = Capture("poor", 1.5, 18, 30)


def seen(symbol: Image.Image, modules: int, width: int, capture: Capture, random: Random) -> Image.Image:
    """A square frame in which the symbol is ``width`` pixels wide, before it is tilted and turned.

    ``symbol`` is drawn with its quiet zone, ``modules`` is its side without that.
    """
    side = round(width * ROOM)
    framed = modules + 8  # the quiet zone
    picture = _exposed(symbol.convert("L"))
    scale = framed / modules * width / picture.width  # from pixels of the picture to pixels of the frame
    homography = _homography(capture.tilt, random, width)
    fine = picture.transform(
        (side * _FINER, side * _FINER),
        Image.Transform.PERSPECTIVE,
        _backwards(homography, scale, picture.size, side),
        Image.Resampling.BICUBIC,
        fillcolor=(BLACK + WHITE) // 2,
    )
    frame = fine.reduce(_FINER).filter(ImageFilter.GaussianBlur(capture.blur))
    frame = _noisy(ImageChops.multiply(frame, _light(side, random)), capture.noise, random)
    jpeg = BytesIO()
    frame.save(jpeg, "JPEG", quality=_QUALITY)
    with Image.open(jpeg) as decoded:
        decoded.load()
        return decoded


def with_glare(symbol: Image.Image, share: float, random: Random) -> Image.Image:
    """The picture with a white disc somewhere on it that covers ``share`` of its area."""
    radius = symbol.width * (share / 3.14159) ** 0.5
    x, y = (random.uniform(radius, symbol.width - radius) for _ in range(2))
    picture = symbol.convert("L")
    ImageDraw.Draw(picture).ellipse((x - radius, y - radius, x + radius, y + radius), 0xFF)
    return picture


def _exposed(picture: Image.Image) -> Image.Image:
    return picture.point([round(BLACK + (WHITE - BLACK) * value / 255) for value in range(256)])


def _light(side: int, random: Random) -> Image.Image:
    """Full light on one side of the frame, `SHADE` of it on the other."""
    ramp = Image.linear_gradient("L").point([round(255 * (SHADE + (1 - SHADE) * value / 255)) for value in range(256)])
    return ramp.rotate(90 * random.randrange(4)).resize((side, side), Image.Resampling.BILINEAR)


def _noisy(frame: Image.Image, deviation: float, random: Random) -> Image.Image:
    table = bytes(max(0, min(255, round(128 + deviation * value))) for value in _NORMAL)
    noise = Image.frombytes("L", frame.size, random.randbytes(frame.width * frame.height).translate(table))
    return ImageChops.add(frame, noise, offset=-128)


Matrix = tuple[tuple[float, float, float], ...]


def _homography(tilt: float, random: Random, width: int) -> Matrix:
    """The plane of the picture, turned by any angle and tilted towards any side, as the camera sees it."""
    turn, towards = random.uniform(0, 360), random.uniform(0, 360)
    rotation = _product(_product(_about_z(towards), _about_x(tilt)), _about_z(turn - towards))
    distance = _DISTANCE * width
    # Points are (x, y, 0), so the third column of the rotation does not matter.
    (a, b, _), (c, d, _), (e, f, _) = rotation
    return (a, b, 0.0), (c, d, 0.0), (e / distance, f / distance, 1.0)


def _backwards(homography: Matrix, scale: float, size: tuple[int, int], side: int) -> Sequence[float]:
    """The coefficients that Pillow wants: from pixels of the fine frame to pixels of the picture."""
    from_frame = ((1 / _FINER, 0.0, -side / 2), (0.0, 1 / _FINER, -side / 2), (0.0, 0.0, 1.0))
    to_picture = ((1 / scale, 0.0, size[0] / 2), (0.0, 1 / scale, size[1] / 2), (0.0, 0.0, 1.0))
    matrix = _product(_product(to_picture, _inverse(homography)), from_frame)
    flat = [value / matrix[2][2] for row in matrix for value in row]
    return flat[:8]


def _about_z(degrees: float) -> Matrix:
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return (c, -s, 0.0), (s, c, 0.0), (0.0, 0.0, 1.0)


def _about_x(degrees: float) -> Matrix:
    c, s = cos(radians(degrees)), sin(radians(degrees))
    return (1.0, 0.0, 0.0), (0.0, c, -s), (0.0, s, c)


def _product(left: Matrix, right: Matrix) -> Matrix:
    return tuple(
        tuple(sum(row[k] * right[k][column] for k in range(3)) for column in range(3))  # type: ignore[misc]
        for row in left
    )


def _inverse(matrix: Matrix) -> Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    adjugate = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    return tuple(tuple(value / determinant for value in row) for row in adjugate)  # type: ignore[misc]
