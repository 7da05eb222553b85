"""Sound for tests of speech: sentences of the sample library, silence, and `audio` rows of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa

from ml.media.sound import SAMPLE_RATE_HZ, Samples, decode_flac, encode_flac, rms_dbfs
from ml.schemas import AUDIO

SAMPLES = Path(__file__).parents[3] / "samples" / "speech"


def speech(name: str) -> Samples:
    """A sentence that ships with the sample library."""
    return decode_flac((SAMPLES / f"{name}.flac").read_bytes())


def silence(seconds: float) -> Samples:
    """Nothing at all."""
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.int16)


def audio(video_id: str, *parts: tuple[float, Samples]) -> pa.RecordBatch:
    """`audio` rows of one video: ``(start_s, samples)`` for each part."""
    rows = [
        {
            "video_id": video_id,
            "part_no": part_no,
            "start_s": start_s,
            "sample_rate_hz": SAMPLE_RATE_HZ,
            "sample_count": len(samples),
            "rms_dbfs": rms_dbfs(samples),
            "flac": encode_flac(samples),
        }
        for part_no, (start_s, samples) in enumerate(parts)
    ]
    return pa.RecordBatch.from_pylist(rows, schema=AUDIO.schema)
