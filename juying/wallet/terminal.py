"""A QR code in a terminal, two modules to a character."""

import qrcode
from qrcode.constants import ERROR_CORRECT_L

QUIET_ZONE = 2  # modules; enough on a dark or light screen with space around it
_HALVES = {(True, True): " ", (True, False): "▄", (False, True): "▀", (False, False): "█"}  # light on dark
_WHITE_ON_BLACK, _RESET = "\x1b[97;40m", "\x1b[0m"


def terminal_code(text: str) -> str:
    """``text`` as lines of half blocks, white on black whatever the terminal's colours.

    About 35 lines for a dynamic full credential, so that it fits a screen of ordinary height.
    """
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_L, border=QUIET_ZONE)
    code.add_data(text, optimize=0)
    code.make()
    matrix = code.get_matrix()
    width = len(matrix)
    rows = [*matrix, [True] * width] if width % 2 else matrix
    lines = (
        "".join(_HALVES[upper, lower] for upper, lower in zip(rows[i], rows[i + 1], strict=True))
        for i in range(0, len(rows), 2)
    )
    return "\n".join(f"{_WHITE_ON_BLACK}{line}{_RESET}" for line in lines)
