"""``juying trust``: root keys, issuing keys, and the signed lists of them that terminals hold."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from juying.cli.commands import Commands
from juying.cli.key_options import KeyStore, SigningKey, signer_from
from juying.cli.options import Json, Root, root_file
from juying.cli.output import Exit, print_json, tell
from juying.cli.passwords import at_a_terminal, key_password, new_password
from juying.cli.trust_view import (
    ALGORITHM,
    FINGERPRINT,
    PRIVATE,
    PUBLIC,
    SIGNATURE,
    STORE,
    grouped,
    key_dict,
    list_dict,
    report,
    root_dict,
    show_keys,
    show_list,
    show_root,
)
from juying.errors import InputError
from juying.files import write_atomically
from juying.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from juying.credential.trust import KeyUse, TrustList
    from juying.credential.trust_root import Root as RootKey
    from juying.credential.trust_store import TrustStore
    from juying.crypto.signing import Signer, SoftwareSigner
    from juying.model import PermitCategory

app = Commands("信任列表：根密钥、签发密钥 / trust lists: root keys and issuing keys")

PERMIT_YEARS = 5
"""No work permit lasts longer, so a key's signatures are needed for this long."""

Zh = Annotated[str, typer.Option("--zh", metavar="NAME", help="中文名称 / name in Chinese")]
En = Annotated[str, typer.Option("--en", metavar="NAME", help="英文名称 / name in English")]
AlgorithmName = Annotated[
    str, typer.Option("--algorithm", metavar="NAME", help="ES256、ED25519 或 SM2 / ES256, ED25519 or SM2")
]
NoPassword = Annotated[bool, typer.Option("--no-password", help="私钥明文保存 / keep the private key in the clear")]
KeyFile = Annotated[Path, typer.Argument(metavar="KEY", help="新私钥文件 PEM / PEM file of the new private key")]
Source = Annotated[Path, typer.Argument(metavar="SOURCE", help="信任列表的 JSON 源文件 / trust list as JSON")]
Store = Annotated[
    Path | None,
    typer.Option("--store", metavar="DIR", help="信任库目录，默认 JUYING_TRUST / trust store; default: JUYING_TRUST"),
]


@app.command()
def root(
    key: KeyFile,
    zh: Zh,
    en: En,
    algorithm: AlgorithmName = "ES256",
    no_password: NoPassword = False,
    json: Json = False,
) -> int:
    """造根密钥，须离线保管，公钥写入同名 .json / make a root key to be kept offline; public half beside it."""
    from juying.credential.trust_root import Root as RootKey

    public = _beside(key)
    signer = _generate(algorithm)
    pair = RootKey.of(signer, Text(zh, en))
    _save_key(signer, key, no_password=no_password)
    pair.save(public)
    report(
        {
            "key": (PRIVATE, str(key)),
            "public": (PUBLIC, str(public)),
            "algorithm": (ALGORITHM, signer.algorithm.name),
            "fingerprint": (FINGERPRINT, pair.fingerprint),
        },
        as_json=json,
    )
    return Exit.DONE


@app.command()
def keygen(
    key: KeyFile,
    zh: Zh,
    en: En,
    region: Annotated[str, typer.Option("--region", metavar="CODE", help="行政区划 / region, GB/T 2260")],
    quarter: Annotated[str, typer.Option("--quarter", metavar="2026Q4", help="签发季度 / quarter in which it signs")],
    categories: Annotated[
        str, typer.Option("--categories", metavar="ABC", help="可签发的许可类别 / classes of permit that it may sign")
    ] = "ABC",
    use: Annotated[
        str | None,
        typer.Option("--use", metavar="USE", help="只用于 credential 或 status / for credential or status only"),
    ] = None,
    verify_years: Annotated[
        int,
        typer.Option("--verify-years", min=0, max=50, help="停签后可验证的年数 / years to verify after the quarter"),
    ] = PERMIT_YEARS,
    algorithm: AlgorithmName = "ES256",
    no_password: NoPassword = False,
    keys: KeyStore = None,
    signing_key: SigningKey = None,
    json: Json = False,
) -> int:
    """造一地一季的签发密钥，条目写入同名 .json / make an issuing key for a region and quarter; entry beside it."""
    from juying.credential.trust import TrustedKey, TrustList
    from juying.credential.trusted_key import quarter as period

    entry_file = _beside(key)
    start, end = period(quarter)
    signer: Signer
    if signing_key is None:
        signer = made = _generate(algorithm)
    else:
        with signer_from(keys, signing_key) as signer:
            made = None
    entry = TrustedKey.of(
        signer,
        issuer=Text(zh, en),
        region=region,
        not_before=start,
        not_after=end,
        # the last day of a quarter is in no year the 29th of February
        verify_until=end.replace(year=end.year + verify_years),
        categories=_categories(categories),
        use=_uses(use),
    )
    if made is not None:
        _save_key(made, key, no_password=no_password)
    TrustList([entry]).save(entry_file)
    report(
        {
            "key": (PRIVATE, str(key) if made is not None else str(signing_key)),
            "entry": (Text("列表条目", "entry for the list"), str(entry_file)),
            "kid": (Text("密钥标识", "kid"), entry.kid.hex()),
            "algorithm": (ALGORITHM, signer.algorithm.name),
            "fingerprint": (FINGERPRINT, entry.fingerprint),
        },
        as_json=json,
    )
    return Exit.DONE


