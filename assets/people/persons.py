"""The asset ``persons``: the faces of a video joined into persons, with their times on screen."""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Mapping

import dagster as dg

from assets.senses.model_step import run_model
from assets.stores.batches import BATCHES
from assets.stores.catalog import dataset_spec
from assets.stores.datasets import DatasetStore
from assets.stores.incremental import ledger_of
from assets.stores.models import OFF, Model, Rows
from assets.stores.needs import SMALL
from assets.stores.resources import Library
from ml.schemas import FACES, PERSONS, VIDEOS

# Raise when the same faces would be joined into other persons.
VERSION = 1


@dg.multi_asset(
    name="persons",
    specs=[dataset_spec(PERSONS, group="models", deps=["videos", "faces"])],
    partitions_def=BATCHES,
    op_tags=SMALL.op_tags,
)
def persons(context: dg.AssetExecutionContext, library: Library) -> dg.MaterializeResult:
    """Join faces into persons, one video at a time."""
    store, batch = library.datasets, context.partition_key
    faces = ledger_of(store, FACES.name, batch)
    return run_model(
        context,
        library,
        PERSONS,
        faces.keys,
        lambda todo: store.rows(FACES, batch, video_ids=todo),
        _joiner(faces.maker, _durations_s(store, batch)),
    )


def _joiner(maker: str, durations_s: Mapping[str, float]) -> Model:
    """What joins faces, as a model: those of other faces models have other distances.

    Args:
        maker: the identity of the model that made the faces, whatever the setting is now.
        durations_s: by video.
    """
    if maker == OFF:
        return Model(OFF, lambda: iter)

    def join(rows: Rows) -> Rows:
        return _joined(rows, durations_s, maker)

    return Model(f"{maker}+persons-{VERSION}", lambda: join)


def _joined(rows: Rows, durations_s: Mapping[str, float], maker: str) -> Rows:
    from ml.faces import same_person_distance
    from ml.people.joining import persons as join

    yield from join(rows, durations_s, same_person_distance(maker))


def _durations_s(store: DatasetStore, batch: str) -> dict[str, float]:
    ledger_of(store, VIDEOS.name, batch)
    rows = store.table(VIDEOS, batch, ["video_id", "duration_s"]).to_pylist()
    return {row["video_id"]: row["duration_s"] for row in rows}
