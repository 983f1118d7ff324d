"""``juying keys``: the keys of an office, in an encrypted file or in a token."""

import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from juying.cli import key_ceremony
from juying.cli.commands import Commands
from juying.cli.key_import import from_components, from_pem, from_wrapped
from juying.cli.key_options import KeyStore, open_token, token_label
from juying.cli.key_stores import Store, TokenStore, edit, read, store_name, with_material
from juying.cli.key_transport import transport_keys
from juying.cli.key_view import key_dict, show_keys
from juying.cli.key_wanted import PROFILES, of_cards, of_ledger
from juying.cli.options import Json
from juying.cli.output import Exit, print_json
from juying.cli.passwords import keys_pass_phrase
from juying.crypto.key_set import KeyInfo, KeyKind, KeySet, KeyState, StoredKey, wipe
from juying.errors import InputError, KeyUseError
from juying.files import write_atomically
from juying.text import Text

app = Commands("密钥库：卡密钥、签名密钥 / key stores: keys of cards and signing keys")

_TAKEN = Text("已存入", "stored")

PassPhraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="密钥库口令所在文件，默认 JUYING_KEYS_PASSPHRASE 或提问 / file with the pass phrase of the store; "
        "default: JUYING_KEYS_PASSPHRASE, or a prompt",
    ),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="密钥名称，如 DF01/UK7 / name of a key, such as DF01/UK7")]
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind", metavar="KIND", help="3des、sm4、aes-256（传输）、ES256 等 / 3des, sm4, aes-256 (transport), ES256 …"
    ),
]
City = Annotated[
    str | None,
    typer.Option("--city", metavar="CODE", help="城市代码，根密钥没有 / city, six digits; a root key has none"),
]
CheckValue = Annotated[
    str | None,
    typer.Option("--check-value", metavar="HEX", help="密钥须有的校验值 / check value that the key has to have"),
]
NewVersion = Annotated[
    bool, typer.Option("--new-version", help="作为已有密钥的新版本 / as the next version of a key that is there")
]


@app.command()
def init(
    keys: KeyStore = None,
    city: Annotated[
        str | None, typer.Option("--city", metavar="CODE", help="为该城市造卡密钥 / make keys for cards of this city")
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option("--profile", metavar="NAME", help="卡规格，默认三代都有 / card profiles; default: all three"),
    ] = None,
    transport: Annotated[
        str | None,
        typer.Option(
            "--transport",
            metavar="demo",
            help="保存虚拟卡出厂的演示主密钥，使虚拟卡能装入新密钥 / keep the main key that virtual cards leave the "
            "factory with: under it they take the new keys",
        ),
    ] = None,
    signing: Annotated[
        str | None,
        typer.Option("--signing", metavar="KIND", help="另造签名密钥 / a signing key too: ES256, ED25519, SM2"),
    ] = None,
    signing_name: Annotated[
        str, typer.Option("--signing-name", metavar="NAME", help="签名密钥名称 / name of the signing key")
    ] = "issuer",
    ledger: Annotated[
        bool,
        typer.Option(
            "--ledger", help="另造台账密钥，须与 --city 同用 / the key of the city's ledger too; goes with --city"
        ),
    ] = False,
    passphrase_file: PassPhraseFile = None,
    json: Json = False,
) -> int:
    """新建密钥库并造随机密钥，不覆盖已有的 / make a key store with fresh random keys; none is overwritten."""
    wanted = [*of_cards(profile or PROFILES, city)] if city else []
    if signing:
        kind = KeyKind.named(signing, where="--signing")
        if not kind.signs:
            raise InputError("这不是签名算法", "this is no algorithm for signing", where="--signing")
        wanted.append((signing_name, kind, ""))
    before = transport_keys(transport, profile or PROFILES, city)
    named = store_name(keys)
    label = token_label(named)
    if ledger:
        wanted.append(of_ledger(city, KeyKind.SM4 if label is None else KeyKind.TDES))  # tokens know no SM4
    if label is not None:
        with open_token(label, writable=True) as token:
            made: list[KeyInfo] = TokenStore(token).make(wanted, before)
            _report(named, made, Text("令牌中新造的密钥", "keys made in the token"), as_json=json)
        return Exit.DONE
    from juying.crypto.key_file import KeyFile

    with KeySet(before) as fresh:
        for name, kind, where in wanted:
            fresh.add(StoredKey.generate(name, kind, city=where), new_version=True)
        if Path(named).exists():
            raise InputError(
                "文件已存在；已有的密钥不会被覆盖", "the file exists: keys are never overwritten", where=named
            )
        with KeyFile.create(named, keys_pass_phrase(named, passphrase_file, new=True), fresh):
            _report(named, list(fresh), Text("新密钥", "new keys"), as_json=json)
    return Exit.DONE


