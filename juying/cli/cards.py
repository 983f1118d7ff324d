"""``juying read``."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from juying.cli.gate import Lists
from juying.cli.options import (
    AskPin,
    Json,
    KeyStore,
    PinFile,
    ProfileName,
    Reader,
    Record,
    Replay,
    Root,
    Trust,
    Virtual,
    load_trust,
    open_access,
    open_transport,
)
from juying.cli.output import Exit, console, print_fields, print_json, tell
from juying.cli.transit_view import show_transit
from juying.cli.trusting import known_lists
from juying.errors import CardRefused
from juying.text import Text

if TYPE_CHECKING:
    from juying.card.transport import Transport
    from juying.card.tunion import TransitCard
    from juying.codec.decoding import Explained
    from juying.codec.spec import Profile
    from juying.services.reading import Reading


def read(
    reader: Reader = None,
    virtual: Virtual = None,
    replay: Replay = None,
    record: Record = None,
    profile: ProfileName = None,
    trust: Trust = None,
    root: Root = None,
    lists: Lists = None,
    photo: Annotated[
        Path | None, typer.Option("--photo", metavar="FILE", help="把照片存到此文件 / save the photo to this file")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="读出所有记录文件 / read all record files")] = False,
    keys: KeyStore = None,
    pin_file: PinFile = None,
    ask_pin: AskPin = False,
    json: Json = False,
) -> int:
    """读卡：持卡人、工作许可及其签名、交通卡 / read a card: holder, work permit and its signature, transit card."""
    from juying.card.channel import Channel
    from juying.card.ssc import SscCard
    from juying.codec.profile import load_profile
    from juying.services.reading import read_card
    from juying.services.transit_reading import transit_of, with_transit_part

    layout = load_profile(profile) if profile else None
    trusted = load_trust(trust, root, required=False)
    status = known_lists(lists, trusted)
    with (
        open_access(keys, pin_file, ask_pin) as access,
        open_transport(reader, virtual, replay, record, layout) as transport,
    ):
        try:
            card = SscCard.open(transport, layout, access)
        except CardRefused:
            transit = transit_of(Channel(transport), incomplete=replay is not None)
            if transit is None:
                raise
            return _show_transit_card(transport, transit, json=json)
        reading = read_card(
            card, trusted, now=datetime.now(UTC), status=status, photo=photo is not None, everything=everything
        )
        transit = transit_of(card.channel)
    saved = photo is None or _save_photo(reading, photo)
    files = reading.files(card.profile) if everything else {}
    if json:
        records = {address: [entry._asdict() for entry in entries] for address, entries in files.items()}
        document = with_transit_part(reading.to_dict(), transit)
        print_json({**document, "files": records} if everything else document)
    else:
        if transit is not None:
            show_transit(transit)
        _show(reading, card.profile, files)
    return Exit.DONE if saved else Exit.NO


def _show_transit_card(transport: "Transport", card: "TransitCard", *, json: bool) -> int:
    """A card with nothing but a transit application."""
    from juying.services.transit_reading import transit_document

    if json:
        print_json(transit_document(transport, card))
    else:
        show_transit(card)
    return Exit.DONE


def _save_photo(reading: "Reading", path: Path) -> bool:
    from juying.files import write_atomically

    picture = reading.data.values.get("holder.photo")
    if not isinstance(picture, bytes):
        tell(Text("卡上没有照片", "there is no photo on the card"))
        return False
    write_atomically(path, picture, private=True)
    return True


def _show(reading: "Reading", profile: "Profile", files: "Mapping[str, tuple[Explained, ...]]") -> None:
    """Plain files, permit, and last what matters most: whether the permit is genuine and in force."""
    from rich.markup import escape

    from juying.cli.labels import GENUINE, SIGNATURES, permit_fields

    print_fields(profile.title, _plain_fields(reading, profile))
    for address, entries in files.items():
        title = Text(f"{address} {profile.file(address).title.zh}", profile.file(address).title.en)
        print_fields(title, _records(entries))
    document: Any = reading.to_dict()
    if reading.permit is not None and reading.permit.claims is not None:
        permit = document["permit"]
        permit["permit_number"] = permit["number"]
        print_fields(Text("工作许可", "work permit"), permit_fields(permit))
    screen = console()
    for problem in reading.problems:
        screen.print(f"[yellow]{escape(problem.where)}：{escape(str(problem.text))}[/]")
    if reading.genuine is not None:
        text, colour = GENUINE[reading.genuine]
        screen.print(f"[bold {colour}]{escape(str(text))}[/]")
    text, colour = SIGNATURES[reading.signature]
    screen.print(f"[bold {colour}]{escape(str(text))}[/]")
    if reading.permit is not None:
        colour = "green" if reading.permit.valid else "red"
        screen.print(f"[bold {colour}]工作许可 / work permit: {escape(str(reading.permit.verdict.text))}[/]")


def _plain_fields(reading: "Reading", profile: "Profile") -> Iterator[tuple[Text, Text | str]]:
    from juying.cli.labels import word
    from juying.codec.decoding import json_value

    for name, value in reading.data.values.items():
        file, record = profile.by_field(name)[0]
        title = file.title if record is None else record.title
        if isinstance(value, bytes) and record is None:
            yield title, Text(f"{len(value)} 字节", f"{len(value)} bytes")
        else:
            yield title, word(name, json_value(value))


def _records(entries: "tuple[Explained, ...]") -> Iterator[tuple[Text, Text | str]]:
    for entry in entries:
        value = "" if entry.value is None else str(entry.value)
        yield Text(entry.tag, entry.name), f"{value} ({entry.problem})" if entry.problem else value
