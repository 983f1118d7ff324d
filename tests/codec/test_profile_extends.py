"""A profile made from another: it states what differs, and mistakes are told at their own place."""

from pathlib import Path

import pytest

from juying.codec.profile import load_profile
from juying.errors import ProfileError
from tests.codec.samples import SMALL, line_of, write

PROVINCE = """
name = "ssc-province"
extends = "ssc-v2"
title = { zh = "某省", en = "some province" }
permit = "open"
security = { pin_tries = 3 }

[[application]]
name = "SSSE"
keys = [ { name = "UKP", id = "0E", source = "ours" }, { name = "UKSSSE", id = "05" } ]

[[application.file]]
fid = "EF06"
records = [
  { tag = "0B", title = { zh = "本省民族", en = "ethnicity here" }, vectors = [
    { hex = "0B0101", value = "01" },
  ] },
  { number = 8, tag = "D1", type = "an", length = 2, title = { zh = "项", en = "ours" }, write = "key:UKP", vectors = [
    { hex = "D1023031", value = "01" },
  ] },
]

[[application.file]]
fid = "EF0E"
kind = "transparent"
title = { zh = "本省文件", en = "file of the province" }
source = "ours"
read = "free"
write = "key:UKP"
size = 16
content = "raw"

[[application]]
name = "DF09"
aid = "D156000005FF"
title = { zh = "本省应用", en = "application of the province" }
source = "ours"

[[application.file]]
fid = "EF05"
kind = "linear"
title = { zh = "文件", en = "file" }
read = "free"
write = "never"
records = [ { number = 1, tag = "01", type = "an", length = 1, title = { zh = "项", en = "item" }, vectors = [
    { hex = "010131", value = "1" },
  ] } ]
"""


def test_province(tmp_path: Path) -> None:
    """Patched by name, file identifier and tag; new entries are added; all else is taken over."""
    own, base = load_profile(write(tmp_path, PROVINCE)), load_profile("ssc-v2")
    assert (own.name, own.title.en, own.version) == ("ssc-province", "some province", "2.00")
    assert own.check_vectors() == base.check_vectors() + 2
    holder, before = own.file("SSSE/EF06"), base.file("SSSE/EF06")
    assert holder.records[:4] == before.records[:4]
    assert holder.records[5:7] == before.records[5:7]
    ethnicity, ours = holder.record(0x0B), holder.record(0xD1)
    assert ethnicity
    assert ours
    assert before.records[4].tag == 0x0B
    assert ethnicity == before.records[4].model_copy(update={"title": ethnicity.title, "vectors": ethnicity.vectors})
    assert (ours.read, ours.write, ours.source) == ("free", "key:UKP", "standard")
    assert {file.address for file in own.files} - {file.address for file in base.files} == {"SSSE/EF0E", "DF09/EF05"}
    keys = {key.name: key.id for key in own.application("SSSE").keys}
    before_keys = {key.name: key.id for key in base.application("SSSE").keys}
    assert keys == before_keys | {"UKSSSE": 5, "UKP": 14}
    assert own.security == base.security.model_copy(update={"pin_tries": 3})
    assert own.permit == "open"
    assert own.applications[1:6] == base.applications[1:]


def test_fields_of_a_row_have_no_name_and_are_stated_anew(tmp_path: Path) -> None:
    change = SMALL.partition("[[application.file]]")[0] + '[[application.file]]\nfid = "EF07"\n'
    change = change.replace('name = "small"', 'name = "child"\nextends = "base.toml"')
    row = '{ type = "uint", length = 1, title = { zh = "序号", en = "number" } }'
    write(tmp_path, SMALL, "base.toml")
    child = load_profile(write(tmp_path, f'{change}records = [ {row} ]\nvectors = [ {{ hex = "07", value = [7] }} ]\n'))
    assert child.file("SSSE/EF07").record_length == 1
    assert child.file("SSSE/EF07").count == 3
    assert child.check_vectors() == 5


