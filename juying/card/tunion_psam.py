"""The PSAM of a transit terminal, in a second reader slot: it holds the keys that make purchases."""

from juying.card.apdu import SHORT_LE, Command, read_binary
from juying.card.channel import Channel
from juying.codec.tunion.files import PublicData
from juying.codec.tunion.psam import APPLICATION, APPLICATION_FID, LENGTH, PsamData
from juying.crypto.block import pad
from juying.crypto.purse import Deal
from juying.errors import CardRefused, ProtocolError, StatusError

_TERMINAL_SFI, _DATA_SFI = 0x16, 0x17
_INITIALIZE, _CREDIT, _DELIVER, _CIPHER = 0x70, 0x72, 0x1A, 0xFA
_WRONG_MAC = 0x9302


class TransitPsam:
    """A PSAM whose purchase directory is selected; use `open`.

    ``terminal`` is the number of the terminal (6 bytes), ``data`` what file 17 says.
    """

    def __init__(self, channel: Channel, terminal: bytes, data: PsamData) -> None:
        """Take a channel to a PSAM."""
        self._channel = channel
        self.terminal = terminal
        self.data = data

    def __repr__(self) -> str:
        """The number of the terminal."""
        return f"TransitPsam({self.terminal.hex().upper()})"

    @classmethod
    def open(cls, channel: Channel) -> "TransitPsam":
        """Read the terminal's number and select the directory, by name or as file 8011.

        Raises `CardRefused` when the card is no such PSAM.
        """
        try:
            terminal = channel.send(read_binary(0, 6, sfi=_TERMINAL_SFI), step="PSAM 0016")
            named = channel.transmit(Command(0x00, 0xA4, 0x04, 0x00, APPLICATION))
            if named.sw != 0x9000 and named.sw >> 8 != 0x61:
                fid = APPLICATION_FID.to_bytes(2)
                channel.send(Command(0x00, 0xA4, 0x00, 0x00, fid), step="PSAM 8011")
            data = channel.send(read_binary(0, LENGTH, sfi=_DATA_SFI), step="PSAM 0017")
        except StatusError as error:
            raise CardRefused(
                f"不是交通 PSAM 卡（{error.where} 返回 {error.sw:04X}）",
                f"not a transit PSAM ({error.where} answered {error.sw:04X})",
                where=channel.transport.name,
            ) from None
        return cls(channel, terminal, PsamData.decode(data))

    def initialize(
        self, *, random: bytes, sequence: int, deal: Deal, key_version: int, algorithm: int, public: PublicData
    ) -> tuple[bytes, bytes]:
        """INIT_SAM_FOR_PURCHASE: the terminal's sequence number and MAC1, 4 bytes each. Raises `StatusError`."""
        data = (
            random
            + sequence.to_bytes(2)
            + deal.amount_bytes
            + bytes((deal.type,))
            + deal.moment
            + bytes((key_version, algorithm))
            + _factors(public)
        )
        answer = self._channel.send(Command(0x80, _INITIALIZE, 0x00, 0x00, data, 8), step="PSAM 8070")
        if len(answer) != 8:
            raise ProtocolError("PSAM 的应答长度不是 8 字节", "the PSAM did not answer with 8 bytes", where="PSAM 8070")
        return answer[:4], answer[4:]

    def check(self, mac2: bytes) -> bool:
        """CREDIT_SAM_FOR_PURCHASE: whether MAC2 of the card is right. Raises `StatusError` for all but that."""
        try:
            self._channel.send(Command(0x80, _CREDIT, 0x00, 0x00, mac2), step="PSAM 8072")
        except StatusError as error:
            if error.sw == _WRONG_MAC:
                return False
            raise
        return True

    def lock_mac(self, challenge: bytes, header: bytes, *, public: PublicData) -> bytes:
        """The MAC of a lock command with this ``header`` (5 bytes), after a ``challenge`` (4 bytes) of the card."""
        self._channel.send(Command(0x80, _DELIVER, 0x45, 0x00, _factors(public)), step="PSAM 801A")
        data = challenge.ljust(8, b"\x00") + pad(header, 8)
        return self._channel.send(Command(0x80, _CIPHER, 0x05, 0x00, data, SHORT_LE), step="PSAM 80FA")


def _factors(public: PublicData) -> bytes:
    """What the PSAM makes the card's key from: the end of the serial, and the issuer code."""
    return bytes.fromhex(public.serial)[-8:] + bytes.fromhex(public.issuer_code)
