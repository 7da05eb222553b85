"""The file that is checked: fetched, decoded in a process of its own, and described.

What describes it is imported when it is needed, and Dagster with it: that takes as long as a short
file, so it happens while the file is decoded (`check_library`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from assets.source.fetching import fetch
from assets.stores.addresses import local_path, local_uri, look_at, title_of
from assets.stores.limits import DEFAULT_LIMITS, Limits
from assets.stores.storage import scheme_of
from ml.failures import PermanentFailure
from ml.schemas import FRAMES

if TYPE_CHECKING:
    from ml.copies.evidence import Evidence
    from ml.copies.features import FrameDescriber
    from ml.media.extract import Extracted, ExtractOptions

# A web address comes without a size; 1 GB gives it nearly six hours, the download included.
_UNKNOWN_BYTES = 1_000_000_000


def uri_of(text: str) -> str:
    """The uri of what a person typed: an address as it stands, else a local path."""
    return text if scheme_of(text) else local_uri(text)


def name_of(uri: str) -> str:
    """What a file is called: its name without the suffix."""
    return title_of(uri) or uri


def source_bytes_of(uri: str) -> int:
    """The size of a local file in bytes, 0 for an address.

    Raises:
        PermanentFailure: there is no such file, or it may not be read.
    """
    if scheme_of(uri) not in ("", "file"):
        return 0
    state = look_at(local_path(uri))
    if state.problem:
        raise PermanentFailure(state.problem)
    return state.source_bytes


@dataclass(frozen=True)
class Reading:
    """A file to read, and the folder for its rows."""

    uri: str
    folder: str
    options: ExtractOptions
    storage_options: Mapping[str, Any] = field(repr=False)
    limits: Limits = DEFAULT_LIMITS

    def frames(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Its rows of `frames`, once it is read."""
        from ml.media.spool import spooled

        return (rows.select(columns) for rows in spooled(self.folder, FRAMES.name))


def read_file(task: Reading) -> tuple[Extracted, float]:
    """Fetch and decode the file, in a worker process; what it is, and seconds spent on fetching."""
    from ml.media.extract import Source, extract

    began = time.perf_counter()
    with fetch(task.uri, task.folder, dict(task.storage_options), task.limits) as (path, _):
        fetched_s = time.perf_counter() - began
        source = Source(name_of(task.uri), str(path))
        return extract(source, task.folder, task.options), fetched_s


def decoded(task: Reading) -> tuple[Extracted, dict[str, float]]:
    """Read the file in a process that may crash or hang; what it is, and seconds by stage.

    Raises:
        VideoFailure: what became of it.
    """
    from ml.media.extract import limit_s
    from ml.workers import run_tasks

    began = time.perf_counter()
    limit = limit_s(source_bytes_of(task.uri) or _UNKNOWN_BYTES)
    with closing(run_tasks(read_file, [task], workers=1, limit_s=limit)) as outcomes:
        (outcome,) = outcomes
    if outcome.failure is not None:
        raise outcome.failure
    assert outcome.value is not None
    media, fetched_s = outcome.value
    started_s = time.perf_counter() - began - outcome.seconds
    decoded_s = outcome.seconds - fetched_s
    return media, {"worker": started_s, "fetch": fetched_s, "decode": decoded_s}


def described(read: Reading, media: Extracted, describer: FrameDescriber) -> Evidence:
    """The file as the library's videos are described."""
    from assets.copies.pairs import evidence_of
    from ml.copies.sound.bands import SoundFingerprinter
    from ml.media.spool import spooled

    frames, motion, audio = (spooled(read.folder, name) for name in ("frames", "motion", "audio"))
    return evidence_of(
        name_of(read.uri),
        media.duration_s,
        describer.describe(frames),
        motion,
        SoundFingerprinter().fingerprint(audio),
    )