def test_extends_a_file_next_to_it(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    write(tmp_path / "base", SMALL, "small.toml")
    middle = write(tmp_path, 'name = "middle"\nextends = "base/small.toml"\nversion = "2.01"\n', "middle.toml")
    own = load_profile(write(tmp_path, 'name = "own"\nextends = "middle.toml"\nprotocol = "T=1"\n'))
    assert (own.name, own.version, own.protocol) == ("own", "2.01", "T=1")
    assert load_profile(middle).protocol == "T=0"


MISTAKES = {
    "unknown key in a patch": ('id = "05"', 'ids = "05"', "ids =", "SSSE UKSSSE: unknown key ids (id?)"),
    "wrong security": ("pin_tries = 3", 'pin_tries = "3"', "pin_tries", "security pin_tries: a whole number"),
    "unknown security": ("pin_tries = 3", "pin_trys = 3", "pin_trys", "security: unknown key pin_trys (pin_tries?)"),
    "id of another key": ('"UKP", id = "0E"', '"UKP", id = "0A"', "", "the key id 0A is declared twice"),
    "wrong patch": (
        'title = { zh = "本省民族"',
        'length = 99999, title = { zh = "本省民族"',
        "99999",
        "EF06 0B length",
    ),
    "new record with a gap": ("number = 8", "number = 9", "number = 9", "tag D1 should have number 8"),
    "new record with known tag": ('{ number = 8, tag = "D1"', '{ number = 7, tag = "D1"', "D1", "should have number 8"),
    "undeclared key": ('"key:UKP", vectors', '"key:UKX", vectors', "key:UKX", "key:UKX (UK"),
    "new file without kind": ('kind = "transparent"\n', "", "EF0E", "SSSE EF0E kind: the key is missing"),
    "new entry twice": (
        'fid = "EF0E"',
        'fid = "EF0F"\n%s\n[[application.file]]\nfid = "EF0F"',
        "",
        "EF0F is declared twice",
    ),
    "no name": ('name = "ssc-province"\n', "", "", "name: the key is missing"),
    "unknown base": ('"ssc-v2"', '"ssc-v9"', "extends", "no profile ssc-v9"),
    "base is no text": ('"ssc-v2"', "2", "extends", "extends must name a profile"),
    "list without names": ('{ name = "UKP", id', '{ nam = "UKP", id', "nam", "unknown key nam (name?)"),
    "entry that is no table": ("\nkeys = [", "\nkeys = [ 1, ", "", "keys: a table is needed"),
    "identity that is no text": ('tag = "0B", title', "tag = [], title", "", "upper-case hex digits"),
}


@pytest.mark.parametrize(("old", "new", "there", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake(tmp_path: Path, old: str, new: str, there: str, message: str) -> None:
    assert old in PROVINCE
    body = PROVINCE.partition('fid = "EF0E"\n')[2].partition("\n\n")[0]
    text = PROVINCE.replace(old, new % body if "%s" in new else new, 1)
    path = write(tmp_path, text)
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert message in str(caught.value)
    file, _, line = caught.value.where.rpartition(":")
    assert file == str(path)
    assert there in text.splitlines()[int(line) - 1]


def test_mistake_in_the_base_is_told_there(tmp_path: Path) -> None:
    text = SMALL.replace('kind = "cyclic"', 'kin = "cyclic"')
    base = write(tmp_path, text, "base.toml")
    with pytest.raises(ProfileError) as caught:
        load_profile(write(tmp_path, 'name = "own"\nextends = "base.toml"\nversion = "9"\n'))
    assert caught.value.where == f"{base}:{line_of(text, 'kin = ')}"


def test_circle(tmp_path: Path) -> None:
    write(tmp_path, 'name = "one"\nextends = "two.toml"\n', "one.toml")
    write(tmp_path, 'name = "two"\nextends = "./one.toml"\n', "two.toml")
    with pytest.raises(ProfileError, match="not in a circle") as caught:
        load_profile(tmp_path / "one.toml")
    assert caught.value.where.endswith(".toml:2")


def test_patch_that_breaks_a_vector_is_found_by_the_check(tmp_path: Path) -> None:
    text = PROVINCE.replace('{ tag = "0B",', '{ tag = "0D", type = "cn" },\n  { tag = "0B",')
    profile = load_profile(write(tmp_path, text))
    with pytest.raises(ProfileError, match=r"ssc-province SSSE/EF06 0D.*do not agree"):
        profile.check_vectors()
