"""Every vector of every shipped profile decodes to its value and encodes to its bytes."""

import pytest

from juying.codec.profile import File, Profile, Record
from juying.codec.spec import FileKind, Vector, plain
from tests.codec.samples import PROFILES, records

RECORD_VECTORS = [
    pytest.param(record, vector, id=f"{profile.name} {file.address} {record.tag:02X} {index}")
    for profile, file, record in records()
    for index, vector in enumerate(record.vectors)
]
ROW_VECTORS = [
    pytest.param(file, vector, id=f"{profile.name} {file.address} {index}")
    for profile in PROFILES
    for file in profile.files
    for index, vector in enumerate(file.vectors)
]


@pytest.mark.parametrize(("record", "vector"), RECORD_VECTORS)
def test_record_vector(record: Record, vector: Vector) -> None:
    content = record.decode(vector.hex)
    assert plain(content) == plain(vector.value)
    assert record.encode(content) == vector.hex


@pytest.mark.parametrize(("file", "vector"), ROW_VECTORS)
def test_row_vector(file: File, vector: Vector) -> None:
    row = file.decode_row(vector.hex)
    assert plain(row) == plain(vector.value)
    assert file.encode_row(row) == vector.hex


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_every_record_has_a_vector_and_check_counts_them_all(profile: Profile) -> None:
    expected = 0
    for file in profile.files:
        if file.kind is FileKind.LINEAR:
            assert all(record.vectors for record in file.records), file.address
        elif file.kind is FileKind.CYCLIC:
            assert file.vectors, file.address
        expected += len(file.vectors) + sum(len(record.vectors) for record in file.records)
    assert profile.check_vectors() == expected >= 20
