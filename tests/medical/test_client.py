"""Both clients over the network: every transaction, every layer, deadlines, signing in, and TLS."""

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from juying.errors import InputError, PlatformUnavailable
from juying.services.medical.channel import Channel
from juying.services.medical.client import AsyncNhsaClient, NhsaClient
from juying.services.medical.fields import Record
from juying.services.medical.outcome import LATE, UNREACHABLE, Ending, Result
from juying.services.medical.person import PersonQuery, SignOut
from juying.services.medical.settlement import Bill, Order, SettlementInformation
from juying.services.medical.transactions import (
    PERSON,
    PREVIEW,
    REGISTER,
    SETTLE,
    SIGN_OUT,
    UPLOAD_CHARGES,
    UPLOAD_VISIT,
    WITHDRAW,
    WITHDRAW_CHARGES,
    Transaction,
)
from juying.services.medical.visit import (
    ALL_BATCHES,
    Charge,
    Charges,
    ChargeWithdrawal,
    Diagnosis,
    Registration,
    Visit,
    VisitInformation,
    Withdrawal,
)
from juying.services.resilience import Deadline
from tests.medical.gateway import INSTITUTION, NOW, Gateway, order
from tests.peers.nhsa import ANNA, AREA, CARD_IDENTIFIER
from tests.peers.running import running

QUERY = PersonQuery(mdtrt_cert_type="03", mdtrt_cert_no="A10000001", card_sn=CARD_IDENTIFIER)


def charge(number: str, visit: str) -> Charge:
    return Charge(
        feedetl_sn=number,
        mdtrt_id=visit,
        psn_no=ANNA,
        chrg_bchno="B0001",
        rx_circ_flag="0",
        fee_ocur_time=NOW,
        med_list_codg="XA01",
        medins_list_codg="H1",
        det_item_fee_sumamt=Decimal("300.05"),
        cnt=Decimal("2.5"),
        pric=Decimal("120.02"),
        bilg_dept_codg="D1",
        bilg_dept_name="内科",
        bilg_dr_codg="DR1",
        bilg_dr_name="样本医师",
        hosp_appr_flag="1",
    )


def test_a_visit_from_registration_to_the_preview_and_back(gateway: Gateway) -> None:
    client = NhsaClient(gateway.site())

    def done(transaction: Transaction[Any, Any], question: Record) -> Any:
        result = client.call(transaction, question, insured_in=AREA)
        assert result.ending is Ending.SUCCESS, result
        return result.known()

    person = done(PERSON, QUERY)
    assert person.baseinfo.psn_no == ANNA
    assert person.insuinfo[0].balc == Decimal("1234.50")
    registered = done(
        REGISTER,
        Registration(
            psn_no=ANNA,
            insutype="310",
            begntime=NOW,
            mdtrt_cert_type="03",
            mdtrt_cert_no="A10000001",
            ipt_otp_no="O1",
            atddr_no="DR1",
            dr_name="样本医师",
            dept_code="D1",
            dept_name="内科",
            caty="A03",
        ),
    )
    visit = registered.mdtrt_id
    done(
        UPLOAD_VISIT,
        Visit(
            mdtrtinfo=VisitInformation(mdtrt_id=visit, psn_no=ANNA, med_type="11", begntime=NOW),
            diseinfo=(
                Diagnosis(
                    diag_type="1",
                    diag_srt_no="1",
                    diag_code="J00",
                    diag_name="感冒",
                    diag_dept="D1",
                    dise_dor_no="DR1",
                    dise_dor_name="样本医师",
                    diag_time=NOW,
                ),
            ),
        ),
    )
    charges = Charges(feedetail=(charge("F1", visit), charge("F2", visit)))
    uploaded = done(UPLOAD_CHARGES, charges)
    assert [row.feedetl_sn for row in uploaded.result] == ["F1", "F2"]
    assert uploaded.result[0].pric == Decimal("120.020000")

    again = client.call(UPLOAD_CHARGES, charges, insured_in=AREA)  # a repeated serial number is refused
    assert (again.ending, again.message) == (Ending.FAIL, "费用明细流水号重复")
    with pytest.raises(PlatformUnavailable):
        again.known()
    done(WITHDRAW_CHARGES, ChargeWithdrawal(mdtrt_id=visit, chrg_bchno=ALL_BATCHES, psn_no=ANNA))
    done(UPLOAD_CHARGES, charges)

    bill = Bill(**{name: getattr(order(mdtrt_id=visit), name) for name in Bill.__dataclass_fields__})
    preview = done(PREVIEW, bill)
    assert preview.setlinfo.setl_id == ""
    assert preview.setlinfo.cash == Decimal("20.02")
    assert list(preview.setlinfo.contradictions()) == []
    ordered = Order.of(bill, preview, invono="I1")
    assert ordered.inscp_scp_amt == Decimal("600.10")
    assert ordered.invono == "I1"
    done(WITHDRAW, Withdrawal(psn_no=ANNA, mdtrt_id=visit, ipt_otp_no="O1"))