@app.command("list")
def list_keys(keys: KeyStore = None, passphrase_file: PassPhraseFile = None, json: Json = False) -> int:
    """列出密钥的名称、版本和校验值 / list the keys by name, version and check value."""
    with read(keys, passphrase_file) as store:
        _report(store_name(keys), store.rows(), Text("密钥", "keys"), as_json=json)
    return Exit.DONE


@app.command("import")
def import_keys(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="密钥名称 / name of the key")] = None,
    keys: KeyStore = None,
    pem: Annotated[
        Path | None, typer.Option("--pem", metavar="FILE", help="签名密钥 PEM 文件 / a signing key, a PEM file")
    ] = None,
    wrapped: Annotated[
        Path | None,
        typer.Option("--wrapped", metavar="FILE", help="export-wrapped 写出的文件 / file made by export-wrapped"),
    ] = None,
    component: Annotated[
        list[Path] | None,
        typer.Option("--component", metavar="FILE", help="分量文件，每个写一次 / component files, each once"),
    ] = None,
    components: Annotated[
        int | None, typer.Option("--components", metavar="N", help="由 N 人逐一输入分量 / N people type components")
    ] = None,
    kind: Kind = None,
    city: City = None,
    check_value: CheckValue = None,
    new_version: NewVersion = False,
    passphrase_file: PassPhraseFile = None,
    json: Json = False,
) -> int:
    """导入密钥：分量、加密文件或 PEM / take in a key: from components, a wrapped file, or a PEM file."""
    if sum(source is not None for source in (pem, wrapped, component, components)) != 1:
        raise InputError(
            "请用 --pem、--wrapped、--component、--components 之一",
            "use one of --pem, --wrapped, --component and --components",
        )
    if components is not None:
        return _join(_named(name), components, keys, kind, city, check_value, new_version, passphrase_file, json)
    with edit(keys, passphrase_file) as store:
        if wrapped is not None:
            arrived = from_wrapped(store, wrapped, name)
        elif pem is not None:
            arrived = [from_pem(pem, _named(name))]
        else:
            arrived = [from_components(component or [], name)]
        added = _add(store, arrived, check_value, new_version=new_version)
    _report(store_name(keys), added, _TAKEN, as_json=json)
    return Exit.DONE


@app.command()
def generate(
    name: Name,
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="3des、sm4、aes-256、ES256 等 / 3des, sm4, aes-256, ES256 …")
    ],
    keys: KeyStore = None,
    city: City = None,
    passphrase_file: PassPhraseFile = None,
    json: Json = False,
) -> int:
    """造一个随机密钥存入已有的密钥库 / put a fresh random key into a key store that is there."""
    wanted = KeyKind.named(kind, where="--kind")
    with edit(keys, passphrase_file) as store:
        made = store.generate(name, wanted, city or "")
    _report(store_name(keys), [made], _TAKEN, as_json=json)
    return Exit.DONE


@app.command("export-wrapped")
def export_wrapped(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="新文件 / the new file")],
    under: Annotated[
        str, typer.Option("--under", metavar="NAME", help="双方都有的传输密钥 / transport key that both offices have")
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="密钥名称，默认全部卡密钥 / keys; default: all keys of cards"),
    ] = None,
    keys: KeyStore = None,
    kind: Kind = None,
    city: City = None,
    passphrase_file: PassPhraseFile = None,
    json: Json = False,
) -> int:
    """用传输密钥加密导出，供另一机关 import / keys for another office's import, enciphered under a transport key."""
    from juying.crypto.key_export import wrap_keys

    only = KeyKind.named(kind, where="--kind") if kind else None
    with read(keys, passphrase_file) as store:
        source = with_material(store)
        transport = source.stored(under, KeyKind.TRANSPORT, None)
        chosen = [
            key
            for key in source.rows()
            if key.state is KeyState.CURRENT
            and (key.name in names if names else key.kind.is_of_cards)
            and only in (None, key.kind)
            and city in (None, key.city)
        ]
        if missing := set(names or ()) - {key.name for key in chosen}:
            raise KeyUseError("密钥库中没有这个密钥", "the key store has no such key", where=min(missing))
        data = wrap_keys(transport, chosen)
    if out.exists():
        raise InputError("文件已存在，不会被覆盖", "the file exists and is not overwritten", where=str(out))
    write_atomically(out, data, private=True)
    _report(
        store_name(keys), chosen, Text("已加密导出", "exported"), as_json=json, out=str(out), under=key_dict(transport)
    )
    return Exit.DONE


