"""What docs/stations.md shows is what comes."""

import re
import shlex
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from juying.card.pcsc import open_card
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.feeder import Box, Feeder
from juying.card.virtual.vpcd import VirtualReader
from juying.codec.profile import load_profile
from juying.issuance.demo_keys import throw_away_keys
from juying.issuance.office import Office
from juying.issuance.production import Production
from juying.ledger.ledger import Ledger
from tests import issuing
from tests.cli.conftest import Juying
from tests.cli.desk import ROOT
from tests.harness import PrivatePcscd, Slot

MANUAL = (ROOT / "docs" / "stations.md").read_text("utf-8")


@pytest.fixture
def feed() -> Iterator[Callable[[Path, list[int]], None]]:
    """Starts feeders that go on in the background."""
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def begin(folder: Path, ports: list[int]) -> None:
        feeder = Feeder(Box(folder), ports)
        threads.append(threading.Thread(target=feeder.run, args=(stop,), daemon=True))
        threads[-1].start()

    yield begin
    stop.set()
    for thread in threads:
        thread.join()


def pattern(line: str) -> str:
    """A shown line as a pattern: readers are called otherwise elsewhere, and … stands for anything."""
    known = re.sub(r"Virtual Reader \d 00 0\d", "Virtual Reader N", line)
    return re.escape("".join(known.split())).replace("…", ".*")


def test_what_the_manual_shows_is_what_comes(
    juying: Juying,
    home: Path,
    pcsc_reader: Slot,
    second_pcsc_reader: Slot,
    feed: Callable[[Path, list[int]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(ROOT / "examples", "examples")
    monkeypatch.setenv("JUYING_LEDGER", "office.db")
    slots, count, printed = (pcsc_reader, second_pcsc_reader), 0, ""
    for block in re.findall(r"```console\n(.*?)```", MANUAL, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line)[2:]
            if line.startswith("$ juying virtual feed"):
                feed(Path(words[2]), [slot.port for slot in slots])
                count += 1
            elif line.startswith("$ juying "):
                if "--lot" in words:  # others' readers may be there as well
                    words += [part for slot in slots for part in ("--reader", slot.name)]
                done = juying(*words)
                assert done.status == 0, done.err
                printed = "".join(re.sub(r"Virtual Reader \d 00 0\d", "Virtual Reader N", done.out + done.err).split())
                count += 1
            elif not line.startswith("$"):
                assert re.search(pattern(line), printed), line
    assert count == 7


def test_the_python_of_the_manual_runs(home: Path, private_pcscd: PrivatePcscd, pcsc_reader: Slot) -> None:
    code = re.findall(r"```python\n(.*?)```", MANUAL, re.DOTALL)[0]
    with Ledger.open("office.db", region="331000") as ledger, VirtualReader(port=pcsc_reader.port) as reader:
        lot, _ = issuing.add_lot(ledger, 1)
        signer, trust = throw_away_keys(region="331000")
        reader.insert(VirtualCard.blank(load_profile("ssc-v3")))
        private_pcscd.wait_for_card(pcsc_reader.name, present=True)
        printed: list[object] = []
        exec(
            code,
            {
                "Production": Production, "open_card": open_card, "ledger": ledger, "lot": lot,
                "office": Office(signer=signer, trust=trust), "reader": pcsc_reader.name,
                "print": lambda *values: printed.extend(values),
            },
        )  # fmt: skip
    assert printed[:2] == ["sealed", 1]
