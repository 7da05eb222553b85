"""A library to search in: datasets written as steps leave them, then the real steps of search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np

from assets.search.cards import search_cards
from assets.search.engine import Search
from assets.search.indexes import vector_indexes
from assets.search.lexical import lexical
from assets.senses.text import text
from assets.stores.batches import BATCHES, Batch, SourceVideo
from assets.stores.datasets import Ledger, key_of
from assets.stores.resources import Library, Models, Tables
from assets.tables.batch_tables import load_tables
from assets.tables.load import replace_table
from ml.schemas import ASR, CAPTIONS, FACES, FRAMES, OCR, VIDEOS, VISUAL, Dataset
from tests.unit.tables.small_library import record_batch

TABLE_OF = {
    VIDEOS: "videos",
    ASR: "asr_segments",
    OCR: "ocr_lines",
    CAPTIONS: "captions",
    VISUAL: "frame_embeddings",
    FACES: "faces",
}
Video = Mapping[str, Any]


@dataclass
class SearchNights:
    """``models`` decide which channels have vectors; without a text model words alone are found."""

    folder: Path
    models: Models = field(default_factory=lambda: Models(device="cpu", text="off", visual="off"))

    @property
    def library(self) -> Library:
        return Library(root=str(self.folder / "data"), state=str(self.folder / "state"))

    @property
    def tables(self) -> Tables:
        return Tables(url=f"chdb://{self.folder / 'state' / 'clickhouse'}")

    @property
    def indexes(self) -> Path:
        return self.folder / "data" / "indexes"

    def batch(self, name: str, videos: Mapping[str, Video]) -> None:
        """Write a batch and run its steps. A video has ``title``, ``description``, ``tags``,
        ``published_at``, ``status``; ``asr`` and ``ocr``: (start_s, end_s, text); ``caption``;
        ``visual``: vectors of frames, one a second."""
        library = self.library
        if not library.batches.exists(name):
            listed = tuple(SourceVideo(v, f"/{v}.mp4", "1") for v in videos or ["none"])
            library.batches.write(Batch(name, listed))
        self._write(VIDEOS, name, videos, [_facts(v, of) for v, of in videos.items()])
        for dataset, channel, number in ((ASR, "asr", "segment_no"), (OCR, "ocr", "line_no")):
            rows = [
                {"video_id": v, number: n, "start_s": a, "end_s": b, "text": t}
                for v, of in videos.items()
                for n, (a, b, t) in enumerate(of.get(channel, ()))
            ]
            self._write(dataset, name, videos, rows)
        shown = [
            {"video_id": v, "caption": of["caption"]} for v, of in videos.items() if "caption" in of
        ]
        self._write(CAPTIONS, name, videos, shown)
        self._write(
            VISUAL, name, videos, [row for v, of in videos.items() for row in _frames(v, of)]
        )
        self._write(FACES, name, videos, [])
        self._publish(FRAMES, name, videos, [])
        self._run([text, load_tables], name)

    def night(self, **tags: str) -> dg.ExecuteInProcessResult:
        """The library's steps."""
        return self._run([vector_indexes, lexical, search_cards], tags=tags)

    def search(self, **more: Any) -> Search:
        """Opened as a new process would open it."""
        where = (self.library, self.models, self.tables, self.folder / "cache")
        return Search(*where, **more)

    def found(self, query: str, **how: Any) -> list[str]:
        """Ids of the answers, best first."""
        return [found.video_id for found in self.search().run(query, **how).found]

    def groups(self, *groups: Sequence[str]) -> None:
        """Say which videos are copies; the first of each is the original."""
        rows = [
            {"video_id": video, "group_id": group[0], "is_original": video == group[0]}
            for group in groups
            for video in group
        ]
        with self.tables.session("groups", lambda _: None) as client:
            parts = [record_batch("duplicate_groups", rows)]
            replace_table(client, "duplicate_groups", parts, key_of(str(rows)))

    def _write(
        self, dataset: Dataset, batch: str, videos: Mapping[str, Video], rows: list[dict[str, Any]]
    ) -> None:
        made = [record_batch(TABLE_OF[dataset], rows)] if rows and dataset is not FACES else []
        self._publish(dataset, batch, videos, made)

    def _publish(
        self, dataset: Dataset, batch: str, videos: Mapping[str, Video], parts: Sequence[Any]
    ) -> None:
        ok = [v for v, of in videos.items() if of.get("status", "ok") == "ok" or dataset is VIDEOS]
        maker = self.models.image_embedder().identity if dataset is VISUAL else "test@1"
        with self.library.datasets.replace(dataset, batch) as new:
            for part in parts:
                new.write(part)
            new.publish(Ledger(maker, {v: key_of(v, str(videos[v])) for v in ok}))

    def _run(
        self, assets: Sequence[Any], batch: str | None = None, tags: Mapping[str, str] | None = None
    ) -> dg.ExecuteInProcessResult:
        instance = dg.DagsterInstance.ephemeral()
        instance.add_dynamic_partitions(str(BATCHES.name), self.library.batches.names())
        resources = {"library": self.library, "tables": self.tables, "models": self.models}
        return dg.materialize(
            assets,
            instance=instance,
            partition_key=batch,
            resources=resources,
            tags=dict(tags or {}),
        )


def _facts(video: str, of: Video) -> dict[str, Any]:
    names = ("title", "description", "tags", "published_at", "status")
    return {"video_id": video, "status": "ok", "uri": f"/{video}.mp4"} | {
        name: of[name] for name in names if name in of
    }


def _frames(video: str, of: Video) -> list[dict[str, Any]]:
    return [
        {"video_id": video, "frame_no": 25 * n, "start_s": float(n), "embedding": z, "model": "m"}
        for n, z in enumerate(np.asarray(of.get("visual", np.zeros((0, 2))), np.float32).tolist())
    ]


def day(number: int) -> datetime:
    """A day of November 2026."""
    return datetime(2026, 11, number, tzinfo=UTC)