def test_an_order_needs_all_amounts_of_the_preview(gateway: Gateway) -> None:
    preview = NhsaClient(gateway.site()).call(PREVIEW, order(), insured_in=AREA).known()
    lacking = SettlementInformation.read({**preview.setlinfo.write(), "inscp_scp_amt": ""})
    with pytest.raises(InputError, match="inscp_scp_amt"):
        Order.of(order(), type(preview)(setlinfo=lacking))


def test_sums_that_do_not_add_up_are_a_warning() -> None:
    information = SettlementInformation(
        medfee_sumamt=Decimal("100.00"),
        fund_pay_sumamt=Decimal("80.00"),
        psn_part_amt=Decimal("19.98"),
        acct_pay=Decimal("19.98"),
        pdn_cash_pay=Decimal("0.00"),
    )
    assert [text.en.split()[0] for text in information.contradictions()] == ["medfee_sumamt"]


def test_money_goes_through_the_till_only(gateway: Gateway) -> None:
    with pytest.raises(InputError, match="Till"):
        NhsaClient(gateway.site()).call(SETTLE, order(), insured_in=AREA)

    async def ask() -> None:
        async with AsyncNhsaClient(gateway.site()) as client:
            await client.call(SETTLE, order(), insured_in=AREA)

    with pytest.raises(InputError, match="Till"):
        asyncio.run(ask())
    assert gateway.messages == []


def sent(site: Any, transaction: Transaction[Any, Any] = PERSON, question: Record = QUERY) -> dict[str, Any]:
    message = Channel(site).message(transaction, question, insured_in=AREA)
    document: dict[str, Any] = json.loads(message.body)
    return document


def test_the_envelope_has_what_the_interface_asks_for(gateway: Gateway) -> None:
    channel = Channel(gateway.site(dev_no="T1"), clock=lambda: NOW.timestamp())
    message = channel.message(PERSON, QUERY, insured_in=AREA)
    document = json.loads(message.body)
    identifier = document.pop("msgid")
    assert identifier[:26] == INSTITUTION + "20261201120000"
    assert document == {
        "infno": "1101",
        "mdtrtarea_admvs": AREA,
        "insuplc_admdvs": AREA,
        "recer_sys_code": "YBXT",
        "dev_no": "T1",
        "infver": "V1.0",
        "opter_type": "1",
        "opter": "0001",
        "opter_name": "样本",
        "inf_time": "2026-12-01 12:00:00",
        "fixmedins_code": INSTITUTION,
        "fixmedins_name": "台州市样本医院",
        "input": {"data": {"mdtrt_cert_type": "03", "mdtrt_cert_no": "A10000001", "card_sn": CARD_IDENTIFIER}},
    }
    assert "A10000001" not in repr(message)


def test_what_a_region_does_differently(gateway: Gateway) -> None:
    document = sent(
        gateway.site(
            numbers={"1101": "1101A"},
            nodes={"1101": "psninfo"},
            envelope={"recer_admdvs": "331000"},
            input={"1101": {"psn_cert_type": "08"}},
        )
    )
    assert (document["infno"], document["recer_admdvs"]) == ("1101A", "331000")
    assert document["input"]["psninfo"]["psn_cert_type"] == "08"
    as_text = sent(gateway.site(input_as_text=True, amounts_as_text=True), PREVIEW, order())
    data = json.loads(as_text["input"])["data"]
    assert data["medfee_sumamt"] == "600.10"
    assert isinstance(sent(gateway.site(), PREVIEW, order())["input"]["data"]["medfee_sumamt"], float)


def test_a_gateway_that_takes_the_input_as_text(gateway: Gateway) -> None:
    client = NhsaClient(gateway.site(input_as_text=True))
    assert client.call(PERSON, QUERY).known().baseinfo.psn_no == ANNA


def test_a_question_that_cannot_be_put_is_not_sent(gateway: Gateway) -> None:
    with pytest.raises(InputError, match=r"1101\.mdtrt_cert_no"):
        NhsaClient(gateway.site()).call(PERSON, PersonQuery(mdtrt_cert_type="03", mdtrt_cert_no="9" * 51))
    assert gateway.messages == []


def nobody_listens() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def both(site: Any, seconds: float = 60) -> list[Result[Any]]:
    """The result of both clients."""

    async def ask() -> Result[Any]:
        async with AsyncNhsaClient(site) as client:
            return await client.call(PERSON, QUERY, deadline=Deadline.after(seconds))

    return [NhsaClient(site).call(PERSON, QUERY, deadline=Deadline.after(seconds)), asyncio.run(ask())]