@app.command()
def rotate(
    name: Name,
    keys: KeyStore = None,
    kind: Kind = None,
    city: City = None,
    drop_previous: Annotated[
        bool,
        typer.Option(
            "--drop-previous", help="不造新版本，只删除上一版 / make no new version, only forget the previous one"
        ),
    ] = False,
    passphrase_file: PassPhraseFile = None,
    json: Json = False,
) -> int:
    """换新版本，旧的留给已发的卡 / make a new version of a key; the old one is kept for cards that carry it."""
    only = KeyKind.named(kind, where="--kind") if kind else None
    with edit(keys, passphrase_file) as store:
        if drop_previous:
            done = store.drop_previous(name, only, city)
        else:
            store.rotate(name, only, city)
            done = True
        rows = [
            key for key in store.rows() if key.name == name and only in (None, key.kind) and city in (None, key.city)
        ]
    _report(store_name(keys), rows, Text("版本", "versions"), as_json=json)
    return Exit.DONE if done else Exit.NO


@app.command()
def ceremony(
    name: Name,
    keys: KeyStore = None,
    split: Annotated[
        int | None, typer.Option("--split", metavar="N", help="分成 N 个分量 / give it out in N components")
    ] = None,
    join: Annotated[
        int | None, typer.Option("--join", metavar="N", help="由 N 人逐一输入分量 / N people type their components")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="分量写成文件，不显示 / components into files, not on the screen"),
    ] = None,
    kind: Kind = None,
    city: City = None,
    check_value: CheckValue = None,
    new_version: NewVersion = False,
    passphrase_file: PassPhraseFile = None,
    json: Json = False,
) -> int:
    """密钥仪式：分成分量，或由分量合成 / key ceremony: a key into components, or components into a key."""
    if (split is None) == (join is None):
        raise InputError("请用 --split 或 --join 之一", "use one of --split and --join")
    if join is not None:
        return _join(name, join, keys, kind, city, check_value, new_version, passphrase_file, json)
    return _split(name, int(split or 0), keys, kind, city, out, passphrase_file, json)


def _split(
    name: str,
    count: int,
    keys: str | None,
    kind: str | None,
    city: str | None,
    out: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> int:
    """Give out a key of the store; one that is not there is made, and stored when everybody has a component."""
    from juying.crypto.ceremony import ComponentFile

    only = KeyKind.named(kind, where="--kind") if kind else None
    with edit(keys, passphrase_file) as store:
        source = with_material(store)
        fresh = only is not None and not any(_is(key, name, only, city or "") for key in source.rows())
        if fresh and only is not None:
            key = StoredKey.generate(name, only, city=city or "")
        else:
            key = source.stored(name, only, city)
        components = ComponentFile.of_key(key, count)
        try:
            if out is None:
                key_ceremony.show(components)
            else:
                key_ceremony.save(components, out)
        finally:
            for one in components:
                wipe(one.component)
        if fresh:
            source.add(key, new_version=False)
    where = {} if out is None else {"out": str(out)}
    _report(store_name(keys), [key], Text("已分成分量", "given out in components"), as_json=as_json, **where)
    return Exit.DONE


def _join(
    name: str,
    count: int,
    keys: str | None,
    kind: str | None,
    city: str | None,
    check_value: str | None,
    new_version: bool,
    passphrase_file: Path | None,
    as_json: bool,
) -> int:
    """Have people type their components; the key is stored when all agree on its check value."""
    if kind is None:
        raise InputError("请用 --kind 指明密钥种类", "name the kind of key with --kind", where=name)
    with edit(keys, passphrase_file) as store:
        entered = key_ceremony.enter(KeyKind.named(kind, where="--kind"), count)
        key = StoredKey.symmetric(name, KeyKind.named(kind), entered, city=city or "")
        if check_value is None and not key_ceremony.agreed(key.check_value):
            raise InputError("校验值未获一致确认，未保存", "the holders do not agree: nothing was stored", where=name)
        added = _add(store, [key], check_value, new_version=new_version)
    _report(store_name(keys), added, _TAKEN, as_json=as_json)
    return Exit.DONE


def _add(store: Store, arrived: list[StoredKey], check_value: str | None, *, new_version: bool) -> list[KeyInfo]:
    """Put keys into the store; InputError when the check value is another."""
    try:
        if check_value is not None:
            expected = key_ceremony.parse_check_value(check_value)
            if any(not hmac.compare_digest(key.check_value, expected) for key in arrived):
                raise InputError("密钥校验值不符，未保存", "the check value differs: nothing was stored")
        return [store.add(key, new_version=new_version) for key in arrived]
    except BaseException:
        for key in arrived:
            key.wipe()
        raise


def _is(key: KeyInfo, name: str, kind: KeyKind, city: str) -> bool:
    return key.identity == (name, kind, city)


def _named(name: str | None) -> str:
    if name is None:
        raise InputError("请写出密钥名称", "name the key")
    return name


def _report(store: str, rows: Iterable[KeyInfo], title: Text, *, as_json: bool, **more: Any) -> None:
    rows = list(rows)
    if as_json:
        print_json({"store": store, "keys": [key_dict(key) for key in rows], **more})
    else:
        show_keys(rows, title)