@app.command()
def add(
    source: Source,
    entries: Annotated[list[Path], typer.Argument(metavar="ENTRY", help="keygen 写出的条目 / entries made by keygen")],
    json: Json = False,
) -> int:
    """把签发密钥加入源文件，请先核对指纹 / add issuing keys to the source; compare their fingerprints first."""
    from juying.credential.trust import TrustList

    held = TrustList.load(source) if source.exists() else TrustList()
    new = [key for path in entries for key in TrustList.load(path)]
    TrustList([*held, *new], edition=held.edition).save(source)
    if json:
        print_json({"source": str(source), "keys": len(held) + len(new), "added": [key_dict(key) for key in new]})
    else:
        show_keys(new)
    return Exit.DONE


@app.command()
def create(
    source: Source,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="根密钥 PEM / root key, a PEM file")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="签名列表 .cbor / the signed list")],
    days: Annotated[
        int, typer.Option("--days", min=1, max=366, help="多少天内出下一版 / days until the next edition is due")
    ] = 100,
    json: Json = False,
) -> int:
    """用根密钥签出新一版列表，版本号加一记入源文件 / sign the next edition; its number is noted in the source."""
    from juying.credential.claims import CHINA
    from juying.credential.trust import Edition, TrustList
    from juying.crypto.signing import SoftwareSigner, VerifyKey

    held = TrustList.load(source)
    now = datetime.now(CHINA).replace(microsecond=0)
    number = held.edition.number + 1 if held.edition else 1
    trust = TrustList(held, edition=Edition(number, now, now + timedelta(days=days)))
    signer = SoftwareSigner.load(key, key_password(key))
    data = trust.signed(signer)
    trust.save(source)  # first, so that no number is ever signed twice
    write_atomically(out, data)
    if json:
        signed_by = VerifyKey(signer.public_key, signer.algorithm).thumbprint.hex()
        print_json({**list_dict(trust), "signed_by": signed_by, "out": str(out)})
    else:
        show_list(trust, Text("已签名", "signed"))
    return Exit.DONE


@app.command()
def inspect(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="列表（签名或 JSON）、根公钥或信任库 / list, signed or JSON, root key, store"
        ),
    ],
    root: Root = None,
    json: Json = False,
) -> int:
    """查看列表和指纹；签名未验证时退出状态 3 / show lists and fingerprints; status 3 when a signature is unchecked."""
    kind, roots, trust, verified = _look_at(path, root)
    if json:
        content = list_dict(trust) if trust else {}
        print_json({"kind": kind, "verified": verified, "roots": [root_dict(one) for one in roots], **content})
    else:
        for one in roots:
            show_root(one)
        if trust:
            show_list(trust, SIGNATURE[verified])
    return Exit.UNDETERMINED if verified is False else Exit.DONE


def _look_at(path: Path, root: Path | None) -> "tuple[str, Sequence[RootKey], TrustList | None, bool | None]":
    """Kind, root keys and list of what is at ``path``, and whether a signature was verified (None: there is none)."""
    from juying.codec.signed_file import FIRST_BYTE
    from juying.credential.strict_json import parse, read_bytes
    from juying.credential.trust import MAX_FILE, TrustList
    from juying.credential.trust_root import Root as RootKey
    from juying.credential.trust_store import TrustStore

    if path.is_dir():
        store = TrustStore(path)
        return ("store", store.roots(), store.load(), True) if store.highest else ("store", store.roots(), None, None)
    try:
        data = read_bytes(path, limit=MAX_FILE)
        if not data.startswith(FIRST_BYTE):
            document = parse(data)
            if isinstance(document, dict) and "public_key" in document:
                return "root", [RootKey.parse(data)], None, None
            return "source", [], TrustList.load(path), None
        if (signer := root_file(root)) is None:
            return "signed", [], TrustList.unverified(data), False
        return "signed", [], TrustList.from_signed(data, [RootKey.load(signer)]), True
    except InputError as error:
        raise InputError(*error.text, where=error.where or str(path)) from None


