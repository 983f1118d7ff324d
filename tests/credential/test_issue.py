"""Signing claims: the sizes that were promised, and the text around them."""

from dataclasses import replace

import pytest

from juying.codec import base45
from juying.credential.claims import StatusReference, Tier
from juying.credential.issue import MAX_BYTES, MAX_TEXT, from_text, issue, to_text
from juying.errors import DecodeError, InputError
from tests.credential.samples import HOLDER_KEY, SIGNER, STATUS, claims


@pytest.mark.parametrize(
    ("tier", "status", "holder_key", "limit"),
    [
        (Tier.FULL, STATUS, HOLDER_KEY, 250),
        (Tier.MINIMAL, STATUS, HOLDER_KEY, 190),
        (Tier.FULL, None, None, 200),
        (Tier.MINIMAL, None, None, 141),
    ],
)
def test_sizes(tier: Tier, status: StatusReference | None, holder_key: bytes | None, limit: int) -> None:
    """With holder key and status, as the electronic card has them; without, as on paper and on the chip."""
    assert len(issue(claims(tier, status=status, holder_key=holder_key), SIGNER)) <= limit


def test_the_same_claims_give_the_same_credential() -> None:
    assert issue(claims(), SIGNER) == issue(claims(), SIGNER)


def test_text_survives() -> None:
    credential = issue(claims(), SIGNER)
    text = to_text(credential)
    assert text.startswith("JY1:")
    assert set(text) <= set(base45.ALPHABET)
    assert from_text(text) == credential


def test_the_longest_credential_fits_the_longest_text() -> None:
    assert len(to_text(bytes(MAX_BYTES))) <= MAX_TEXT < len(to_text(bytes(MAX_BYTES + 1)))


def test_claims_beyond_the_limit_are_not_issued() -> None:
    """A hundred Chinese characters are allowed in each field, but not in all of them at once."""
    assert issue(replace(claims(), position="岗" * 60), SIGNER)
    with pytest.raises(InputError, match="shorten the position"):
        issue(replace(claims(), position="岗" * 100, chinese_name="名" * 50), SIGNER)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "JY1",
        "jy1:QED8WEX0",
        "JY2:QED8WEX0",
        "HC1:QED8WEX0",
        " JY1:QED8WEX0",
        "JY1:qed8wex0",
        "JY1:QED8WEX0\n",
        "JY1:QED8WE:::",
        "JY1:" + "0" * (MAX_TEXT - 3),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        from_text(text)
