"""``juying credential card-face``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.options import Json, Reader, Replay, Root, Trust, Virtual, load_trust, open_transport
from juying.cli.output import DEMONSTRATION, Exit, print_json, print_text, tell
from juying.cli.trusting import known_lists
from juying.cli.verifying import text_of
from juying.errors import InputError
from juying.text import Text

if TYPE_CHECKING:
    from juying.credential.card_face import CardFace
    from juying.credential.status import StatusLists
    from juying.credential.trust import TrustList
    from juying.services.reading import Reading


def card_face(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="结果目录 / folder for front.png and back.png")],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            show_default=False,
            help="背面印的凭证，默认卡内的 / credential for the back: text, .txt or picture; default: that on the card",
        ),
    ] = None,
    reader: Reader = None,
    virtual: Virtual = None,
    replay: Replay = None,
    photo: Annotated[
        Path | None,
        typer.Option("--photo", metavar="FILE", help="照片文件，默认卡内的 / photo; default: that on the card"),
    ] = None,
    trust: Trust = None,
    root: Root = None,
    json: Json = False,
) -> int:
    """制作卡面：供证卡打印机使用的正反面图片 / make the front and back of a card for a card printer, 300 dpi."""
    from juying.card.ssc import SscCard
    from juying.credential.card_face import save_faces
    from juying.services.reading import read_card

    trusted = load_trust(trust, root)
    status = known_lists(None, trusted)
    with open_transport(reader, virtual, replay) as transport:
        card, now = SscCard.open(transport), datetime.now(UTC)
        reading = read_card(card, trusted, now=now, status=status, photo=photo is None)
    face = _face(reading, None if source is None else text_of(source), photo, trusted, status)
    _make_folder(out)
    front, back = save_faces(face, out)
    for problem in reading.problems:
        tell(f"{problem.where}: {problem.text}")
    if face.specimen:
        tell(DEMONSTRATION)
    if face.photo is None:
        tell(Text("没有照片，位置留空", "there is no photo: its place is left empty"))
    if json:
        print_json({"front": str(front), "back": str(back), "specimen": face.specimen})
    else:
        print_text(f"{front}\n{back}")
    return Exit.DONE


def _face(
    reading: "Reading", code: str | None, photo: Path | None, trust: "TrustList", status: "StatusLists | None"
) -> "CardFace":
    """What the card says, with another credential for the back and another photo where they are given."""
    from juying.credential.card_face import CardFace
    from juying.credential.issue import to_text
    from juying.credential.verify import verify
    from juying.issuance.photo import card_photo

    held = given = None
    if reading.permit is not None and reading.record is not None:
        held = to_text(reading.record), reading.permit
    if code is not None:
        given = code, verify(code, trust, now=datetime.now(UTC), status=status)
    full, shown = held or given, given or held
    if full is None or shown is None:
        raise InputError(
            "卡内没有可读的工作许可，请给出完整凭证",
            "there is no permit on the card that can be read: name the full credential",
        )
    number, picture = reading.data.values.get("card.number"), reading.data.values.get("holder.photo")
    if not isinstance(number, str):
        raise InputError("卡内没有卡号", "there is no card number on the card")
    if photo is not None:
        picture = card_photo(photo)
    jpeg = picture if isinstance(picture, bytes) else None
    return CardFace.of(full[1], code=shown[0], shown=shown[1], card_number=number, photo=jpeg)


def _make_folder(folder: Path) -> None:
    from juying.issuance.card_folder import make_folder

    make_folder(folder)
