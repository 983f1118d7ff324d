"""Which services a terminal asks, and how to reach them: one TOML file, a table for each service.

::

    [library.taizhou]          # a table for each library
    host = "…"

    [medical.hospital]
    url = "…"

    [transit]

    [platform.voucher]         # who resolves the codes of the medical e-voucher
    url = "…"

The name of a table is the name of the entry point that reads it (`juying.services.adapter.GROUP`), so a service that
somebody else's package brings is configured in the same file. What stands in the table is that service's business.
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from juying.credential.strict_json import members, read_bytes
from juying.credential.verdict import Verdict
from juying.errors import InputError, JuyingError
from juying.services.adapter import GROUP, Adapter, Factory
from juying.text import Text

if TYPE_CHECKING:
    from juying.services.platform import Platform

MAX_FILE = 1 << 20
ALL = "all"
"""Every service that has a table."""
PLATFORM = "platform"
"""The table of those who resolve codes; it is no service."""

Tables = Mapping[str, Mapping[str, Any]]


def services() -> dict[str, EntryPoint]:
    """The services that are installed, by name; `InputError` when two packages bring one of the same name."""
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=GROUP)):
        if entry.name in found and found[entry.name].value != entry.value:
            raise InputError(
                f"有两个软件包提供服务 {entry.name}：{found[entry.name].value}、{entry.value}",
                f"two packages bring a service {entry.name}: {found[entry.name].value} and {entry.value}",
            )
        found[entry.name] = entry
    return found


def load_sites(path: str | Path) -> Tables:
    """The tables of a configuration file; `InputError` names file, place and the nearest known service."""
    try:
        document = tomllib.loads(read_bytes(Path(path), limit=MAX_FILE).decode())
        installed = services()
        for name, table in document.items():
            if name not in installed and name != PLATFORM:
                raise _unknown(name, {*installed, PLATFORM})
            if not isinstance(table, dict):
                raise InputError(f"须为表 [{name}]", f"this has to be a table, [{name}]", where=name)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"不是有效的 TOML：{error}", f"this is no TOML: {error}", where=str(path)) from None
    except InputError as error:
        raise InputError(*error.text, where=f"{path} {error.where}".rstrip()) from None
    return document


def adapters(tables: Tables, wanted: str) -> tuple[Adapter, ...]:
    """The adapters that ``wanted`` names: `ALL`, a service (``library``), one site of it (``library.taizhou``), or a
    branch of that (``library.taizhou.quay``).

    Only these are loaded. A service without a table is tried all the same, because it may need no settings. Raises
    `InputError` for an unknown name, for every mistake in a table, and when nothing is configured.
    """
    installed = services()
    if wanted == ALL:
        configured = [name for name in tables if name != PLATFORM]
        if not configured:
            raise InputError(f"没有配置任何服务，{_HOW.zh}", f"no service is configured; {_HOW.en}")
        return tuple(adapter for name in configured for adapter in _made(name, installed[name], tables[name]))
    name, _, site = wanted.partition(".")
    if name not in installed:
        raise _unknown(name, {*installed, ALL})
    table = tables.get(name)
    site, _, branch = site.partition(".")
    if site:
        if table is None or site not in table:
            raise _unknown(wanted, {f"{name}.{known}" for known in table or ()})
        table = {site: table[site]}
    try:
        made = _made(name, installed[name], table or {})
    except InputError as error:
        if table is not None:
            raise
        raise InputError(
            f"没有配置服务 {name}，{_HOW.zh}（{error.text.zh}）",
            f"the service {name} is not configured; {_HOW.en} ({error.text.en})",
        ) from None
    exact = tuple(adapter for adapter in made if adapter.name == wanted)
    if branch and not exact:
        raise _unknown(wanted, {adapter.name for adapter in made})
    return exact or made


def platforms(tables: Tables) -> tuple["Platform", ...]:
    """Those who resolve codes that only they understand, as configured. Raises `InputError`.

    ``[platform.voucher]`` has the members of `juying.services.platform.VoucherPlatform`; in its ``errors`` stands which
    code of an answer means which verdict (``{ 30021 = "expired" }``).
    """
    voucher = members(tables.get(PLATFORM, {}), (), PLATFORM, optional=("voucher",)).get("voucher")
    if voucher is None:
        return ()
    from juying.services.platform import VoucherPlatform

    place = f"{PLATFORM}.voucher"
    given = dict(members(voucher, _VOUCHER, place, optional=(*_VOUCHER_MORE, "timeout", "errors")))
    errors = given.pop("errors", {})
    for name, value in given.items():
        if not isinstance(value, int | float if name == "timeout" else str):
            raise InputError("类型不对", "this has the wrong type", where=f"{place}.{name}")
    try:
        return (VoucherPlatform(errors={code: Verdict(word) for code, word in errors.items()}, **given),)
    except (ValueError, AttributeError):
        known = ", ".join(Verdict)
        raise InputError(
            f"须为错误码到结论的表，结论为 {known}",
            f"this has to be a table of codes with verdicts, which are {known}",
            where=f"{place}.errors",
        ) from None


_VOUCHER = ("url", "organisation", "operator", "operator_name")
_VOUCHER_MORE = ("office", "office_name", "business", "pattern")

_HOW = Text(
    "请用 --sites 或环境变量 JUYING_SITES 指定 TOML 配置文件，每个服务一张表，如 [library.taizhou]",
    "name a TOML file with --sites or in the environment variable JUYING_SITES, with a table for each service, such as "
    "[library.taizhou]",
)


def _made(name: str, entry: EntryPoint, table: Mapping[str, Any]) -> tuple[Adapter, ...]:
    """The adapters of one service; whatever goes wrong in its code is a mistake in its table or its installation."""
    try:
        factory: Factory = entry.load()
        made = factory(table)
    except JuyingError:
        raise
    except Exception as error:
        # The words of other errors are left out: they may hold what stands in the table.
        what = str(error) if isinstance(error, ImportError) else type(error).__name__
        raise InputError(
            f"服务无法启用（{entry.value}：{what}）", f"the service cannot be used ({entry.value}: {what})", where=name
        ) from error
    made = tuple(made) if isinstance(made, Sequence) else (made,)
    if not made:
        raise InputError("没有配置任何一处", "no site of it is configured", where=name)
    return made


def _unknown(name: str, known: Collection[str]) -> InputError:
    from difflib import get_close_matches

    nearest = get_close_matches(name, sorted(known), n=1, cutoff=0.0)
    if not nearest:
        return InputError("没有这个服务", "there is no such service", where=name)
    return InputError(
        f"没有这个服务，最接近的是 {nearest[0]}；其他软件包提供的服务须先安装",
        f"there is no such service, the nearest is {nearest[0]}; one that another package brings has to be installed",
        where=name,
    )
