"""Card images: what is saved comes back, a crash leaves the old one, and nothing else is taken for a card."""

import contextlib
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from juying.card.virtual import image
from juying.card.virtual.card import Lifecycle, VirtualCard
from juying.card.virtual.faults import TearAfterByte
from juying.card.virtual.memory import Lock
from juying.codec.profile import load_profile
from juying.errors import CardRemoved, DecodeError, InputError, ProfileError
from tests.virtual.key_holder import INITIAL_PIN, PIN, SERIAL, KeyHolder, contents, guarded

SELECT = bytes.fromhex("00A4040C0F7378312E73682EC9E7BBE1B1A3D5CF")
NUMBER = bytes.fromhex("00DC072C0B0709") + b"A00000003"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "card.vcard"


@pytest.fixture
def document(make: Callable[..., VirtualCard], path: Path) -> dict[str, Any]:
    """A good image, stored at ``path`` and parsed."""
    image.save_card(make(), path)
    parsed: dict[str, Any] = json.loads(path.read_text())
    return parsed


def test_round_trip(card: VirtualCard, terminal: Any, path: Path) -> None:
    """Contents, cyclic records, ATR and lifecycle survive."""
    terminal.ok("00A4040C", SELECT[5:])
    terminal.ok("00DC072C", NUMBER[5:])
    terminal.enter(card.profile, "DF04")
    for row in (b"\x01", b"\x02"):
        terminal.ok("00E20040", row * 28)
    image.save_card(card, path)
    loaded = image.load_card(path, profile=card.profile)
    assert contents(loaded) == contents(card)
    assert (loaded.atr, loaded.state, loaded.profile) == (card.atr, Lifecycle.PERSONALISED, card.profile)
    card.block()
    image.save_card(card, path)
    assert image.load_card(path).state is Lifecycle.BLOCKED


