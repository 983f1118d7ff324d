"""The vectors read off cards decode to what is known of them."""

from datetime import date, datetime

from juying.codec.tunion.fci import build_control, build_environment, parse_control, parse_environment
from juying.codec.tunion.files import Management, PublicData, Transaction
from juying.codec.tunion.trips import Tap
from tests.transit.cards import VECTORS, first


def test_list_of_applications() -> None:
    raw, expected = first("ppse")
    entries = parse_environment(raw)
    assert [
        {"aid": entry.aid.hex().upper(), "label": entry.label, "priority": entry.priority} for entry in entries
    ] == expected["entries"]
    assert build_environment(b"2PAY.SYS.DDF01", entries) == raw[2:]


def test_control_information_of_a_beijing_card() -> None:
    raw, expected = first("select-beijing")
    control = parse_control(raw)
    assert control.version == expected["app_version_9F08"]
    card = PublicData.decode(control.public)
    assert card.issuer_code == expected["issuer_code"]
    assert card.issuer_code[:8] == expected["issuer_code_short"]
    assert card.city_code == expected["issuer_city_code"]
    assert (card.app_type, card.enabled_flag) == (expected["app_type"], expected["enabled_flag"])
    assert (card.serial, card.card_number, card.iin) == (
        expected["serial_bcd"],
        expected["pan19"],
        expected["iin8"],
    )
    assert card.valid_from == date.fromisoformat(expected["valid_from"])
    assert card.valid_until == date.fromisoformat(expected["valid_until"])
    assert card.issuer_custom == expected["issuer_custom"]
    assert card.troubles == ()
    assert card.encode() == control.public
    assert build_control(control.name, card.encode()) == raw[2:]


def test_management_data_of_a_shenzhen_card() -> None:
    raw, expected = first("file17-shenzhen")
    data = Management.decode(raw)
    assert (data.country, data.province, data.city_code) == (
        expected["country"],
        expected["province"],
        expected["city"],
    )
    assert f"{data.interoperable:04X}" == expected["interop_flag"]
    assert data.kind == expected["card_kind"]
    assert data.encode() == raw.ljust(60, b"\0")


def test_a_record_of_the_transaction_log() -> None:
    raw, expected = first("records-18")
    record = Transaction.decode(raw)
    assert (record.sequence, record.overdraft) == (expected["seq"], expected["overdraft_field"])
    assert record.amount_fen == expected["amount_fen"]
    for name in ("type", "terminal", "date", "time"):
        assert getattr(record, name) == expected[name]
    assert record.at == datetime(2024, 3, 10, 19, 57, 19)
    assert record.encode() == raw


def test_a_record_of_the_trip_log() -> None:
    raw, expected = first("records-1e")
    record = Tap.decode(raw)
    assert (record.rfu, record.amount_fen, record.balance_fen) == (
        expected["rfu16"],
        expected["amount_fen"],
        expected["balance_after_fen"],
    )
    for name in ("type", "terminal", "industry", "line", "station", "operator", "tail"):
        assert getattr(record, name) == expected[name]
    assert (record.city_code, record.organisation) == (expected["acceptor_city"], expected["acceptor_org"])
    assert record.at is not None
    assert f"{record.at:%Y%m%d%H%M%S}" == expected["datetime"]
    assert record.encode() == raw


def test_no_vector_is_left_out() -> None:
    assert set(VECTORS) == {"ppse", "select-beijing", "file17-shenzhen", "records-18", "records-1e"}
