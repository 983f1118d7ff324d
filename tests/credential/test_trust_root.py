"""The public half of a root key: its file is read as strictly as any other."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from juying.credential.trust_root import Root
from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.errors import FieldError, InputError
from juying.text import Text
from tests.credential.trusting import ROOT, ROOT_SIGNER


@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_root_survives_its_file(tmp_path: Path, algorithm: Algorithm) -> None:
    root = Root.of(SoftwareSigner.generate(algorithm), Text("根", "root"))
    root.save(tmp_path / "root.json")
    assert Root.load(str(tmp_path / "root.json")) == root


def test_the_fingerprint_is_that_of_the_key_alone() -> None:
    renamed = Root(ROOT.key, Text("别名", "alias"))
    assert renamed.fingerprint == ROOT.fingerprint
    assert ROOT.fingerprint.startswith(ROOT_SIGNER.kid.hex())


def test_a_name_is_needed_in_both_languages() -> None:
    with pytest.raises(FieldError, match=r"name\.en"):
        Root(ROOT.key, Text("根", ""))


def change(name: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda members: members.update({name: value})


WRONG: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "missing member": (lambda members: members.pop("public_key"), "public_key is missing"),
    "unknown member": (change("kid", "00"), "kid: unknown member"),
    "another version": (change("version", 2), "version has to be 1"),
    "version true": (change("version", True), "version has to be 1"),
    "name a text": (change("name", "root"), "name has to be an object"),
    "name a number": (change("name", {"zh": "根", "en": 7}), "name.en has to be a string"),
    "name too long": (change("name", {"zh": "根" * 101, "en": "root"}), "too long"),
    "unknown algorithm": (change("algorithm", "RS256"), "one of ES256"),
    "algorithm a number": (change("algorithm", -7), "algorithm has to be a string"),
    "no hexadecimal": (change("public_key", "xyz"), "hexadecimal"),
    "a number": (change("public_key", 7), "public_key has to be a string"),
    "no point of the curve": (change("public_key", "02" + "ff" * 32), "P-256"),
}


@pytest.mark.parametrize(("spoil", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_root_file_is_refused(tmp_path: Path, spoil: Callable[[dict[str, Any]], Any], message: str) -> None:
    members = ROOT.to_dict()
    spoil(members)
    path = tmp_path / "root.json"
    path.write_text(json.dumps(members), "utf-8")
    with pytest.raises(InputError, match=message) as caught:
        Root.load(path)
    assert caught.value.where == str(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Root.load(tmp_path / "none.json")