def test_only_the_owner_may_read_it(make: Callable[..., VirtualCard], path: Path) -> None:
    """It holds personal data in the clear; the mode is that of the new file even over an old one."""
    path.write_text("{}")
    path.chmod(0o666)
    image.save_card(make(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("autosave", ["bind", "load"])
def test_autosave_is_on_disk_before_the_answer(make: Callable[..., VirtualCard], path: Path, autosave: str) -> None:
    """After each successful write, and only then, the image holds the new contents."""
    card = make()
    if autosave == "bind":
        image.bind(card, path)
    else:
        image.save_card(card, path)
        card = image.load_card(path, autosave=True, profile=card.profile)
    card.power_on()
    card.transmit(SELECT)
    before = path.stat().st_mtime_ns, path.read_bytes()
    assert card.transmit(bytes.fromhex("00B2072C0B"))[-2:] == b"\x90\x00"
    assert card.transmit(NUMBER[:4] + b"\x01\x00") == b"\x67\x00"
    assert (path.stat().st_mtime_ns, path.read_bytes()) == before
    assert card.transmit(NUMBER) == b"\x90\x00"
    assert image.load_card(path).memory.files == card.memory.files


def test_a_torn_card_is_saved_torn(make: Callable[..., VirtualCard], path: Path) -> None:
    """What the memory holds after a tear is what comes back after a restart."""
    card = make()
    image.bind(card, path)
    torn = TearAfterByte(card, 5)
    torn.power_on()
    torn.transmit(SELECT)
    with pytest.raises(CardRemoved):
        torn.transmit(NUMBER)
    loaded = image.load_card(path)
    assert loaded.memory.files["SSSE/EF05"][6] == b"\x07\x09A00" + b"\xff" * 6
    assert loaded.state is Lifecycle.PERSONALISED


def test_killed_before_the_rename_leaves_the_old_image(
    make: Callable[..., VirtualCard], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The complete temporary file stands beside the old image until the rename; no temporary file stays."""
    card = make()
    image.save_card(card, path)
    old = path.read_bytes()
    card.block()
    seen: list[bytes] = []

    def killed(source: Path, target: Path) -> Path:
        seen.append(source.read_bytes())
        assert (source.parent, target) == (path.parent, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        image.save_card(card, path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert json.loads(seen[0])["blocked"] is True
    assert list(path.parent.iterdir()) == [path]


def test_a_failed_save_is_tried_again(make: Callable[..., VirtualCard], path: Path) -> None:
    """The terminal gets no answer for a change that could not be stored; the next command stores it."""
    folder = path.parent / "gone"
    folder.mkdir()
    card = make()
    image.bind(card, folder / "card.vcard")
    (folder / "card.vcard").unlink()
    folder.rmdir()
    card.power_on()
    card.transmit(SELECT)
    with pytest.raises(InputError, match="cannot be written"):
        card.transmit(NUMBER)
    folder.mkdir()
    card.transmit(SELECT)
    assert image.load_card(folder / "card.vcard").state is Lifecycle.PERSONALISED


def test_missing_file(path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        image.load_card(path)


def test_size_is_limited(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image, "MAX_SIZE", 100)
    path.write_bytes(b" " * 101)
    with pytest.raises(DecodeError, match="too large"):
        image.load_card(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "JSON"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"1" * 5000, "JSON"),
        (b'{"format": "juying-vcard", "format": "juying-vcard"}', "JSON"),
        (b"[]", "not a virtual card"),
        (b'{"format": "other"}', "not a virtual card"),
        (b'{"format": "juying-vcard", "version": 3}', "versions 1 to 2"),
        (b'{"format": "juying-vcard", "version": [1]}', "versions 1 to 2"),
        (b'{"format": "juying-vcard", "version": true}', "versions 1 to 2"),
        (b'{"format": "juying-vcard", "version": 2}', "missing or unknown"),
        (b'{"format": "juying-vcard", "version": 1}', "missing or unknown"),
    ],
)
def test_other_files_are_refused(path: Path, content: bytes, problem: str) -> None:
    """One error type, with a reason, for everything that is no image."""
    path.write_bytes(content)
    with pytest.raises(DecodeError, match=problem):
        image.load_card(path)


@pytest.mark.parametrize(
    ("change", "error", "problem"),
    [
        ({"more": 1}, DecodeError, "unknown"),
        ({"blocked": 0}, DecodeError, "blocked has the wrong type"),
        ({"version": 1}, DecodeError, "keys are missing or unknown"),
        ({"pin": "123456"}, DecodeError, "pin is not valid"),
        ({"pin": "12345F 6/6"}, DecodeError, "pin has no digits"),
        ({"pin": "1234 6/6"}, DecodeError, "pin is not valid"),
        ({"pin": "123456 7/6"}, DecodeError, "pin is not valid"),
        ({"pin": "123456 0/0"}, DecodeError, "pin is not valid"),
        ({"pin": "123456 0/16"}, DecodeError, "pin is not valid"),
        ({"keys": {}}, ProfileError, "keys of the virtual card do not suit"),
        ({"locks": {"DF99": "blocked"}}, DecodeError, "locks names an unknown"),
        ({"locks": {"DF01": "open"}}, DecodeError, "locks names an unknown"),
        ({"locks": {"DF01": ["blocked"]}}, DecodeError, "locks names an unknown"),
        ({"historical": "00"}, DecodeError, "historical has the wrong length"),
        ({"historical": "zz"}, DecodeError, "historical is not hexadecimal"),
        ({"profile": "/etc/passwd"}, ProfileError, "does not come with juying"),
        ({"profile": "ssc-v2"}, ProfileError, "ssc-v2 2.00"),
        ({"profile_version": "3.01"}, ProfileError, "3.00"),
        ({"files": {"SSSE/EF99": []}}, ProfileError, "does not know"),
        ({"files": {"SSSE/EF05": "00"}}, DecodeError, "list of records"),
        ({"files": {"SSSE/EF05": [5]}}, DecodeError, "not hexadecimal"),
        ({"files": {"SSSE/EF05": ["00 00"]}}, DecodeError, "not hexadecimal"),
        ({"files": {"SSSE/EF05": []}}, ProfileError, "do not suit"),
        ({"files": {}}, ProfileError, "has no SSSE/EF05"),
    ],
)
def test_changed_images_are_refused(
    path: Path, document: dict[str, Any], change: dict[str, Any], error: type[Exception], problem: str
) -> None:
    """Whatever does not suit the profile is named."""
    path.write_text(json.dumps(document | change))
    with pytest.raises(error, match=problem):
        image.load_card(path)


@pytest.mark.parametrize("entry", ["00" * 15 + " 15/15", "00" * 16 + " 16/15", "0g" * 16 + " 1/1", "00" * 16, 5, None])
def test_wrong_keys_are_refused_and_not_shown(path: Path, document: dict[str, Any], entry: object) -> None:
    """The message names the key, and says nothing of what stands there."""
    document["keys"]["DF01/UK7"] = entry
    path.write_text(json.dumps(document))
    with pytest.raises(DecodeError, match="keys DF01/UK7 is not valid") as caught:
        image.load_card(path)
    assert "0000000000" not in str(caught.value)
    assert "0g0g0g" not in str(caught.value)


def test_secrets_counters_and_locks_survive(holder: KeyHolder, path: Path) -> None:
    """PIN, tries, new keys and blocked applications come back as they were."""
    holder.change_pin(INITIAL_PIN, PIN)
    holder.verify(INITIAL_PIN)
    holder.enter("DF02")
    assert holder.write_key("DF02/UK1", bytes(range(16)), tries=7) == "9000"
    holder.authenticate("UK1")
    assert holder.protected("841E0000", key="DF02/LK") == "9000"
    holder.enter("DF03")
    assert holder.protected("841E0001", key="DF03/LK") == "9000"
    image.save_card(holder.card, path)
    loaded = image.load_card(path)
    assert contents(loaded) == contents(holder.card)
    assert loaded.memory.pin.tries == 5
    assert loaded.locks == {"DF02": Lock.BLOCKED, "DF03": Lock.FOR_EVER}
    stored = json.loads(path.read_text())
    assert (stored["version"], stored["pin"], stored["locks"]["DF03"]) == (2, "271828 5/6", "blocked-for-ever")
    assert stored["keys"]["DF02/UK1"] == "000102030405060708090A0B0C0D0E0F 6/7"


def test_images_of_version_1_get_the_public_keys_and_the_initial_pin(path: Path) -> None:
    """Such a card can be written by whoever has the demonstration keys of its city."""
    card = guarded("ssc-v3", region="440300")
    image.save_card(card, path)
    document = json.loads(path.read_text())
    old = {key: value for key, value in document.items() if key not in ("locks", "pin", "keys")} | {"version": 1}
    path.write_text(json.dumps(old))
    assert contents(image.load_card(path)) == contents(card)
    old["files"]["SSSE/EF05"][0] = "0110FFFFFF" + old["files"]["SSSE/EF05"][0][10:]
    path.write_text(json.dumps(old))
    with pytest.raises(DecodeError, match="names no region"):
        image.load_card(path)


@pytest.mark.parametrize(
    ("address", "records"),
    [
        ("SSSE/EF08", ["FF" * 4095]),
        ("SSSE/EF08", ["FF" * 4096] * 2),
        ("SSSE/EF06", ["0912" + "FF" * 18, "091E" + "FF" * 30]),
        ("DF02/EF16", ["00" * 17]),
        ("DF02/EF16", ["00" * 18] * 5),
    ],
)
def test_wrong_records_are_refused(path: Path, document: dict[str, Any], address: str, records: list[str]) -> None:
    """Number, length and tag of the records must be those of the profile."""
    document["files"][address] = records
    path.write_text(json.dumps(document))
    with pytest.raises(ProfileError, match=address):
        image.load_card(path)


def test_cyclic_file_may_be_partly_filled(path: Path, document: dict[str, Any]) -> None:
    document["files"]["DF02/EF16"] = ["01" * 18, "02" * 18]
    path.write_text(json.dumps(document))
    assert image.load_card(path).memory.files["DF02/EF16"] == [b"\x01" * 18, b"\x02" * 18]


def test_profile_of_ones_own(path: Path, document: dict[str, Any]) -> None:
    """A card of a province's own profile is loaded with that profile."""
    own = load_profile("ssc-v3").model_copy(update={"name": "ssc-own"})
    image.save_card(VirtualCard.blank(own), path)
    with pytest.raises(ProfileError, match="profile file"):
        image.load_card(path)
    assert image.load_card(path, profile=own).profile.name == "ssc-own"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(("juying-vcard", "ssc-v3")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_images_raise_one_error_type(tmp_path: Path, data: st.DataObject) -> None:
    """Random values in random places: an image is loaded, or `InputError` says why not."""
    path = tmp_path / "mutated.vcard"
    image.save_card(VirtualCard.blank(load_profile("ssc-v3"), serial=SERIAL), path)
    parsed = json.loads(path.read_text())
    inner = data.draw(st.sampled_from(("", "files", "keys")))
    place = parsed[inner] if inner else parsed
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(json_values)
    path.write_text(json.dumps(parsed))
    with contextlib.suppress(InputError):
        assert image.load_card(path).profile.name == "ssc-v3"
