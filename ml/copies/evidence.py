"""What is known of one video when it is compared with another: arrays, no pictures, no files."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pictures:
    """The local features of a video's F kept frames, N features in all, frame after frame.

    Frame f owns rows ``offsets[f]`` to ``offsets[f + 1]`` of ``geometry`` and ``descriptors``.
    Lengths in ``geometry`` are shares of the picture's longer side, so they mean the same at every
    resolution and one unit is as long across as down.
    """

    start_s: F64  # [F] when the frame is shown
    duration_s: F64  # [F] how long it stands for
    aspect: F32  # [F] width / height
    offsets: I32  # [F + 1]
    geometry: F32  # [N, 4] x, y, size, angle in radians
    descriptors: U8  # [N, 128] RootSIFT, 512 times its value
    hashes: U8  # [F, 32] 256-bit DCT hash of the whole picture, packed
    detail: F32  # [F] 0 for a flat picture to 1: how much the hash can be trusted

    @property
    def frame_count(self) -> int:
        return len(self.start_s)


@dataclass(frozen=True)
class Motion:
    """Tiny luma thumbnails at a fixed rate; thumbnail i is shown at ``i / fps`` seconds."""

    fps: float
    luma: U8  # [T, 32, 32]


@dataclass(frozen=True)
class Sound:
    """A video's sound as log-band energies at a fixed rate; row i is at ``i / rate_hz`` seconds."""

    rate_hz: float
    bands: U8  # [T, B] log energy, in steps that ml/copies/sound/bands.py defines
    hashes: npt.NDArray[np.uint32]  # [T]
    level_db: F32  # [T] loudness against full scale


@dataclass(frozen=True)
class Evidence:
    """One video, ready to be compared."""

    video_id: str
    duration_s: float
    pictures: Pictures
    motion: Motion | None
    sound: Sound | None


@dataclass(frozen=True)
class FrameMatches:
    """M confirmed pairs of frames: the same picture, or a part of it, under a plane transform.

    ``transform`` maps the query's x, y (units of ``Pictures.geometry``; mirrored first where
    ``mirrored``) to the reference's.
    """

    query_frame: I32  # [M]
    reference_frame: I32  # [M]
    inliers: I32  # [M] distinct features that agree; 0 where only the hash does
    weight: F32  # [M] 0 to 1, how surely the two show the same
    transform: F32  # [M, 2, 3]
    mirrored: npt.NDArray[np.bool_]  # [M]


@dataclass(frozen=True)
class Segment:
    """Seconds of the query that show, or sound like, seconds of the reference.

    Reference time runs ``speed`` times as fast as query time: a query twice as fast has speed 2.
    """

    query_start_s: float
    query_end_s: float
    reference_start_s: float
    reference_end_s: float
    speed: float
    score: float  # 0 to 1


@dataclass(frozen=True)
class Candidate:
    """A video of the library worth comparing with the query, and why."""

    video_id: str
    score: float
    by: str  # pictures or sound
    mirrored: bool = False
    offsets_s: tuple[float, ...] = field(default=())  # likely reference minus query time
