"""City codes: what is known, where from."""

import pytest

from juying.errors import InputError
from juying.services.transit.cities import City, Source, cities, find_cities
from juying.text import Text

BOTH = (Source.TU_READER, Source.STANDARD)
ZHEJIANG = {
    "3310": "杭州市",
    "3320": "宁波市",
    "3330": "温州市",
    "3350": "嘉兴市",
    "3360": "湖州市",
    "3370": "绍兴市",
    "3380": "金华市",
    "3410": "衢州市",
    "3420": "舟山市",
    "3430": "丽水市",
    "3450": "台州市",
}


def test_as_many_as_two_public_lists_have_in_common() -> None:
    assert len(cities()) == 357
    assert sum(city.sources == BOTH for city in cities().values()) == 329
    assert list(cities()) == sorted(cities())


def test_zhejiang_exactly() -> None:
    assert {city.code: city.name.zh for city in find_cities("Zhejiang")} == ZHEJIANG


def test_taizhou() -> None:
    assert cities()["3450"] == City("3450", Text("台州市", "Taizhou"), "Zhejiang", BOTH)


@pytest.mark.parametrize(
    ("code", "name"), [("1000", "北京市"), ("2900", "上海市"), ("3120", "扬州市"), ("3140", "镇江市")]
)
def test_codes_that_other_tables_confuse(code: str, name: str) -> None:
    assert cities()[code].name.zh == name


def test_every_city_has_a_name_in_both_languages_and_a_source() -> None:
    for city in cities().values():
        assert len(city.code) == 4
        assert city.code.isdigit()
        assert city.name.zh
        assert city.name.en.isascii()
        assert city.province
        assert city.sources
        for source in city.sources:
            assert "github.com" in source.title.en


@pytest.mark.parametrize("words", ["3450", "台州", "浙江省台州"[3:], " taizhou "])
def test_finding_a_city(words: str) -> None:
    assert "3450" in {city.code for city in find_cities(words)}


def test_taizhou_is_two_cities_in_latin_letters() -> None:
    assert {city.name.zh for city in find_cities("Taizhou")} == {"台州市", "泰州市"}


@pytest.mark.parametrize("words", ["", "  ", "Atlantis"])
def test_no_such_city(words: str) -> None:
    with pytest.raises(InputError):
        find_cities(words)
