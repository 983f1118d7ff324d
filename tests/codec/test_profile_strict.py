"""A wrong profile is refused with file, line, what is wrong and the nearest known key."""

import random
import tomllib
from pathlib import Path

import pytest

from juying.codec.profile import Profile, load_profile
from juying.errors import ProfileError
from tests.codec.samples import PROFILES, SMALL, write

NAME = '{ number = 1, tag = "09", type = "an", length = 8,'
MORE = '{ number = 2, tag = "4E", type = "an", length = 4,'
LIST = '{ number = 3, tag = "40", repeat = 2, type = "list",'
PART = '{ tag = "57", type = "cn", length = 1,'
UINT = '{ type = "uint", length = 2,'
EF07 = 'fid = "EF07"\nkind = "cyclic"'
VECTOR = ', vectors = [\n    { hex = "4E0443000000", value = "C" },\n  ] },'
PHOTO = SMALL[SMALL.index('kind = "transparent"') : SMALL.index('[[application]]\nname = "DF01"')]
PHOTO_LINEAR = PHOTO.partition("size")[0].replace("transparent", "linear")
KEYS = SMALL[SMALL.index('  { name = "RK1"') : SMALL.index("]\n\n[[application.file")]
SECURITY = SMALL[SMALL.index("[security]") : SMALL.index("[[application]]")]
DF01 = 'name = "DF01"\nfid = "DF01"'

