"""The configuration of a site: every mistake is named, and no secret has a place in it."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from juying.crypto.signing import Algorithm, SoftwareSigner
from juying.errors import InputError
from juying.services.medical.signing import Cainfo, Csb, SealedEnvelope, XTif
from juying.services.medical.site import Site, load_sites

GOOD: dict[str, Any] = {
    "url": "https://nhsa.example",
    "fixmedins_code": "H33100200001",
    "fixmedins_name": "台州市样本医院",
    "mdtrtarea_admvs": "331002",
    "opter": "0001",
    "opter_name": "样本",
}


def test_a_site_as_short_as_it_gets() -> None:
    site = Site.from_dict(GOOD, "medical.hospital")
    assert site.name == "medical.hospital"
    assert site.url_of("2207") == "https://nhsa.example/fsi/api/outpatientSettleService/saveSettletment"
    assert site.layers == ()
    assert site.resilience.total == 10.0


def test_paths_and_numbers_of_a_region() -> None:
    one_door = Site.from_dict({**GOOD, "url": "https://nhsa.example/x/", "path": "/ebus/hsa/hgs/{infno}"})
    assert one_door.url_of("1101") == "https://nhsa.example/x/ebus/hsa/hgs/1101"
    other = Site.from_dict({**GOOD, "path": "a", "paths": {"2203": "/up/{infno}"}, "numbers": {"2203": "2203A"}})
    assert other.url_of("2203") == "https://nhsa.example/up/2203A"
    assert other.url_of("1101") == "https://nhsa.example/a"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fixmedins_cod": "x"}, "fixmedins_code"),
        ({"mdtrtarea_admdvs": "331002"}, "mdtrtarea_admvs"),
        ({"secret": "s3cret"}, "unknown member"),
        ({"fixmedins_code": "H331"}, "fixmedins_code"),
        ({"fixmedins_code": 331}, "fixmedins_code"),
        ({"mdtrtarea_admvs": "33100"}, "mdtrtarea_admvs"),
        ({"url": "http://nhsa.example"}, "plain_http"),
        ({"url": "ftp://nhsa.example"}, "https://"),
        ({"url": "https://"}, "https://"),
        ({"url": "https://user:pass@nhsa.example"}, "https://"),
        ({"url": "https://nhsa.example?x=1"}, "https://"),
        ({"url": "https://nhsa.example:port"}, "https://"),
        ({"url": "https://a..b"}, "url: "),
        ({"url": "https://a b"}, "url: "),
        ({"envelope": {"since": date(2026, 1, 1)}}, "envelope.since: "),
        ({"envelope": {"rate": float("nan")}}, "envelope.rate: "),
        ({"envelope": {"more": [{"at": date(2026, 1, 1)}]}}, "envelope.more: "),
        ({"envelope": {"msgid": "H33100200001202601010000000001"}}, "envelope.msgid: "),
        ({"input": {"2207": {"medfee_sumamt": "1.00"}}}, "input.2207.medfee_sumamt: "),
        ({"input": {"2601": {"omsgid": "1"}}}, "input.2601.omsgid: "),
        ({"layers": [{"kind": "x-tif", "paasid": "样本", "secret_env": "NONE"}]}, "layers[0].paasid: "),
        ({"layers": [{"kind": "csb", "api_name": "a\nb", "access_key": "a", "secret_env": "N"}]}, "api_name: "),
        ({"sign_in": True}, "mac"),
        ({"sign_in": "yes"}, "true or false"),
        ({"certificate": "a.pem"}, "certificate_key"),
        ({"settle_timeout": 0}, "settle_timeout"),
        ({"settle_timeout": True}, "settle_timeout"),
        ({"absent_after": "600"}, "absent_after"),
        ({"require": ["chip"]}, "chip_authenticated"),
        ({"evidence": ["name"]}, "balance"),
        ({"evidence": "balance"}, "a list"),
        ({"unclear": [""]}, "a list"),
        ({"paths": {"2209": "/x"}}, "2208"),
        ({"paths": {"2208": 1}}, "a table"),
        ({"paths": []}, "a table"),
        ({"input": {"2207": "x"}}, "a table"),
        ({"input": {"3207": {}}}, "2207"),
        ({"envelope": "x"}, "a table"),
        ({"resilience": {"timeot": 1}}, "timeout"),
        ({"resilience": {"timeout": 1e9}}, "resilience"),
        ({"layers": [{"kind": "x-tiff"}]}, "x-tif"),
        ({"layers": [{"kind": 1}]}, "x-tif"),
        ({"layers": [1]}, "a list"),
        ({"layers": [{"kind": "x-tif", "paasid": "a", "secret": "s3cret"}]}, "secret_env"),
        ({"layers": [{"kind": "x-tif", "paasid": "a"}]}, "secret_env"),
        ({"layers": [{"kind": "x-tif", "paasid": 1, "secret_env": "NONE"}]}, "paasid"),
        ({"layers": [{"kind": "x-tif", "paasid": "a", "secret_env": "NONE"}]}, "NONE"),
        ({"layers": [{"kind": "cainfo", "key_file": "none.pem"}]}, "key_file"),
        ({"layers": [{"kind": "cainfo", "key_file": "none.pem", "scope": "all"}]}, "scope"),
        (
            {"layers": [{"kind": "sealed", "app_id": "a", "secret_env": "X", "key_file": "k", "platform_key": "02"}]},
            "platform_key",
        ),
    ],
)
def test_a_mistake_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        Site.from_dict({**GOOD, **change}, "medical.hospital")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_something_missing_is_named_with_its_place() -> None:
    with pytest.raises(InputError, match=r"medical\.hospital\.opter"):
        Site.from_dict({name: value for name, value in GOOD.items() if name != "opter"}, "medical.hospital")


def test_what_a_region_adds_may_be_any_json() -> None:
    added = {"exp": {"list": [1, 2.5, True, "x"]}, "pub_hosp_rfom_flag": "0"}
    site = Site.from_dict({**GOOD, "envelope": {"exp": added}, "input": {"2207": added}})
    assert site.input == {"2207": added}


def test_http_on_a_dedicated_line_is_a_decision() -> None:
    assert Site.from_dict({**GOOD, "url": "http://10.0.0.1", "plain_http": True}).url_of("1101").startswith("http://")


def test_a_table_for_each_institution() -> None:
    sites = load_sites({"north": GOOD, "south": GOOD})
    assert [site.name for site in sites] == ["medical.north", "medical.south"]
    for bad in ({}, GOOD, []):
        with pytest.raises(InputError, match="hospital"):
            load_sites(bad)


def test_layers_take_their_secrets_from_the_environment_and_from_key_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIF", "tif-secret")
    monkeypatch.setenv("CSB", "csb-secret")
    monkeypatch.setenv("APP", "app-secret")
    monkeypatch.setenv("PHRASE", "phrase")
    signer = SoftwareSigner.generate(Algorithm.SM2)
    signer.save(tmp_path / "open.pem")
    signer.save(tmp_path / "locked.pem", "phrase")
    public = signer.public_key.hex()
    open_key, locked = str(tmp_path / "open.pem"), str(tmp_path / "locked.pem")
    sealed = {
        "kind": "sealed",
        "app_id": "DEMOAPPID0123456789ABCDEF",
        "secret_env": "APP",
        "key_file": locked,
        "key_password_env": "PHRASE",
        "platform_key": public,
    }
    layers = [
        {"kind": "cainfo", "key_file": open_key, "scope": "input"},
        sealed,
        {"kind": "x-tif", "paasid": "p", "secret_env": "TIF", "upper": True},
        {"kind": "csb", "api_name": "n", "access_key": "a", "secret_env": "CSB"},
    ]
    site = Site.from_dict({**GOOD, "layers": layers})
    assert [type(layer) for layer in site.layers] == [Cainfo, SealedEnvelope, XTif, Csb]
    for secret in ("tif-secret", "csb-secret", "app-secret"):
        assert secret not in repr(site)

    def refused(layer: dict[str, Any], said: str) -> None:
        with pytest.raises(InputError, match=said):
            Site.from_dict({**GOOD, "layers": [layer]})

    refused({"kind": "cainfo", "key_file": locked}, "key_file")
    refused({"kind": "cainfo", "key_file": open_key, "key_password_env": "PHRASE"}, "key_file")
    refused({**sealed, "app_id": "short"}, "app_id")
    SoftwareSigner.generate(Algorithm.ES256).save(tmp_path / "other.pem")
    refused({"kind": "cainfo", "key_file": str(tmp_path / "other.pem")}, "key_file")
