"""Pictures with and without a face, from scikit-image's own files, and `frames` rows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ml.schemas import FRAMES

U8 = npt.NDArray[np.uint8]
FACELESS = ("chelsea", "coffee", "coins", "rocket", "page")


def astronaut() -> U8:
    """A photograph of one person who faces the camera, 360 px a side; the face is 90 px wide."""
    from skimage import data

    return np.ascontiguousarray(data.astronaut()[:360, 60:420])


def faceless(name: str) -> U8:
    """A photograph without a person, RGB."""
    from skimage import data

    picture = np.asarray(getattr(data, name)(), np.uint8)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=2)
    return np.ascontiguousarray(picture[..., :3])


def scaled(picture: U8, scale: float) -> U8:
    import cv2

    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def as_jpeg(picture: U8) -> bytes:
    """A JPEG of uint8[h, w, 3] RGB, or of uint8[h, w] grey."""
    import cv2

    bgr = picture[..., ::-1] if picture.ndim == 3 else picture
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1])


def frame_rows(videos: Mapping[str, Sequence[U8 | bytes]]) -> list[pa.RecordBatch]:
    """`frames` rows, one batch per video: a picture (or a JPEG's bytes) each second."""
    return [_rows(video, pictures) for video, pictures in videos.items()]


def _rows(video: str, pictures: Sequence[U8 | bytes]) -> pa.RecordBatch:
    rows = [
        {
            "video_id": video,
            "frame_no": 25 * second,
            "start_s": float(second),
            "duration_s": 1.0,
            "is_shot_start": second == 0,
            "width": 0 if isinstance(picture, bytes) else picture.shape[1],
            "height": 0 if isinstance(picture, bytes) else picture.shape[0],
            "jpeg": picture if isinstance(picture, bytes) else as_jpeg(picture),
        }
        for second, picture in enumerate(pictures)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=FRAMES.schema)