# What is changed, into what, the text that stands on the line to be named, and parts of the message.
MISTAKES: dict[str, tuple[str, str, str, list[str]]] = {
    # unknown keys, at each level
    "profile": ('version = "2.00"', 'verson = "2.00"', "verson", ["unknown key verson (version?)", "未知的键 verson"]),
    "profile title": (
        'title = { zh = "小规格", en =',
        'title = { zh = "小规格", eng =',
        "eng =",
        ["small", "eng (en?)"],
    ),
    "application": ('aid = "A0', 'adi = "A0', "adi =", ["SSSE", "unknown key adi (aid?)"]),
    "application without likeness": (DF01, DF01 + "\nquux = 1", "quux", ["DF01", "unknown key quux"]),
    "key": ('id = "02"', 'idd = "02"', "idd", ["SSSE UK1", "unknown key idd (id?)"]),
    "file": ('kind = "cyclic"', 'kin = "cyclic"', "kin =", ["SSSE EF07", "unknown key kin (kind?)"]),
    "file, key before fid": (EF07, 'kin = "cyclic"\nfid = "EF07"', "kin =", ["SSSE EF07", "kin (kind?)"]),
    "record": (NAME, NAME.replace("length", "lenght"), "lenght", ["SSSE EF05 09", "lenght (length?)"]),
    "record, key before tag": (MORE, MORE.replace("number", "nummer"), "nummer", ["SSSE EF05 4E", "nummer (number?)"]),
    "part": (PART, PART.replace("type", "typ"), "typ =", ["SSSE EF05 40 57", "typ (type?)"]),
    "record title": ('zh = "代码", en', 'zh = "代码", e', "代码", ["SSSE EF05 40 57", "unknown key e (en?)"]),
    "vector": ('hex = "4E04', 'hax = "4E04', "hax", ["SSSE EF05 4E", "hax (hex?)"]),
    "field of a row": (UINT, UINT.replace("length", "len"), "len =", ["SSSE EF07", "unknown key len (length?)"]),
    # wrong types
    "number as text": (MORE, MORE.replace("number = 2", 'number = "2"'), MORE[-30:], ["4E number", "whole number"]),
    "truth as number": (MORE, MORE + " personal = 1,", "personal", ["4E personal", "true or false"]),
    "text as number": ('version = "2.00"', "version = 2.00", "version", ["version", "a text is needed"]),
    "tag as number": (MORE, MORE.replace('"4E"', "78"), "tag = 78", ["SSSE EF05 tag", "upper-case hex digits"]),
    "tag in small letters": (MORE, MORE.replace("4E", "4e"), '"4e"', ["4e tag", "upper-case hex digits"]),
    "tag out of range": (MORE, MORE.replace("4E", "FF"), '"FF"', ["FF tag", "between 01 and FE"]),
    "odd hex digits": ('aid = "A000000001"', 'aid = "A00000001"', "aid", ["SSSE aid", "两位"]),
    "historical bytes": ("00814A59020000000000000000", "00814A5902", "historical", ["historical", "13 bytes"]),
    "list as text": ("size = 64", "size = 64\nrecords = 1", "records = 1", ["EF08 records", "an array"]),
    "table as text": ('title = { zh = "循环", en = "cyclic" }', 'title = "cyclic"', 'title = "cyclic"', ["zh and en"]),
    "record as text": (UINT, f'"uint",\n  {UINT}', EF07[:12], ["SSSE EF07 records", "a table is needed"]),
    "kind": (EF07, EF07.replace("cyclic", "ring"), "ring", ["EF07 kind", "'linear', 'transparent' or 'cyclic'"]),
    "type": (NAME, NAME.replace('"an"', '"ans"'), "ans", ["09 type", "it must be", "只能是", "'an'"]),
    "source": ('en = "other application" }\nsource = "ours"', 'en = "o" }\nsource = "us"', '"us"', ["'observed'"]),
    "protocol": ('"T=0"', '"T0"', '"T0"', ["protocol", "'T=0' or 'T=1'"]),
    "repeat of nothing": (LIST, LIST.replace("repeat = 2", "repeat = 0"), "repeat", ["40 repeat", "greater than"]),
    # missing keys
    "no title": ('title = { zh = "照片", en = "photo" }\n', "", "EF08", ["SSSE EF08 title", "缺少", "key is missing"]),
    "no English": ('zh = "时间", en = "time"', 'zh = "时间"', EF07[:12], ["SSSE EF07 en", "key is missing"]),
    "no read rule": (
        EF07 + '\ntitle = { zh = "循环", en = "cyclic" }\nread = "free"',
        EF07 + '\ntitle = { zh = "循环", en = "cyclic" }',
        EF07[:12],
        ["EF07 read", "missing"],
    ),
    "no fid": ('fid = "EF08"\n', "", "aid =", ["SSSE fid", "missing"]),
    "no length": (NAME, NAME.replace(" length = 8,", ""), '"09", type', ["09 length", "missing or does not suit"]),
    "no name": ('name = "small"\n', "", "", ["name: the key is missing"]),
    # wrong rules
    "rule": ('read = "pin or key:RK1"', 'read = "anyone"', "anyone", ["SSSE EF05 read", "it must be free, never"]),
    "mixed rule": ('"pin or key:RK1"', '"pin or key:RK1 and key:UK1"', "and key:UK1", ["one of or, and"]),
    "undeclared key": (
        '"pin or key:RK1"',
        '"pin or key:RK2"',
        "key:RK2",
        ["SSSE/EF05", "not declared: key:RK2 (RK1?)"],
    ),
    "undeclared key of a record": (MORE, MORE + ' read = "key:XY",', "key:XY", ["not declared: key:XY"]),
    # keys and security
    "key without id": ('name = "UK1", id = "02"', 'name = "UK1"', '"UK1"', ["SSSE UK1 id: the key is missing"]),
    "id too long": ('id = "02"', 'id = "0102"', '"0102"', ["SSSE UK1 id"]),
    "key id twice": ('id = "02"', 'id = "01"', '"RK1"', ["SSSE", "the key id 01 is declared twice"]),
    "kind of a key": ('id = "02"', 'id = "02", kind = "mane"', "mane", ["SSSE UK1 kind", "'external', 'main'"]),
    "name of a key": ('name = "UK1"', 'name = "UK 1"', '"UK 1"', ["SSSE UK 1 name"]),
    "two keys of a kind": (
        KEYS,
        KEYS.replace(' source = "ours" },', ' kind = "internal", source = "ours" },'),
        '"RK1"',
        ["SSSE", "the key of kind internal is declared twice"],
    ),
    "MAC under a key that makes none": ('write = "key:UK1"', 'write = "mac:UK1"', "mac:UK1", ["not declared: mac:UK1"]),
    "authentication with a key for MACs": (
        'id = "02"',
        'id = "02", kind = "maintenance"',
        'write = "key:UK1"',
        ["SSSE/EF05", "not declared: key:UK1 (RK1?)"],
    ),
    "rule of a field": (UINT, UINT + ' read = "pin",', "EF07", ["the fields of SSSE/EF07 must have the rules"]),
    "no security": (SECURITY, "", "", ["security: the key is missing"]),
    "security is no table": (SECURITY, "security = 1\n", "security", ["security: a table is needed"]),
    "unknown in security": ('cipher = "sm4"', 'cypher = "sm4"', "cypher", ["security: unknown key cypher (cipher?)"]),
    "cipher": ('cipher = "sm4"', 'cipher = "des"', '"des"', ["security cipher", "'3des' or 'sm4'"]),
    "template": ('"atr-last-8"', '"atr-8"', '"atr-8"', ["security card_factor", "'atr-t8-td'"]),
    "no tries": ("key_tries = 3", "key_tries = 0", "key_tries", ["security key_tries", "greater than"]),
    "too many tries": ("pin_tries = 6", "pin_tries = 16", "pin_tries", ["security pin_tries", "less than"]),
    "odd digits": ("pin_digits = 6", "pin_digits = 5", "pin_digits", ["security pin_digits", "multiple of 2"]),
    "initial PIN": ('["123456"]', '["123456", "88888"]', "initial_pins", ["security", "6 digits each"]),
    "no initial PIN": ('["123456"]', "[]", "initial_pins", ["security initial_pins"]),
    "no source of security": ('source = "ours"\n\n[[', "[[", "[security]", ["security source: the key is missing"]),
    "permit": ('protocol = "T=0"', 'protocol = "T=0"\npermit = "secret"', "secret", ["permit", "'sealed' or 'open'"]),
    "permit slot without a key": (
        '"photo"\n',
        '"permit-slot"\n',
        '"SSSE"',
        ["SSSE has permit slots", 'permit = "open"'],
    ),
    # numbers, tags, names
    "gap": (MORE, MORE.replace("number = 2", "number = 5"), "number = 5", ["tag 4E should have number 2"]),
    "gap after repeated ones": (
        LIST,
        LIST.replace("number = 3", "number = 4"),
        "number = 4",
        ["40 should have number 3"],
    ),
    "no tag": (MORE, MORE.replace(' tag = "4E",', ""), 'hex = "4E04', ["record 2 needs a tag"]),
    "no vector": (VECTOR, " },", "continues", ["record 2 needs", "vector"]),
    "tag twice": (MORE, MORE.replace("4E", "09"), NAME, ["SSSE EF05", "the tag 09 is declared twice"]),
    "file twice": ('fid = "EF07"', 'fid = "EF05"', 'fid = "EF05"', ["SSSE", "the file EF05 is declared twice"]),
    "key twice": ('name = "UK1"', 'name = "RK1"', 'id = "01"', ["SSSE", "the key RK1 is declared twice"]),
    "application twice": (DF01, DF01.replace("DF01", "SSSE", 1), "aid =", ["the application SSSE is declared twice"]),
    "continues nothing": ('continues = "09"', 'continues = "08"', "continues", ["4E should name a text record before"]),
    "continues another field": ('continues = "09"', 'continues = "09", field = "x"', "continues", ["same field"]),
    "application of a file": (EF07, EF07 + '\napplication = "DF01"', "application =", ["SSSE", "the one it stands in"]),
    # structure
    "length of a date": (
        'type = "date", title',
        'type = "date", length = 3, title',
        '"58"',
        ["58 length", "does not suit"],
    ),
    "length of a list": (LIST, LIST + " length = 10,", "length = 10", ["40 length", "does not suit"]),
    "too long": (NAME, NAME.replace("length = 8", "length = 256"), "256", ["09 length", "does not suit"]),
    "list without parts": (MORE, MORE.replace('"an"', '"list"'), '"4E", type', ["4E", "type list has parts"]),
    "part with a number": (PART, PART + " number = 1,", '"40"', ["SSSE EF05 40", "each of the parts has a tag"]),
    "linear without records": (PHOTO, PHOTO_LINEAR, "EF08", ["SSSE EF08", "a linear file has records"]),
    "cyclic without count": ("count = 3\n", "", "EF07", ["SSSE EF07", "a cyclic one records, count and vectors"]),
    "cyclic with tags": (UINT, UINT + ' tag = "01",', "EF07", ["SSSE EF07", "neither tag, number, repeat nor parts"]),
    "transparent without size": ("size = 64\n", "", "EF08", ["EF08", "a transparent file has size and content"]),
    "linear with size": (
        'write = "key:UK1"',
        'write = "key:UK1"\nsize = 4',
        'fid = "EF05"\nkind = "linear"',
        ["transparent file has size"],
    ),
    # found in spite of unusual spelling, or else the nearest entry is named
    "single quotes": (EF07, EF07.replace('"EF07"', "'EF07'").replace("cyclic", "ring"), "ring", ["EF07 kind"]),
    "escape": (EF07, EF07.replace("EF07", r"\u0045F07").replace("cyclic", "ring"), "ring", ["EF07 kind"]),
    "quoted key": (EF07, EF07.replace("kind", '"kin"'), 'fid = "EF07"', ["SSSE EF07", "unknown key kin (kind?)"]),
    "key of odd characters": (EF07, EF07 + '\n"ki(nd[" = 1', 'fid = "EF07"', ["EF07：未知的键 ki(nd["]),
    # no TOML at all
    "TOML": ('kind = "cyclic"', "kind = cyclic", "kind = cyclic", ["not a valid TOML file"]),
    "TOML key twice": ("count = 3", "count = 3\ncount = 3\n# here", "# here", ["not a valid TOML file"]),
}


