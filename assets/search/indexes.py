"""FAISS indexes of frames, videos, titles, speech and screen text, brought up to the batches.

A batch whose vectors did not change is not read; one that was re-run replaces its own vectors.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import fcntl
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from assets.search.mending import mended
from assets.stores.catalog import row_count
from assets.stores.datasets import DatasetStore, Ledger
from assets.stores.kept import fetch_folder
from assets.stores.models import OFF
from assets.stores.needs import LIBRARY
from assets.stores.progress import is_forced
from assets.stores.resources import Library
from assets.stores.scratch import scratch_folder
from assets.stores.seen import note_seen
from assets.stores.storage import Storage
from ml.schemas import PASSAGE_EMBEDDINGS, TEXT, VISUAL, Dataset

if TYPE_CHECKING:
    from ml.neighbours import IndexReport

Vectors = tuple[list[str], np.ndarray]
LEAST_RECALL = 0.95
_EMBEDDED = ["video_id", "channel", "embedding"]
_RECALL_CHECK = "recall_at_10"
_MANIFEST = "manifest.json"


class WrittenMeanwhile(Exception):
    """Another process wrote the same index while this one did; what is there is the other's."""


@dataclass(frozen=True)
class Index:
    """An index: its name, which is its folder's, whose vectors it holds, and how they are read."""

    name: str
    source: Dataset
    read: Callable[[DatasetStore, str], Vectors]
    entry: str

    @property
    def spec(self) -> dg.AssetSpec:
        """Its asset."""
        return dg.AssetSpec(
            self.name,
            deps=[self.source.name],
            group_name="library",
            kinds={"faiss"},
            description=f"FAISS index of {self.entry}. Exact while small, inverted file beyond.",
        )

    @property
    def check_spec(self) -> dg.AssetCheckSpec:
        """The check of its recall."""
        return dg.AssetCheckSpec(
            _RECALL_CHECK,
            asset=self.name,
            description=f"Of the exact ten nearest, at least {LEAST_RECALL} are found.",
        )


def frame_vectors(store: DatasetStore, batch: str) -> Vectors:
    """A vector per kept frame; the key tells when it is shown."""
    return _collect(store.rows(VISUAL, batch), frame_key, "video_id", "frame_no", "start_s")


def video_vectors(store: DatasetStore, batch: str) -> Vectors:
    """A vector per video: its frames' mean, weighted by how long they stand."""
    from ml.neighbours import item_key
    from ml.vectors import pool_frames

    rows = pool_frames(store.rows(VISUAL, batch))
    return _collect(rows, lambda video: item_key(video, "video"), "video_id")


def title_vectors(store: DatasetStore, batch: str) -> Vectors:
    """A vector per title and per description."""
    rows = _in_channels(store.rows(TEXT, batch, columns=_EMBEDDED), "title", "description")
    return _collect(rows, text_key, "video_id", "channel")


def spoken_vectors(store: DatasetStore, batch: str) -> Vectors:
    """A vector per spoken passage."""
    return _passage_vectors(store, batch, "asr")


def written_vectors(store: DatasetStore, batch: str) -> Vectors:
    """A vector per passage on screen."""
    return _passage_vectors(store, batch, "ocr")


def frame_key(video_id: str, frame_no: int, start_s: float) -> str:
    """A frame's key: its number and, so that an answer can tell it, its time."""
    from ml.neighbours import item_key

    return item_key(video_id, f"{frame_no}@{start_s:.2f}")


def text_key(video_id: str, channel: str, passage_no: int = 0) -> str:
    """The key of a passage."""
    from ml.neighbours import item_key

    return item_key(video_id, f"{channel}/{passage_no}")


INDEXES = {
    index.name: index
    for index in (
        Index("frame_index", VISUAL, frame_vectors, "kept frames"),
        Index("video_index", VISUAL, video_vectors, "videos by their pictures"),
        Index("title_index", TEXT, title_vectors, "titles and descriptions"),
        Index("speech_index", PASSAGE_EMBEDDINGS, spoken_vectors, "spoken passages"),
        Index("screen_index", PASSAGE_EMBEDDINGS, written_vectors, "passages of text on screen"),
    )
}


@dg.multi_asset(
    name="vector_indexes",
    specs=[index.spec for index in INDEXES.values()],
    check_specs=[index.check_spec for index in INDEXES.values()],
    can_subset=True,
    op_tags=LIBRARY.op_tags,
    pool="vector_indexes",
)
def vector_indexes(
    context: dg.AssetExecutionContext, library: Library
) -> Iterator[dg.MaterializeResult]:
    """Bring the indexes up to the batches, one after another."""
    wanted = {key.path[-1] for key in context.selected_asset_keys}
    for index in INDEXES.values():
        if index.name in wanted:
            yield _brought_up(context, library, index)


def _brought_up(
    context: dg.AssetExecutionContext, library: Library, index: Index
) -> dg.MaterializeResult:
    store, name, say = library.datasets, index.name, context.log.info
    seen = store.versions(index.source.name)
    made, model = made_by_one_model(store, index.source, library.batches.names())
    say(f"{name}: {len(made)} batches")
    wanted = {batch: ledger.fingerprint() for batch, ledger in made.items()}
    with index_folder(library, name) as folder:
        anew = is_forced(context) or _holds_other_model(folder, model)
        report = _updated(
            folder, wanted, partial(index.read, store), model, anew, context.log.warning
        )
        note_seen(folder, seen)
    say(f"{name}: {report.count} vectors, {report.unchanged} batches unchanged")
    return _result(name, report, model)


