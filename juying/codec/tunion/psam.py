"""File 17 of a transit PSAM, and the name of its directory."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from juying.codec.fields import FieldType, decoder, encoder
from juying.errors import DecodeError

APPLICATION = bytes.fromhex("A000000632") + b"MOT.CPSAM01"
"""Name of the PSAM's directory, which is also file 8011."""
APPLICATION_FID = 0x8011
LENGTH = 25
_day, _decode_day = encoder(FieldType.DATE, 4), decoder(FieldType.DATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PsamData:
    """Whose PSAM it is, and for which key index; the codes have 8 bytes."""

    key_index: int
    issuer_code: bytes
    receiver_code: bytes
    valid_from: date | None
    valid_until: date | None

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read the 25 bytes of the file. Raises `DecodeError`."""
        if len(raw) != LENGTH:
            raise DecodeError(f"应为 {LENGTH} 字节", f"{LENGTH} bytes are needed", where="PSAM 0017")
        days = (_decode_day(raw[17:21]), _decode_day(raw[21:25]))
        start, end = (day if isinstance(day, date) else None for day in days)
        return cls(key_index=raw[0], issuer_code=raw[1:9], receiver_code=raw[9:17], valid_from=start, valid_until=end)

    def encode(self) -> bytes:
        """The 25 bytes of the file. Raises `InputError`."""
        codes = bytes((self.key_index,)) + self.issuer_code + self.receiver_code
        return codes + _day(self.valid_from) + _day(self.valid_until)
