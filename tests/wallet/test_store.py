"""The reference wallet: its key, its credentials, and what it shows."""

from datetime import timedelta
from pathlib import Path

import pytest

from juying.codec.qr import draw_qr, read_qr
from juying.credential.claims import Claims, Tier
from juying.credential.issue import issue
from juying.credential.policy import Assurance, Policy
from juying.credential.presentation import check_proof
from juying.credential.replay import MemoryReplayCache
from juying.credential.trust import TrustList
from juying.credential.verify import Verdict, verify
from juying.crypto.signing import SoftwareSigner
from juying.errors import DecodeError, InputError, KeyUseError
from juying.wallet.store import CREDENTIALS_FILE, KEY_FILE, Wallet
from juying.wallet.terminal import QUIET_ZONE, terminal_code
from tests import people

PASSWORD = "invented pass phrase"
NONCE = bytes(range(16))


@pytest.fixture
def issuer() -> SoftwareSigner:
    return SoftwareSigner.generate()


@pytest.fixture
def trust(issuer: SoftwareSigner) -> TrustList:
    return TrustList([people.trusted(issuer)])


@pytest.fixture
def wallet(tmp_path: Path) -> Wallet:
    return Wallet.create(tmp_path / "wallet", PASSWORD)


def bound(wallet: Wallet, issuer: SoftwareSigner, tier: Tier = Tier.FULL, days_ago: int = 1) -> bytes:
    """What an office issues after it has checked the wallet's proof."""
    claims = Claims.of(
        people.holder(),
        people.permit(),
        tier=tier,
        issued_at=people.NOW - timedelta(days=days_ago),
        holder_key=check_proof(wallet.prove(NONCE), NONCE),
    )
    return issue(claims, issuer)


@pytest.mark.parametrize("tier", list(Tier))
def test_what_the_wallet_shows_proves_its_holder(
    tier: Tier, wallet: Wallet, issuer: SoftwareSigner, trust: TrustList
) -> None:
    wallet.add(bound(wallet, issuer, tier))
    code = wallet.show(tier, now=people.NOW, audience="gate 1", nonce=NONCE)
    result = verify(
        read_qr(draw_qr(code)),
        trust,
        now=people.NOW,
        policy=Policy(assurance=Assurance.CHALLENGED),
        audience="gate 1",
        nonce=NONCE,
        replay=MemoryReplayCache(),
    )
    assert result.verdict is Verdict.VALID
    assert result.assurance is Assurance.CHALLENGED


def test_a_code_is_another_one_ten_seconds_later(wallet: Wallet, issuer: SoftwareSigner) -> None:
    wallet.add(bound(wallet, issuer))
    codes = {wallet.show(Tier.FULL, now=people.NOW + timedelta(seconds=seconds)) for seconds in (0, 10, 20)}
    assert len(codes) == 3


def test_the_wallet_opens_again_with_its_pass_phrase(wallet: Wallet, issuer: SoftwareSigner) -> None:
    wallet.add(bound(wallet, issuer))
    wallet.add(bound(wallet, issuer, Tier.MINIMAL))
    opened = Wallet.open(wallet.folder, PASSWORD)
    assert opened.held == wallet.held
    assert opened.prove(NONCE) == wallet.prove(NONCE)


def test_a_newer_credential_takes_the_place_of_the_older(wallet: Wallet, issuer: SoftwareSigner) -> None:
    wallet.add(bound(wallet, issuer, days_ago=2))
    newer = wallet.add(bound(wallet, issuer, days_ago=1))
    assert wallet.held == (newer,)
    assert wallet.choose(Tier.FULL) == newer


def test_a_wrong_pass_phrase_opens_nothing(wallet: Wallet) -> None:
    with pytest.raises(KeyUseError) as error:
        Wallet.open(wallet.folder, "another")
    assert "another" not in str(error.value)


def test_an_existing_wallet_is_not_overwritten(wallet: Wallet) -> None:
    before = (wallet.folder / KEY_FILE).read_bytes()
    with pytest.raises(KeyUseError):
        Wallet.create(wallet.folder, PASSWORD)
    assert (wallet.folder / KEY_FILE).read_bytes() == before


def test_a_wallet_needs_a_pass_phrase(tmp_path: Path) -> None:
    with pytest.raises(KeyUseError):
        Wallet.create(tmp_path / "wallet", "")
    assert not (tmp_path / "wallet").exists()


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        Wallet.create(tmp_path / "file" / "wallet", PASSWORD)


def test_a_credential_of_another_wallet_is_refused(tmp_path: Path, wallet: Wallet, issuer: SoftwareSigner) -> None:
    other = Wallet.create(tmp_path / "other", PASSWORD)
    with pytest.raises(KeyUseError):
        wallet.add(bound(other, issuer))
    assert wallet.held == ()


def test_garbage_is_refused(wallet: Wallet) -> None:
    with pytest.raises(DecodeError):
        wallet.add(b"garbage")


def test_damaged_credentials_say_what_to_do(wallet: Wallet) -> None:
    (wallet.folder / CREDENTIALS_FILE).write_text("JY1:GARBAGE\n")
    with pytest.raises(DecodeError, match="damaged"):
        Wallet.open(wallet.folder, PASSWORD)


def test_an_empty_wallet_says_so(wallet: Wallet) -> None:
    with pytest.raises(InputError, match="the wallet has no"):
        wallet.show(Tier.FULL, now=people.NOW)


def test_a_wallet_has_a_limit(wallet: Wallet, issuer: SoftwareSigner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("juying.wallet.store.MAX_CREDENTIALS", 1)
    wallet.add(bound(wallet, issuer))
    with pytest.raises(InputError, match="full"):
        wallet.add(bound(wallet, issuer, Tier.MINIMAL))


def test_files_are_for_the_holder_only_and_hold_no_open_key(wallet: Wallet, issuer: SoftwareSigner) -> None:
    wallet.add(bound(wallet, issuer))
    for name in (KEY_FILE, CREDENTIALS_FILE):
        assert (wallet.folder / name).stat().st_mode & 0o077 == 0
    assert b"ENCRYPTED" in (wallet.folder / KEY_FILE).read_bytes()


def test_nothing_personal_in_a_repr(wallet: Wallet, issuer: SoftwareSigner) -> None:
    held = wallet.add(bound(wallet, issuer))
    assert "ERIKSSON" not in repr(held)
    assert "ZJ2026" not in repr((wallet, held))


def test_the_code_in_the_terminal_is_the_code(wallet: Wallet, issuer: SoftwareSigner) -> None:
    """Its half blocks, read back into a picture, are read by zxing-cpp."""
    from PIL import Image

    wallet.add(bound(wallet, issuer))
    code = wallet.show(Tier.FULL, now=people.NOW)
    lines = [line.removeprefix("\x1b[97;40m").removesuffix("\x1b[0m") for line in terminal_code(code).splitlines()]
    light = {" ": (0, 0), "▄": (0, 255), "▀": (255, 0), "█": (255, 255)}
    rows = [[light[char][half] for char in line] for line in lines for half in (0, 1)]
    picture = Image.new("L", (len(rows[0]), len(rows)))
    picture.putdata([value for row in rows for value in row])
    framed = Image.new("L", (picture.width + 8, picture.height + 8), 255)
    framed.paste(picture.crop((0, 0, picture.width, picture.width)), (4, 4))
    assert read_qr(framed.resize((framed.width * 4, framed.height * 4), Image.Resampling.NEAREST)) == code
    assert len(lines) <= 40
    assert QUIET_ZONE >= 1
