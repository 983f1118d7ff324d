"""``juying read``."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.options import Json, ProfileName, Reader, Record, Replay, Trust, Virtual, load_trust, open_transport
from juying.cli.output import Exit, console, print_json
from juying.errors import InputError

if TYPE_CHECKING:
    from juying.services.reading import Reading


def read(
    reader: Reader = None,
    virtual: Virtual = None,
    replay: Replay = None,
    record: Record = None,
    profile: ProfileName = None,
    trust: Trust = None,
    photo: Annotated[
        Path | None, typer.Option("--photo", metavar="FILE", help="把照片存到此文件 / save the photo to this file")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="读出所有记录文件 / read all record files")] = False,
    json: Json = False,
) -> int:
    """读卡：持卡人、工作许可及其签名 / read a card: the holder, the work permit and its signature."""
    from juying.card.ssc import SscCard
    from juying.codec.profile import load_profile
    from juying.services.reading import read_card

    layout = load_profile(profile) if profile else None
    trusted = load_trust(trust, required=False)
    with open_transport(reader, virtual, replay, record, layout) as transport:
        card = SscCard.open(transport, layout)
        reading = read_card(card, trusted, now=datetime.now(UTC), photo=photo is not None, everything=everything)
    if photo is not None:
        _save_photo(reading, photo)
    if json:
        print_json(reading.to_dict())
    else:
        _show(reading)
    return Exit.DONE


def _save_photo(reading: "Reading", path: Path) -> None:
    from juying.files import write_atomically

    picture = reading.data.values.get("holder.photo")
    if not isinstance(picture, bytes):
        raise InputError("卡上没有照片", "there is no photo on the card")
    write_atomically(path, picture)


def _show(reading: "Reading") -> None:
    from rich.markup import escape
    from rich.table import Table

    from juying.codec.profile import load_profile

    screen = console()
    profile = load_profile(reading.data.profile)
    titles = {
        name: str((record or file).title) for name in profile.fields() for file, record in profile.by_field(name)[:1]
    }
    table = Table(title=str(profile.title), title_justify="left", show_header=False)
    document = reading.to_dict()
    for name, value in reading.data.values.items():
        shown = f"{len(value)} bytes" if name == "holder.photo" and isinstance(value, bytes) else _plain(value)
        table.add_row(titles.get(name, name), escape(shown))
    screen.print(table)
    permit = document["permit"]
    assert isinstance(permit, dict)  # noqa: S101 - the shape of to_dict, for the type checker
    table = Table(title="工作许可 / work permit", title_justify="left", show_header=False)
    for name, value in permit.items():
        table.add_row(name, escape(_plain(value)))
    screen.print(table)
    for problem in reading.problems:
        screen.print(f"[yellow]{escape(problem.where)}: {escape(str(problem.text))}[/]")


def _plain(value: object) -> str:
    from juying.codec.decoding import json_value

    shown = json_value(value)
    return "" if shown is None else str(shown)
