"""One file against the library: is it a copy, of what, and which seconds?

The file is decoded once, in a process of its own, described, and compared with at most 64 videos
that the two indexes of candidates name. It counts as the latest video, so everything in the library
is earlier. Nothing of the library is written or locked, so an ingestion may be at work meanwhile;
what it has not put into the indexes by then is not searched.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from assets.copies.check_file import Reading, decoded, described, source_bytes_of
from assets.copies.check_report import Checked, NotSearchable, by_strength
from assets.stores.limits import DEFAULT_LIMITS, Limits
from assets.stores.scratch import scratch_folder
from assets.stores.storage import Storage

if TYPE_CHECKING:
    from assets.copies.check_library import SearchedLibrary
    from ml.media.extract import Extracted, ExtractOptions


@dataclass(frozen=True)
class Check:
    """How files are checked against the library at ``storage``; ``scratch`` is a local folder."""

    storage: Storage
    scratch: Path
    options: ExtractOptions
    workers: int = 1
    limits: Limits = DEFAULT_LIMITS

    def run(self, uri: str) -> Checked:
        """Check one file.

        Raises:
            NotSearchable: no library, or no indexes in it.
            VideoFailure: the file can't be had or decoded; or a comparison failed, and without it
                the file would pass as new.
            IndexDamaged: an index of candidates can't be read.
        """
        if not any(self.storage.scan("batches")):
            raise NotSearchable(f"there is no library at {self.storage.root}: kadr ingest makes it")
        source_bytes_of(uri)  # an error of the file comes before any other work
        watch = _Stopwatch()
        with scratch_folder(self.scratch, "check") as folder:
            read = Reading(uri, str(folder), self.options, self.storage.options, self.limits)
            with ThreadPoolExecutor(1) as aside:
                opening = aside.submit(self._opened, folder, watch)
                media, spent = decoded(read)
                watch.spent |= spent
                library = opening.result()
            return self._checked(read, media, library, watch)

    def _opened(self, folder: Path, watch: _Stopwatch) -> SearchedLibrary:
        with watch.stage("open"):
            from assets.copies.check_library import open_library

            return open_library(self.storage, self.scratch, folder, self.workers)

    def _checked(
        self, read: Reading, media: Extracted, library: SearchedLibrary, watch: _Stopwatch
    ) -> Checked:
        with watch.stage("describe"):
            evidence = described(read, media, library.describer)
        with watch.stage("search"):
            same = library.same_files(media)
            others = library.candidates(evidence, {match.video_id for match in same})
        with watch.stage("compare"):
            found = library.compared(evidence, others, self.workers)
        matches = by_strength([*same, *found])
        with watch.stage("strip"):
            strip = library.strip(matches[0], read) if matches else None
        return Checked(
            read.uri,
            media,
            matches,
            library.indexes.pictures.video_count,
            len(library.names),
            library.not_searched,
            has_evidence=bool(len(evidence.pictures.descriptors)) or evidence.sound is not None,
            strip=strip,
            seconds=watch.seconds,
        )


@dataclass
class _Stopwatch:
    """Seconds by stage; ``total`` so far."""

    spent: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.spent[name] = time.perf_counter() - began

    @property
    def seconds(self) -> dict[str, float]:
        total = {"total": time.perf_counter() - self.began}
        return {stage: round(seconds, 3) for stage, seconds in (self.spent | total).items()}