def test_what_never_left_is_known_not_to_have_left(gateway: Gateway) -> None:
    for result in both(gateway.site(url=f"http://127.0.0.1:{nobody_listens()}")):
        assert (result.ending, result.sent, result.code) == (Ending.UNKNOWN, False, UNREACHABLE)
        assert "ConnectionRefusedError" in result.reason.en
        with pytest.raises(PlatformUnavailable):
            result.known()
    for result in both(gateway.site(), 0):
        assert (result.ending, result.sent) == (Ending.UNKNOWN, False)
    assert gateway.messages == []


def test_a_gateway_that_takes_connections_and_does_nothing() -> None:
    """The connection stands, so the message has left: it may have been read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        peer = Gateway(type("Peer", (), {"port": server.getsockname()[1]})())
        for result in both(peer.site(), 0.2):
            assert (result.ending, result.sent, result.code) == (Ending.UNKNOWN, True, LATE)


def test_a_message_that_may_not_go_any_more_stays(gateway: Gateway) -> None:
    client = NhsaClient(gateway.site())
    message = client.channel.message(PERSON, QUERY)
    result = client.send(message, may_go=lambda: False)
    assert (result.ending, result.sent) == (Ending.UNKNOWN, False)
    assert gateway.messages == []


def test_signing_in_once_a_day() -> None:
    with running("tests.peers.nhsa", "--sign-in") as peer:
        gateway = Gateway(peer)
        today = [NOW]
        site = gateway.site(sign_in=True, mac="00-00-5E-00-53-01", ip="192.0.2.1")
        channel = Channel(site, clock=lambda: today[0].timestamp())
        client = NhsaClient(channel)
        assert client.call(PERSON, QUERY).known()
        assert client.call(PERSON, QUERY).known()
        assert gateway.messages == ["9001", "1101", "1101"]
        today[0] += timedelta(days=1)

        async def ask() -> None:
            async with AsyncNhsaClient(channel) as other:
                first, second = await asyncio.gather(other.call(PERSON, QUERY), other.call(PERSON, QUERY))
                assert first.known()
                assert second.known()

        asyncio.run(ask())
        assert gateway.messages.count("9001") == 2
        assert client.call(SIGN_OUT, SignOut(sign_no=channel.sign_no, opter_no="0001")).ending is Ending.SUCCESS
        gateway.plays("refuses", "9001")
        with pytest.raises(PlatformUnavailable):
            NhsaClient(site).call(PERSON, QUERY)


def test_the_second_of_two_threads_does_not_sign_in_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waited for the first one, and finds it done."""
    answers = iter([True, False])
    monkeypatch.setattr(Channel, "has_to_sign_in", property(lambda _: next(answers)))
    NhsaClient(gateway.site()).sign_in_if_needed()
    answers = iter([True, False])

    async def ask() -> None:
        async with AsyncNhsaClient(gateway.site()) as client:
            await client.sign_in_if_needed()

    asyncio.run(ask())
    assert gateway.messages == []


def test_a_gateway_that_knows_its_clients_by_their_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    with running("tests.peers.nhsa", "--x-tif-secret", "right") as peer:
        gateway = Gateway(peer)
        layer = {"kind": "x-tif", "paasid": "hospital", "secret_env": "TIF_SECRET"}
        for secret, ending in (("right", Ending.SUCCESS), ("wrong", Ending.UNKNOWN)):
            monkeypatch.setenv("TIF_SECRET", secret)
            for result in both(gateway.site(layers=[layer])):
                assert result.ending is ending


def certificate(folder: Path) -> Path:
    """Key and certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "gateway.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_tls_is_verified_and_never_given_up(tmp_path: Path) -> None:
    path = certificate(tmp_path)
    with running("tests.peers.nhsa", "--certificate", str(path)) as peer:
        gateway = Gateway(peer)
        url = f"https://127.0.0.1:{peer.port}"
        trusting = gateway.site(url=url, ca_file=str(path), certificate=str(path), certificate_key=str(path))
        for result in both(trusting):
            assert result.known().baseinfo.psn_no == ANNA
        for result in both(gateway.site(url=url)):  # nobody the system knows vouches for it
            assert (result.ending, result.sent) == (Ending.UNKNOWN, False)
        for result in both(gateway.site(url=f"https://localhost:{peer.port}", ca_file=str(path))):
            assert (result.ending, result.sent) == (Ending.UNKNOWN, False)  # another name than the certificate's
            assert "the certificate of the server does not count" in result.reason.en
    with pytest.raises(InputError, match=r"medical\.test"):
        NhsaClient(gateway.site(url=url, ca_file=str(tmp_path / "none.pem")))
