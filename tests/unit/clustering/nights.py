"""A library that grows from night to night: batches written as steps leave them, assets run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa

from assets.clustering.clustered import RECLUSTER_TAG
from assets.people.clustering import people
from assets.stores.batches import Batch, SourceVideo
from assets.stores.datasets import Ledger
from assets.stores.resources import Library, Models, Tables
from assets.tables.load import load_batch
from assets.topics.clustering import topics
from ml.schemas import PERSONS, Dataset
from tests.unit.tables.small_library import record_batch

DIMENSION = 32
TEXT_MODEL = "multilingual@1"
FACES_MODEL = f"{Models(device='cpu').face_finder().identity}+persons-1"


@dataclass(frozen=True)
class Nights:
    """One library; ``assets`` are run on it as Dagster runs them."""

    folder: Path

    @property
    def library(self) -> Library:
        return Library(root=str(self.folder / "data"), state=str(self.folder / "state"))

    @property
    def tables(self) -> Tables:
        return Tables(url=f"chdb://{self.folder / 'state' / 'clickhouse'}")

    def titles(self, batch: str, videos: Mapping[str, tuple[np.ndarray, str]], **how: str) -> None:
        """Load a batch: video id to the vector of its title and the title itself."""
        model, channel = how.get("model", TEXT_MODEL), how.get("channel", "title")
        if not self.library.batches.exists(batch):
            listed = tuple(SourceVideo(v, f"/{v}.mp4", "1") for v in videos or ["none"])
            self.library.batches.write(Batch(batch, listed))
        made = f"{model} {sorted((v, t, z.tolist()) for v, (z, t) in videos.items())}"
        vectors = [
            {"video_id": v, "channel": channel, "model": model, "embedding": z.tolist()}
            for v, (z, _) in videos.items()
        ]
        texts = [{"video_id": v, "channel": "title", "text": t} for v, (_, t) in videos.items()]
        ok = [{"video_id": v, "status": "ok", "title": t} for v, (_, t) in videos.items()]
        rows = {"video_embeddings": vectors, "video_texts": texts, "videos": ok}
        with self.tables.session("loading", lambda _: None) as client:
            for table, of in rows.items():
                parts = [record_batch(table, of)] if of else []
                load_batch(client, table, batch, parts, made)

    def persons(
        self, batch: str, persons: Sequence[dict[str, Any]], model: str = FACES_MODEL
    ) -> None:
        """Write a batch of the dataset ``persons``: rows with video_id, person_no, embedding."""
        library = self.library
        videos = list(dict.fromkeys(person["video_id"] for person in persons))
        if not library.batches.exists(batch):
            listed = tuple(SourceVideo(v, f"/{v}.mp4", "1") for v in videos or ["none"])
            library.batches.write(Batch(batch, listed))
        with library.datasets.replace(PERSONS, batch) as new:
            for person in persons:
                row = {**_empty(PERSONS), "model": model, "screen_s": 1.0, **person}
                new.write(pa.RecordBatch.from_pylist([row], PERSONS.schema))
            new.publish(Ledger(model, dict.fromkeys(videos, "k")))

    def run(self, name: str, *, recluster: bool = False) -> dg.ExecuteInProcessResult:
        """Materialise ``topics`` or ``people``."""
        resources = {"library": self.library, "tables": self.tables, "models": Models(device="cpu")}
        tags = {RECLUSTER_TAG: "1"} if recluster else {}
        return dg.materialize(
            [{"topics": topics, "people": people}[name]], resources=resources, tags=tags
        )

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with self.tables.session("asking", lambda _: None) as client:
            return [tuple(row) for row in client.query(text).result_rows]

    def topic_of(self) -> dict[str, int]:
        return dict(self.query("SELECT video_id, topic_id FROM video_topics"))


def message(result: dg.ExecuteInProcessResult, name: str) -> str:
    """What the asset said in its metadata."""
    (found,) = (
        event.step_materialization_data.materialization.metadata["message"].value
        for event in result.all_events
        if event.is_step_materialization and event.asset_key == dg.AssetKey(["clickhouse", name])
    )
    return str(found)


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """The checks by name."""
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def figures(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    """What a check says beside passed or not."""
    (found,) = (e for e in result.get_asset_check_evaluations() if e.check_name == name)
    return {key: value.value for key, value in found.metadata.items()}


def theme(
    name: str, word: str, count: int, place: int, seed: int = 0
) -> dict[str, tuple[np.ndarray, str]]:
    """Videos of one theme: unit vectors around its place, and titles with its word."""
    centre = np.random.default_rng(place).normal(size=DIMENSION)
    draw = np.random.default_rng((seed, place))
    vectors = centre + draw.normal(scale=0.3, size=(count, DIMENSION))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return {
        f"{name}-{seed}-{i:03d}": (z.astype(np.float32), f"{word} {i}")
        for i, z in enumerate(vectors)
    }


def seen(video: str, person: int, no: int = 0, apart: float = 0.12, **more: Any) -> dict[str, Any]:
    """A person of a video: everyone has an axis, one's own vectors are about ``apart`` apart."""
    draw = np.random.default_rng((person, no, *video.encode()))
    noise = draw.normal(size=128)
    vector = np.eye(128)[person] + apart / 2**0.5 * noise / np.linalg.norm(noise)
    vector /= np.linalg.norm(vector)
    times = {"starts_s": [0.0], "ends_s": [1.0], "face_count": 2, "crop": _crop(), "quality": 0.9}
    return {"video_id": video, "person_no": no, "embedding": vector.tolist()} | times | more


def _crop() -> bytes:
    """A small JPEG."""
    from PIL import Image

    data = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(data, "JPEG")
    return data.getvalue()


def _empty(dataset: Dataset) -> dict[str, Any]:
    kinds = {pa.string(): "", pa.binary(): b""}
    return {
        f.name: [] if pa.types.is_list(f.type) else kinds.get(f.type, 0) for f in dataset.schema
    }