def _updated(
    folder: Path,
    wanted: Mapping[str, str],
    read: Callable[[str], Vectors],
    model: str,
    anew: bool,
    warn: Callable[[str], None],
) -> "IndexReport":
    from ml.neighbours import update_index

    def update(rebuild: bool) -> "IndexReport":
        return update_index(folder, wanted, read, model, rebuild=rebuild)

    return mended(folder, update, warn, anew=anew)


def _passage_vectors(store: DatasetStore, batch: str, channel: str) -> Vectors:
    columns = ["video_id", "channel", "passage_no", "embedding"]
    rows = _in_channels(store.rows(PASSAGE_EMBEDDINGS, batch, columns=columns), channel)
    return _collect(rows, text_key, "video_id", "channel", "passage_no")


def _in_channels(rows: Iterator[pa.RecordBatch], *channels: str) -> Iterator[pa.RecordBatch]:
    wanted = pa.array(channels)
    for batch in rows:
        yield batch.filter(pc.is_in(batch.column("channel"), value_set=wanted))


def _collect(rows: Iterator[pa.RecordBatch], key: Callable[..., str], *columns: str) -> Vectors:
    """Vectors and their keys, each made from the row's columns."""
    from ml.vectors import list_matrix

    keys: list[str] = []
    parts: list[np.ndarray] = []
    for batch in rows:
        if batch.num_rows:
            values = (batch.column(name).to_pylist() for name in columns)
            keys += [key(*row) for row in zip(*values, strict=True)]
            parts.append(list_matrix(batch.column("embedding")))
    return keys, np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def made_by_one_model(
    store: DatasetStore, source: Dataset, batches: list[str]
) -> tuple[dict[str, Ledger], str]:
    """The ledgers of the batches that hold vectors, and the identity of the model behind them.

    Raises:
        ModelMismatch: two models; vectors of different models never meet.
    """
    made = _made(store, source, batches)
    return made, _one_model(source, made)


def _made(store: DatasetStore, source: Dataset, batches: list[str]) -> dict[str, Ledger]:
    """The ledgers of the batches with videos in the dataset, made with the model on."""
    ledgers = {batch: store.ledger(source.name, batch) for batch in batches}
    return {
        batch: ledger
        for batch, ledger in ledgers.items()
        if ledger and ledger.keys and ledger.maker != OFF
    }


def _one_model(source: Dataset, made: Mapping[str, Ledger]) -> str:
    """The identity of the model behind all vectors.

    Raises:
        ModelMismatch: two models; vectors of different models never meet in one index.
    """
    from ml.vectors import ModelMismatch

    models = sorted({ledger.maker for ledger in made.values()})
    if len(models) > 1:
        raise ModelMismatch(
            f"{source.name} vectors were made by {' and by '.join(models)}: "
            "run the older batches again (kadr ingest SOURCE --all)"
        )
    return models[0] if models else OFF


def _holds_other_model(folder: Path, model: str) -> bool:
    from ml.indexes.files import IndexDamaged
    from ml.neighbours.manifest import find_manifest

    try:
        found = find_manifest(folder)
    except IndexDamaged:
        return False  # the update says so
    return found is not None and found.model != model


def _result(name: str, report: "IndexReport", model: str) -> dg.MaterializeResult:
    recall = report.recall_at_10
    return dg.MaterializeResult(
        asset_key=name,
        metadata={
            **row_count(report.count),
            **{k: v for k, v in asdict(report).items() if v is not None and k != "count"},
            "model": model,
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=_RECALL_CHECK,
                asset_key=dg.AssetKey(name),
                passed=recall is None or recall >= LEAST_RECALL,
                metadata={"recall_at_10": "no vectors yet" if recall is None else recall},
            )
        ],
    )


@contextmanager
def index_folder(library: Library, name: str) -> Iterator[Path]:
    """The index's local folder; one in an object store is brought here and taken back."""
    storage, prefix = library.storage, f"indexes/{name}"
    library.scratch.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        # One writer at a time on one machine; on several, pools see to it (assets/stores/needs.py),
        # and what they can't see (a step that outlived its run, a command) is refused below.
        lock = stack.enter_context((library.scratch.parent / f"{name}.lock").open("a"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        if storage.is_local:
            folder = Path(storage.url(prefix))
            if folder.is_file():
                folder.unlink()  # nothing of ours is a file there
            yield folder
            return
        folder = stack.enter_context(scratch_folder(library.scratch, name))
        found = _etags(storage, prefix)
        fetch_folder(storage, prefix, folder)
        seen = {path: path.stat().st_mtime_ns for path in _files(folder)}
        yield folder
        after = _files(folder)
        changed = [path for path in after if seen.get(path) != path.stat().st_mtime_ns]
        gone = found.keys() - {f"{prefix}/{path.relative_to(folder).as_posix()}" for path in after}
        if (changed or gone) and _etags(storage, prefix) != found:
            raise WrittenMeanwhile(
                f"{storage.url(prefix)} was written by another process since this one read it, "
                "which would undo that: do the same again"
            )
        # The manifest last: until then it names the old files, which are still there.
        for path in sorted(changed, key=lambda path: path.name == _MANIFEST):
            storage.put_file(path, f"{prefix}/{path.relative_to(folder).as_posix()}")
        for key in gone:
            storage.delete(key)


def verified_notes(cache: Path, name: str) -> Path:
    """Where it is noted which files of an index were found whole; ``cache`` is ``state/search``."""
    return cache / f"{name}.verified.json"


def _etags(storage: Storage, prefix: str) -> dict[str, str]:
    return {file.key: file.etag for file in storage.list(prefix)}


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if path.suffix != ".lock"]
