"""Cameras and folders as sources of sights."""

import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from juying.errors import InputError
from juying.scan.folder import INTERVAL, files_in
from juying.scan.sights import camera_sights, folder_sights
from tests.scan.frames import OURS, View, frame


class Stop(Exception):
    """The end of an endless loop."""


class Days:
    """Something to do at each wait, until there is no more."""

    def __init__(self, *doings: Any) -> None:
        self.doings = list(doings)

    def __call__(self, seconds: float) -> None:
        assert seconds == INTERVAL
        if not self.doings:
            raise Stop
        self.doings.pop(0)()


def names(folder: Path, *doings: Any) -> list[str]:
    """The files that come while all this is done, one doing at each wait."""
    found = []
    files = files_in(folder, wait=Days(*doings))
    with suppress(Stop):
        while True:
            found.append(next(files).name)
    return found


def nothing() -> None:
    """Another look."""


def test_what_is_there_comes_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    assert [file.name for file in files_in(tmp_path)] == ["a.png", "b.png"]


def test_new_files_come_once_they_no_longer_grow(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    growing = [lambda: file.write_bytes(b"1"), lambda: file.write_bytes(b"12"), lambda: file.write_bytes(b"123")]
    assert names(tmp_path, *growing) == []
    assert names(tmp_path, *growing, nothing) == ["a.png"]
    assert names(tmp_path, nothing, nothing, nothing) == ["a.png"]


def test_a_file_that_changes_or_comes_anew_comes_again(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"1")
    assert names(tmp_path, nothing, lambda: file.write_bytes(b"12"), nothing, nothing) == ["a.png"] * 2
    assert (
        names(tmp_path, nothing, file.unlink, nothing, lambda: file.write_bytes(b"12"), nothing, nothing)
        == ["a.png"] * 2
    )


def test_a_file_that_goes_while_it_is_looked_at_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "iterdir", lambda folder: iter([folder / "gone.png"]))
    assert list(files_in(tmp_path)) == []


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        list(files_in(tmp_path / "missing"))
    assert caught.value.where.endswith("missing")


def test_the_files_of_a_folder_are_seen_and_broken_ones_told(tmp_path: Path) -> None:
    frame((OURS, View(tilted=20))).save(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"nothing")
    frame().save(tmp_path / "3.png")
    first, second, third = folder_sights(tmp_path)
    assert (first.where, first.texts) == ("1.png", (OURS,))
    assert second.problem is not None
    assert (third.texts, third.problem) == ((), None)


def test_a_missing_library_is_not_the_fault_of_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zxingcpp", None)
    for sights in (folder_sights(tmp_path), camera_sights()):
        with pytest.raises(InputError, match=r"juying\[scan\]"):
            next(sights)


class Camera:
    """What `cv2.VideoCapture` gives."""

    def __init__(self, *frames: Image.Image, opens: bool = True) -> None:
        self.frames = list(frames)
        self.opens = opens
        self.settings: dict[str, int] = {}
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return self.opens

    def set(self, setting: str, value: int) -> None:
        self.settings[setting] = value

    def read(self) -> tuple[bool, Image.Image | None]:
        return (True, self.frames.pop(0)) if self.frames else (False, None)

    def release(self) -> None:
        self.released = True


def grey(picture: Image.Image, code: str) -> Any:
    assert code == "to grey"
    return SimpleNamespace(shape=(picture.height, picture.width), tobytes=picture.convert("L").tobytes)


def install(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("WIDTH", "HEIGHT")
    opencv = SimpleNamespace(
        VideoCapture=lambda number: camera,
        cvtColor=grey,
        COLOR_BGR2GRAY="to grey",
        CAP_PROP_BUFFERSIZE="buffer",
        **{f"CAP_PROP_FRAME_{name}": name.lower() for name in names},
    )
    monkeypatch.setitem(sys.modules, "cv2", opencv)


def test_the_frames_of_a_camera_are_seen_until_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(frame().convert("RGB"), frame((OURS, View(turned=40))).convert("RGB"))
    install(camera, monkeypatch)
    sights = camera_sights(2)
    assert next(sights).texts == ()
    assert next(sights).texts == (OURS,)
    with pytest.raises(InputError, match="no more frames") as caught:
        next(sights)
    assert caught.value.where == "camera 2"
    assert camera.settings == {"width": 1280, "height": 720, "buffer": 1}
    assert camera.released


def test_a_camera_that_is_no_longer_wanted_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(frame().convert("RGB"), frame().convert("RGB"))
    install(camera, monkeypatch)
    sights = camera_sights()
    next(sights)
    sights.close()
    assert camera.released


def test_a_camera_that_does_not_open_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = Camera(opens=False)
    install(camera, monkeypatch)
    with pytest.raises(InputError, match="cannot be opened"):
        next(camera_sights())
    assert camera.released


def test_a_missing_opencv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(InputError, match=r"juying\[camera\].*--frames"):
        next(camera_sights())
