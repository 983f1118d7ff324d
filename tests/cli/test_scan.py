"""``juying scan``: a gate with a folder of frames, a camera, or a scanner that types."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from juying.cli import scan as scan_cli
from juying.codec.qr import save_qr
from juying.credential.claims import Claims, StatusReference, Tier
from juying.credential.issue import issue, to_text
from juying.credential.presentation import present
from juying.credential.trust import TrustList
from juying.crypto.signing import SoftwareSigner
from juying.scan import sights
from juying.scan.gate import Sight
from tests import people
from tests.cli.conftest import Juying
from tests.cli.desk import Done
from tests.scan.frames import FOREIGN, View, frame

PHONE = SoftwareSigner.generate()


class Holder:
    """Somebody with a credential, and ``trust.json`` of the gate that knows its issuer."""

    def __init__(self, folder: Path, status: StatusReference | None = None) -> None:
        self.now, signer = datetime.now(UTC), SoftwareSigner.generate()
        key = people.trusted(signer, not_before=self.now - timedelta(days=99), not_after=self.now + timedelta(days=1))
        TrustList([key]).save(folder / "trust.json")
        start = self.now.date() - timedelta(days=30)
        permit = people.permit(valid_from=start, valid_until=start + timedelta(days=90))
        claims = Claims.of(
            people.holder(), permit, tier=Tier.FULL, issued_at=self.now, status=status, holder_key=PHONE.public_key
        )
        self.credential = issue(claims, signer)
        self.text = to_text(self.credential)

    def shows(self, ago: float = 0, **options: Any) -> str:
        """The text that the phone shows."""
        return to_text(present(self.credential, PHONE, now=self.now - timedelta(seconds=ago), **options))


@pytest.fixture
def holder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Holder:
    monkeypatch.setenv("JUYING_TRUST", "trust.json")
    Path("frames").mkdir()
    return Holder(home)


def lines(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.out.splitlines()]


def test_a_folder_of_frames_from_the_first_to_the_verdict(holder: Holder, juying: Juying) -> None:
    """Nothing yet, a phone that comes nearer, the same once more, a poster, a broken file."""
    shown = holder.shows()
    frame().save("frames/1.png")
    frame((shown, View(width=340, tilted=30, turned=10))).save("frames/2.jpg")
    frame((shown, View(width=400, tilted=20)), (FOREIGN, View(width=150, at=(1100, 360)))).save("frames/3.png")
    frame((shown, View(inverted=True))).save("frames/4.png")
    Path("frames/5.png").write_bytes(b"half a fi")
    done = juying("scan", "--frames", "frames", "--once", "--json")
    verdict, problem = lines(done)
    assert done.status == 0
    assert (verdict["where"], verdict["verdict"], verdict["accepted"]) == ("2.jpg", "valid", True)
    assert verdict["assurance"] == "holder"
    assert verdict["reason"] == {"zh": "有效", "en": "valid"}
    assert datetime.fromisoformat(verdict["at"]) - holder.now < timedelta(minutes=5)
    assert problem.keys() == {"at", "where", "problem"}
    assert (problem["where"], problem["problem"].keys()) == ("5.png", {"zh", "en"})


def test_personal_data_is_shown_only_when_it_is_asked_for(holder: Holder, juying: Juying) -> None:
    save_qr(holder.text, "frames/1.png")
    private = ("ERIKSSON", "安娜", "ZJ20260001", "1974", "UTO")
    for form in ([], ["--json"]):
        kept = juying("scan", "--frames", "frames", "--once", *form)
        told = juying("scan", "--frames", "frames", "--once", "--claims", *form)
        assert [one in kept.out + kept.err for one in private] == [False] * 5
        assert [one in told.out for one in private] == [True] * 5


def test_the_exit_status_is_that_of_the_last_verdict(holder: Holder, juying: Juying) -> None:
    save_qr(holder.text, "frames/1.png")
    save_qr(FOREIGN, "frames/2.png")
    done = juying("scan", "--frames", "frames", "--once")
    assert done.status == 1
    first, second = done.out.splitlines()
    assert "接受 accepted  有效 / valid" in first
    assert "bearer only" in first
    assert "拒绝 refused" in second
    assert FOREIGN not in done.out
    save_qr(holder.text, "frames/3.png")
    assert juying("scan", "--frames", "frames", "--once").status == 1, "the third shows nothing new"


def test_nothing_seen_is_no_verdict(holder: Holder, juying: Juying) -> None:
    done = juying("scan", "--frames", "frames", "--once")
    assert (done.status, done.out) == (2, "")
    assert "no code was verified" in done.err
    Path("frames/1.png").write_bytes(b"nothing")
    done = juying("scan", "--frames", "frames", "--once")
    assert done.status == 2
    assert "no verdict: 不是可读的图片文件" in done.out


def test_what_a_scanner_types(holder: Holder, juying: Juying) -> None:
    typed = f"]Q1{holder.text}\r\n{holder.text.lower()}\r\n1234\r\n".encode()
    done = juying("scan", "--wedge", "--json", stdin=typed)
    first, second, third = lines(done)
    assert done.status == 0
    assert (first["verdict"], second["verdict"]) == ("valid", "valid")
    assert "no code of the 聚英卡" in third["problem"]["en"]
    once = juying("scan", "--wedge", "--once", stdin=b"1234\n" + typed)
    assert len(once.out.splitlines()) == 2


def test_a_copy_shown_a_moment_later_is_a_replay(holder: Holder, juying: Juying) -> None:
    typed = (holder.shows() + "\n").encode()
    done = juying("scan", "--wedge", "--json", stdin=2 * typed)
    assert [line["verdict"] for line in lines(done)] == ["valid", "replayed"]
    assert done.status == 1


def test_gates_that_share_a_cache_know_what_the_others_saw(holder: Holder, juying: Juying) -> None:
    typed = (holder.shows() + "\n").encode()
    gates = [juying("scan", "--wedge", "--replay-cache", "seen.db", stdin=typed).status for _ in range(2)]
    assert gates == [0, 1]


def test_a_policy_and_a_challenge_are_kept(holder: Holder, juying: Juying) -> None:
    Path("policy.json").write_text(json.dumps({"assurance": "challenged"}))
    options = ["scan", "--wedge", "--json", "--policy", "policy.json", "--audience", "gate 1", "--nonce", "00" * 8]
    typed = "\n".join(
        [
            holder.text,
            holder.shows(),
            holder.shows(audience="gate 1", nonce=bytes(8)),
            holder.shows(ago=3600, audience="gate 1", nonce=bytes(8)),
        ]
    )
    done = juying(*options, stdin=typed.encode())
    assert [line["verdict"] for line in lines(done)] == [
        "no_holder_binding",
        "no_holder_binding",
        "valid",
        "stale_or_future",
    ]


def test_an_unknown_status_is_undetermined_and_told(home: Path, holder: Holder, juying: Juying) -> None:
    unknown = Holder(home, StatusReference(7, 12))
    Path("lists").mkdir()
    done = juying("scan", "--wedge", "--lists", "lists", stdin=unknown.text.encode())
    assert done.status == 3
    assert "this site takes no credential of unknown status" in done.out or "no status list at hand" in done.out


def test_demonstration_keys_are_told(issued: Path, juying: Juying) -> None:
    text = Path("out/JYX000010/credential.txt").read_bytes()
    assert "demonstration key" in juying("scan", "--wedge", stdin=text).out


def test_a_folder_is_watched_and_lists_are_read_anew(
    holder: Holder, juying: Juying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The third frame comes when the trust list is another one."""
    save_qr(holder.text, "frames/1.png")
    later = Holder(Path("frames").parent / "frames")  # its trust list is not in use yet
    Path("frames/trust.json").rename("later.json")

    class Visitors:
        rounds = 0

        def wait(self, seconds: float) -> None:
            self.rounds += 1
            if self.rounds == 2:
                Path("later.json").rename("trust.json")
                monkeypatch.setattr(scan_cli, "RELOAD", 0.0)
                save_qr(later.text, "frames/2.png")
            if self.rounds == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(scan_cli, "_pause", Visitors())
    done = juying("scan", "--frames", "frames", "--json")
    assert done.status == 130
    assert [(line["where"], line["verdict"]) for line in lines(done)] == [("1.png", "valid"), ("2.png", "valid")]


