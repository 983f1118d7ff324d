"""What docs/terminal.md shows is true: codes, functions, the C program and its output."""

import os
import re
import subprocess
import threading
from pathlib import Path

from juying.crypto.keys import DemonstrationKeys
from juying.terminal.bridge import Bridge
from juying.terminal.codes import TITLES
from juying.terminal.interface import FUNCTIONS
from tests.terminal.cards import DEVICE, Desk, basic, personal, psam_slot
from tests.terminal.conftest import FLAGS, ROOT

TEXT = (ROOT / "docs" / "terminal.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_codes_are_those_that_are_answered() -> None:
    documented = dict(re.findall(r"^\| (-?\d+) \| (.*?) \|$", TEXT, re.MULTILINE))
    assert documented == {str(int(code)): title for code, title in TITLES.items()}


def test_every_function_is_there() -> None:
    for name in FUNCTIONS:
        assert name.partition("_HSM")[0] in TEXT


def test_the_c_program_does_what_is_shown(caller: Path, tmp_path: Path) -> None:
    source, program, endpoint = tmp_path / "hospital.c", tmp_path / "hospital", tmp_path / "endpoint"
    source.write_text(blocks("c")[0])
    library = caller.with_name("libjuying_terminal.so")
    compiler = ["gcc", *FLAGS, f"-I{ROOT / 'native'}", f"-Wl,-rpath,{library.parent}", "-o", program, source, library]
    subprocess.run(compiler, check=True)
    desk = Desk(personal("ssc-v3"), psam_slot(), options={"device_number": DEVICE})
    with Bridge(desk.terminal.call, endpoint) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        environment = {**os.environ, "JUYING_TERMINAL": str(endpoint)}
        done = subprocess.run([program], capture_output=True, env=environment, timeout=60, check=True)
        server.shutdown()
        thread.join()
    assert done.stdout.decode("gbk") in blocks("console")


def test_the_back_end_in_python() -> None:
    """Here with the demonstration keys, as shown."""
    names: dict[str, object] = {}
    exec(blocks("python")[0], names)  # the code of the page
    desk = Desk(personal("ssc-v3"))
    text = desk.ok("iReadCard_HSM_Step1", 1, "", "DF01EF0A|37|$")
    assert text.startswith("03|004F2E|")
    key = names["answer"](basic("ssc-v3"), text)
    assert desk.ok("iReadCard_HSM_Step2", key) == "DF01EF0A|UTO|$"
    assert names["DemonstrationKeys"] is DemonstrationKeys
