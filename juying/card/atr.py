"""The answer to reset of a card (ISO 7816-3), as far as others need to look into it."""


def historical_place(atr: bytes) -> tuple[int, int] | None:
    """Where the historical bytes begin and end in ``atr``; None when its lengths contradict each other.

    TS, T0, interface bytes, historical bytes, and a check byte unless T=0 is the only protocol.
    """
    position, more, check = 1, True, False
    while more and position < len(atr):
        present = atr[position] >> 4
        check = check or (position > 1 and bool(atr[position] & 0x0F))
        more = bool(present & 0x8)
        position += present.bit_count() if more else present.bit_count() + 1
    # The chain of TDi ends here; ``position`` is now where the historical bytes begin.
    end = position + (atr[1] & 0x0F if len(atr) > 1 else 0)
    return None if more or len(atr) != end + check else (position, end)


def historical_bytes(atr: bytes) -> bytes:
    """The historical bytes of ``atr``, up to 15; empty when it is malformed."""
    place = historical_place(atr)
    return atr[slice(*place)] if place else b""