@app.command()
def pin(
    public: Annotated[Path, typer.Argument(metavar="ROOT", help="根公钥文件 / file of the root key's public half")],
    store: Store = None,
    fingerprint: Annotated[
        str | None,
        typer.Option("--fingerprint", metavar="HEX", help="从别处得知的指纹 / the fingerprint as learnt elsewhere"),
    ] = None,
    json: Json = False,
) -> int:
    """核对指纹后登记根公钥 / let the terminal trust a root key, after its fingerprint was compared."""
    from juying.credential.trust_root import Root as RootKey

    kept = _store(store)
    key = RootKey.load(public)
    if fingerprint is not None:
        if "".join(fingerprint.split()).lower() != key.fingerprint:
            raise InputError("指纹不符，未登记", "the fingerprint differs: not pinned", where=str(public))
    elif not at_a_terminal():
        raise InputError("请用 --fingerprint 给出指纹", "name the fingerprint with --fingerprint", where=str(public))
    else:
        tell(f"{key.name}\n{grouped(key.fingerprint)}")
        if not typer.confirm("指纹与签发方公布的一致吗 / is this the fingerprint that its office published?", err=True):
            return Exit.NO
    kept.pin(key)
    report({"fingerprint": (FINGERPRINT, key.fingerprint), "store": (STORE, str(kept.folder))}, as_json=json)
    return Exit.DONE


@app.command("import")
def import_list(
    signed: Annotated[Path, typer.Argument(metavar="FILE", help="签名的信任列表 / signed trust list")],
    store: Store = None,
    max_overdue: Annotated[
        int, typer.Option("--max-overdue", metavar="DAYS", min=0, help="容许逾期天数 / days that it may be overdue")
    ] = 7,
    json: Json = False,
) -> int:
    """把签名列表导入信任库，拒绝回退 / take a signed list into the store; a roll-back is refused."""
    from juying.credential.strict_json import read_bytes
    from juying.credential.trust import MAX_FILE
    from juying.credential.trust_store import check_age

    kept, now = _store(store), datetime.now(UTC)
    try:
        data = read_bytes(signed, limit=MAX_FILE)
        trust = kept.add(data, now=now, max_overdue=timedelta(days=max_overdue))
    except InputError as error:
        raise InputError(*error.text, where=error.where or str(signed)) from None
    if problem := check_age(trust, now, max_overdue=timedelta(days=max_overdue)):
        tell(problem)
    if json:
        print_json({"store": str(kept.folder), **list_dict(trust)})
    else:
        show_list(trust, SIGNATURE[True])
    return Exit.DONE


def _store(folder: Path | None) -> "TrustStore":
    from juying.credential.trust_store import TrustStore

    named = folder or os.environ.get("JUYING_TRUST")
    if not named:
        raise InputError(
            "请用 --store 或环境变量 JUYING_TRUST 指定信任库目录",
            "name the folder of the trust store with --store or in the environment variable JUYING_TRUST",
        )
    return TrustStore(named)


def _generate(algorithm: str) -> "SoftwareSigner":
    from juying.crypto.signing import Algorithm, SoftwareSigner

    if algorithm.upper() not in Algorithm.__members__:
        known = ", ".join(Algorithm.__members__)
        raise InputError(f"算法须为 {known}", f"the algorithm has to be one of {known}", where="--algorithm")
    return SoftwareSigner.generate(Algorithm[algorithm.upper()])


def _save_key(signer: "SoftwareSigner", path: Path, *, no_password: bool) -> None:
    signer.save(path, None if no_password else new_password())


def _beside(key: Path) -> Path:
    """Where the public half goes; nothing is there yet."""
    public = key.with_suffix(".json")
    if public == key:
        raise InputError(
            "私钥文件名不能以 .json 结尾，那是公开部分的",
            "no private key in .json: that is its public half",
            where=str(key),
        )
    if public.exists():
        raise InputError("文件已存在，不会被覆盖", "the file exists and is not overwritten", where=str(public))
    return public


def _categories(letters: str) -> "frozenset[PermitCategory]":
    from juying.model import PermitCategory

    try:
        return frozenset(PermitCategory(letter) for letter in letters.upper())
    except ValueError:
        known = "".join(PermitCategory)
        raise InputError(f"类别只有 {known}", f"the classes are {known}", where="--categories") from None


def _uses(use: str | None) -> "frozenset[KeyUse]":
    from juying.credential.trust import KeyUse

    try:
        return frozenset(KeyUse) if use is None else frozenset([KeyUse(use)])
    except ValueError:
        known = ", ".join(KeyUse)
        raise InputError(f"用途只有 {known}", f"the uses are {known}", where="--use") from None
