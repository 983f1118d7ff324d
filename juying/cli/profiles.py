"""``juying profile`` and ``juying decode``."""

from typing import Annotated, Any

import typer

from juying.cli.commands import Commands
from juying.cli.options import Json
from juying.cli.output import Exit, console, print_json, print_text
from juying.errors import DecodeError

app = Commands("卡规格 / card profiles")

Name = Annotated[
    str, typer.Argument(metavar="PROFILE", help="ssc-v1、ssc-v2、ssc-v3、tunion，或 .toml 文件 / name or .toml file")
]


@app.command("list")
def list_profiles(json: Json = False) -> int:
    """列出随附的卡规格 / list the profiles that come with juying."""
    from juying.codec.profile import load_profile, profile_names

    profiles = [load_profile(name) for name in profile_names()]
    if json:
        print_json({"profiles": [{"name": p.name, "version": p.version, "title": p.title._asdict()} for p in profiles]})
    else:
        for profile in profiles:
            print_text(f"{profile.name}  {profile.title}")
    return Exit.DONE


@app.command()
def show(
    name: Name,
    schema: Annotated[bool, typer.Option("--schema", help="规格文件的 JSON Schema / JSON schema of profiles")] = False,
    json: Json = False,
) -> int:
    """文件和记录一览 / files and records of a profile."""
    from juying.codec.profile import Profile, load_profile

    profile = load_profile(name)
    if schema:
        print_json(Profile.model_json_schema(by_alias=True))
    elif json:
        print_json(profile.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    else:
        _tree(profile)
    return Exit.DONE


def _tree(profile: Any) -> None:
    from rich.markup import escape
    from rich.tree import Tree

    from juying.codec.manual import rule_text

    root = Tree(f"[bold]{profile.name}[/] {escape(str(profile.title))}")
    security = profile.security
    root.add(
        f"{security.cipher}, {security.city_factor}, {security.card_factor}; "
        f"PIN {security.pin_digits} 位 / digits, {security.pin_tries} 次 / tries"
    )
    for application in profile.applications:
        branch = root.add(f"[bold]{application.name}[/] {escape(str(application.title))}")
        for key in application.keys:
            branch.add(f"{key.id:02X} {key.name} {key.kind.value}")
        for file in application.files:
            size = f"{file.size} bytes" if file.size else f"{file.count} × {file.record_length}" if file.count else ""
            leaf = branch.add(f"{file.address} {file.kind.value} {size} {escape(str(file.title))}")
            leaf.add(f"读 / read: {rule_text(file.read)}; 写 / write: {rule_text(file.write)}")
            for record in file.records:
                tag = f"{record.tag:02X}" if record.tag else "  "
                times = f" × {record.repeat}" if record.repeat > 1 else ""
                leaf.add(f"{tag} {record.type.value}{record.length}{times} {escape(str(record.title))}")
    console().print(root)


@app.command()
def check(name: Name, json: Json = False) -> int:
    """检查规格及其所有测试向量 / check a profile and all its vectors."""
    from juying.codec.profile import load_profile

    profile = load_profile(name)
    vectors = profile.check_vectors()
    files = len(profile.files)
    if json:
        print_json({"profile": profile.name, "files": files, "vectors": vectors})
    else:
        print_text(f"{profile.name}: {files} 个文件，{vectors} 个测试向量正确 / {files} files, {vectors} vectors hold")
    return Exit.DONE


@app.command()
def docs(name: Name) -> int:
    """由规格生成手册页（Markdown） / a manual page in Markdown, made from the profile."""
    from juying.codec.manual import manual
    from juying.codec.profile import load_profile

    print_text(manual(load_profile(name)))
    return Exit.DONE


def decode(
    profile: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="如 SSSE/EF05 / such as SSSE/EF05")],
    data: Annotated[str, typer.Argument(metavar="HEX", help="一条或多条记录 / one or more records")],
    json: Json = False,
) -> int:
    """解码卡上的字节 / decode bytes of a card file."""
    from juying.codec.decoding import decode_file
    from juying.codec.profile import load_profile

    try:
        raw = bytes.fromhex(data)
    except ValueError:
        raise DecodeError("不是十六进制数", "these are no hex digits", where="HEX") from None
    layout = load_profile(profile)
    records = decode_file(layout.file(file), raw)
    if json:
        print_json(
            {"profile": layout.name, "file": layout.file(file).address, "records": [r._asdict() for r in records]}
        )
        return Exit.DONE
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for heading in ("标签 / tag", "名称 / name", "值 / value"):
        table.add_column(heading, overflow="fold")
    for record in records:
        value = record.problem or ("" if record.value is None else str(record.value))
        table.add_row(record.tag, record.name, escape(value))
    console().print(table)
    return Exit.DONE
