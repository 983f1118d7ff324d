"""A QR code with its caption as SVG: the modules are one path, the caption is text for whatever fonts are there."""

from collections.abc import Sequence
from math import ceil
from xml.sax.saxutils import escape

from juying.codec.caption import lay_out_anywhere
from juying.codec.qr import MODULE, PAPER_DPI, QUIET_ZONE, Medium, encode_qr
from juying.text import Text

# Sans-serif fonts with Simplified Chinese shapes: Linux, macOS, Windows.
FONT_FAMILY = "'Noto Sans CJK SC', 'Source Han Sans SC', 'PingFang SC', 'Microsoft YaHei', 'WenQuanYi Micro Hei'"
_MILLIMETRES = 25.4 / PAPER_DPI  # of one unit of the drawing


def svg_qr(text: str, *, medium: Medium = Medium.SCREEN, caption: Sequence[Text] = ()) -> bytes:
    """Draw ``text`` as a QR code with its quiet zone and the caption centred below, as an SVG 1.1 file in UTF-8.

    A module is 8 units of the drawing and 0.68 mm, as in the PNG picture for paper; both languages are always there,
    and the file is the same on every machine with the same symbol. Raises InputError when the text does not fit.
    """
    symbol = encode_qr(text, medium=medium)
    side = (symbol.side + 2 * QUIET_ZONE) * MODULE
    lines = lay_out_anywhere(caption, side - 2 * MODULE)
    width = max([side, *(2 * ceil(line.width / 2 + MODULE) for line in lines)])
    height = side + (sum(line.height for line in lines) + MODULE if lines else 0)
    # Moved by whole modules, so that a code stays sharp where the picture is shown at a multiple of its size.
    corner = (width - side) // 2 + QUIET_ZONE * MODULE, QUIET_ZONE * MODULE
    path = "".join(f"M{x} {y}h{length}v{high}h-{length}z" for x, y, length, high in symbol.dark_runs())
    elements = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width * _MILLIMETRES:.2f}mm" '
        f'height="{height * _MILLIMETRES:.2f}mm" viewBox="0 0 {width} {height}">',
        f"<title>{escape(str(caption[0]) if caption else 'QR')}</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<path transform="translate({corner[0]} {corner[1]}) scale({MODULE})" shape-rendering="crispEdges" '
        f'd="{path}"/>',
    ]
    if lines:
        elements.append(f'<g text-anchor="middle" font-family="{FONT_FAMILY}, sans-serif">')
        top = side
        for line in lines:
            elements.append(
                f'<text x="{width / 2:g}" y="{top + line.baseline}" font-size="{line.size}" '
                f'fill="#{line.ink:02x}{line.ink:02x}{line.ink:02x}">{escape(line.text)}</text>'
            )
            top += line.height
        elements.append("</g>")
    return "\n".join([*elements, "</svg>", ""]).encode()
