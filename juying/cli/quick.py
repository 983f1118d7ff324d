"""The way to ``juying verify`` past the library that reads command lines.

That library takes longer to load than everything that verifies a credential together. Here only plain lines are
understood; for anything else, such as a mistake that has to be explained, there is the long way.
"""

import gc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMMAND, JSON = "verify", "--json"

OPTIONS: dict[str, type[Path] | type[str]] = {
    "--trust": Path,
    "--root": Path,
    "--policy": Path,
    "--lists": Path,
    "--audience": str,
    "--nonce": str,
    "--replay-cache": Path,
}
"""Those with a value, each with its type."""


def run(arguments: Sequence[str]) -> int | None:
    """The exit status of the command line; None when it has to go the long way, and nothing has happened yet."""
    given = _parsed(arguments)
    if given is None:
        return None
    gc.disable()  # whoever lives for a moment leaves no garbage
    try:
        from juying.cli.output import exit_status
        from juying.cli.verifying import verify_source

        return exit_status(lambda: verify_source(**given), as_json=given["json"])
    finally:
        gc.freeze()  # and need not be searched for any at the end
        gc.enable()


def _parsed(arguments: Sequence[str]) -> dict[str, Any] | None:
    """The arguments of `verify_source`."""
    if not arguments or arguments[0] != COMMAND:
        return None
    values: dict[str, Any] = dict.fromkeys(OPTIONS)
    sources, json = [], False
    rest = iter(arguments[1:])
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name in OPTIONS and values[name] is None:
            value = value if equals else next(rest, "-")
            if not value or value.startswith("-"):
                return None
            values[name] = OPTIONS[name](value)
        elif argument == JSON:
            json = True
        elif argument == "-" or (argument and not argument.startswith("-")):
            sources.append(argument)
        else:
            return None
    if len(sources) != 1:
        return None
    values["replay"] = values.pop("--replay-cache")
    return {"source": sources[0], "json": json, **{name.removeprefix("--"): value for name, value in values.items()}}