def test_the_first_code_before_a_camera_is_enough_with_once(
    holder: Holder, juying: Juying, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = []

    def camera(number: int) -> Iterator[Sight]:
        numbers.append(number)
        yield Sight("camera")
        yield Sight("camera", (holder.shows(),))
        raise AssertionError("not asked for more")

    monkeypatch.setattr(sights, "camera_sights", camera)
    assert juying("scan", "--once").status == 0
    assert juying("scan", "--once", "--camera", 3).status == 0
    assert numbers == [0, 3]


def test_a_camera_without_opencv_is_bad_use(holder: Holder, juying: Juying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    done = juying("scan", "--json")
    assert done.status == 2
    assert "juying[camera]" in done.document["error"]["en"]


@pytest.mark.parametrize(
    "options",
    [
        ["--wedge", "--frames", "frames"],
        ["--camera", "0", "--wedge"],
        ["--wedge", "--nonce", "xyz"],
        ["--wedge", "--policy", "missing.json"],
        ["--wedge", "--trust", "missing.json"],
        ["--frames", "missing", "--once"],
    ],
    ids=" ".join,
)
def test_bad_use_is_told_before_anybody_is_checked(options: list[str], holder: Holder, juying: Juying) -> None:
    done = juying("scan", *options, stdin=holder.text.encode())
    assert (done.status, done.out) == (2, "")
