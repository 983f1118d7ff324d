"""Frames of a camera, through OpenCV."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from juying.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

HD = (1280, 720)
"""What is asked of the camera; a code needs no more, and more takes longer."""


def camera_frames(number: int = 0) -> "Iterator[Image.Image]":
    """Frames of camera ``number`` in grey, until it stops.

    Raises InputError when the extra ``camera`` is not installed, there is no such camera, or it stops.
    """
    try:
        import cv2
    except ImportError:
        raise InputError(
            "使用摄像头需要 OpenCV，请安装：pip install 'juying[camera]'；或用 --frames、--wedge",
            "a camera needs OpenCV; install it: pip install 'juying[camera]', or use --frames or --wedge",
        ) from None
    from PIL import Image

    where = f"camera {number}"
    capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise InputError("摄像头打不开，请检查连接和权限", "the camera cannot be opened", where=where)
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, HD[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, HD[1])
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # what is seen now, not what was seen while the last was read
        while True:
            there, frame = capture.read()
            if not there:
                raise InputError("摄像头没有画面了，请检查连接", "the camera gives no more frames", where=where)
            grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
            height, width = grey.shape
            yield Image.frombytes("L", (width, height), grey.tobytes())
    finally:
        capture.release()
