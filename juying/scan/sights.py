"""What a camera or a folder of frames shows, sight by sight."""

from collections.abc import Callable, Iterator
from pathlib import Path

from juying.errors import InputError
from juying.scan.camera import camera_frames
from juying.scan.folder import files_in
from juying.scan.frames import read_frame, reader
from juying.scan.gate import Sight
from juying.scan.pictures import read_file, texts_in


def camera_sights(number: int = 0) -> Iterator[Sight]:
    """What camera ``number`` sees, frame by frame; raises InputError as `camera_frames` and `read_frame` do."""
    reader()
    for frame in camera_frames(number):
        yield Sight(f"camera {number}", read_frame(frame))


def folder_sights(folder: Path, *, wait: Callable[[float], object] | None = None) -> Iterator[Sight]:
    """What the files of a folder show; see `files_in` for which they are, and for ``wait``.

    A file that is no picture, or in which there is no code, is a problem and not the end. Raises InputError when the
    folder cannot be read, or the extra ``scan`` is not installed.
    """
    reader()
    for file in files_in(folder, wait=wait):
        try:
            yield Sight(file.name, texts_in(read_file(file)))
        except InputError as error:
            yield Sight(file.name, problem=error)