@pytest.mark.parametrize(("old", "new", "there", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake(tmp_path: Path, old: str, new: str, there: str, message: list[str]) -> None:
    text = SMALL.replace(old, new, 1)
    assert text != SMALL
    path = write(tmp_path, text)
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    for part in message:
        assert part in str(caught.value)
    file, _, line = caught.value.where.rpartition(":")
    assert file == str(path)
    assert there in "\n".join(text.splitlines()[int(line) - 1 :][:2]), f"line {line}"


def test_the_small_profile_itself_is_right(tmp_path: Path) -> None:
    """Each mistake above is the only one."""
    profile = load_profile(write(tmp_path, SMALL))
    assert profile.check_vectors() == 5
    assert [file.address for file in profile.files] == ["SSSE/EF05", "SSSE/EF07", "SSSE/EF08", "DF01/EF05"]


VECTORS = {
    "value": ('value = "AB"', 'value = "AC"', "SSSE/EF05 09", "do not agree"),
    "bytes": ("09084142000000000000", "09084143000000000000", "SSSE/EF05 09", "do not agree"),
    "filling": ("09084142000000000000", "09084142202020202020", "SSSE/EF05 09", "do not agree"),
    "length": ("09084142000000000000", "0907414200000000", "SSSE/EF05 09", "tag or length"),
    "no date": ("4009570112580420261201", "4009570112580420261301", "SSSE/EF05 40", "valid date"),
    "row": ("000120261201093000", "000220261201093000", "SSSE/EF07", "do not agree"),
    "row too short": ("000120261201093000", "0001202612010930", "SSSE/EF07", "another length"),
    "type": ("value = 1 }", 'value = "1" }', "DF01/EF05 01", "do not agree"),
}


@pytest.mark.parametrize(("old", "new", "place", "message"), VECTORS.values(), ids=VECTORS)
def test_wrong_vector_is_found_by_the_check(tmp_path: Path, old: str, new: str, place: str, message: str) -> None:
    assert old in SMALL
    profile = load_profile(write(tmp_path, SMALL.replace(old, new)))
    with pytest.raises(ProfileError, match=message) as caught:
        profile.check_vectors()
    assert caught.value.where == f"small {place}"


def test_no_such_profile(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(ProfileError, match=r"no profile ssc-v4.*\(ssc-v\d\?\)"):
        load_profile("ssc-v4")
    for name in ("../profiles/ssc-v2", "ssc-v2\0.toml", tmp_path / "none.toml", tmp_path / "folder.toml"):
        with pytest.raises(ProfileError, match="cannot be read"):
            load_profile(name)
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "latin.toml")


def test_profiles_are_shared_and_cannot_be_changed() -> None:
    profile = load_profile("ssc-v2")
    assert load_profile("ssc-v2") is profile
    for spec in (profile, profile.files[0], profile.files[0].records[0], profile.applications[0]):
        with pytest.raises(ValueError, match="frozen"):
            spec.source = "ours"


def test_windows_editors_byte_order_mark_and_line_ends_are_accepted(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load_profile(path).check_vectors() == 5


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_written_out_profile_is_a_profile(profile: Profile) -> None:
    """What ``profile show --json`` prints can be loaded again and is the same profile."""
    assert Profile.model_validate(profile.model_dump(by_alias=True, exclude_defaults=True)) == profile


def test_schema_knows_hex_as_text() -> None:
    schema = Profile.model_json_schema(by_alias=True)
    assert schema["$defs"]["File"]["properties"]["fid"] == {
        "pattern": "^([0-9A-F]{2})+$",
        "title": "Fid",
        "type": "string",
    }
    assert set(schema["properties"]) >= {"name", "version", "historical", "application"}


def test_damaged_profiles_raise_only_profile_errors(tmp_path: Path) -> None:
    """Values of wrong types anywhere in the document, chosen at random: an error with a line, never a crash."""
    random.seed(2)
    wrong = ["1", '"x"', "[]", "[1]", "[[]]", "{}", "{ a = 1 }", "[{}]", "true", "1.5", "2026-12-01", '""']
    words = SMALL.split(" = ")
    for number in range(250):
        place = random.randrange(1, len(words))
        value, rest = _value(words[place])
        damaged = [*words[:place], random.choice(wrong) + rest, *words[place + 1 :]]
        assert value
        path = write(tmp_path, " = ".join(damaged), f"{number}.toml")
        where = ""
        try:
            load_profile(path).check_vectors()
        except ProfileError as error:
            where = error.where
        assert where == "" or where.startswith((f"{path}:", "small ", "x ", " "))


def _value(text: str) -> tuple[str, str]:
    """A simple value at the start of ``text``, and what follows; brackets are left for the parser to refuse."""
    for end in range(1, len(text) + 1):
        try:
            tomllib.loads(f"a = {text[:end]}")
        except tomllib.TOMLDecodeError:
            continue
        if end == len(text) or text[end] in " ,\n":
            return text[:end], text[end:]
    return text[:1], text[1:]
