"""What topics and people share: members gathered by batch, changes told, checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pyarrow as pa

from assets.clustering.store import StoredClustering
from assets.stores.catalog import plain_line
from ml.schemas import Dataset

if TYPE_CHECKING:
    from ml.clustering.stable import Clustering, Members

RECLUSTER_TAG = "kadr/recluster"
Vectors = tuple[list[str], np.ndarray]


@dataclass(frozen=True)
class Items:
    """What is clustered, sorted by key: float32[n, k], and the batch of each."""

    keys: list[str]
    z: np.ndarray
    batch_of: list[str]


def gather(
    stored: StoredClustering | None,
    inputs: Mapping[str, str],
    read: Callable[[str], Vectors],
    dimensions: int,
) -> Items:
    """The items of all batches; those of a batch that did not change are not read again.

    Args:
        stored: what is known, in the space that ``read`` gives; None to read everything.
        inputs: batch to the fingerprint of what its items are made from, in order: of an item in
            two batches the later one counts.
        read: keys of a batch, and float32[len(keys), dimensions].
        dimensions: length of the vectors.
    """
    held = _held(stored, inputs)
    keys: list[str] = []
    batch_of: list[str] = []
    blocks: list[_Block] = []
    for batch in inputs:
        names, block = held[batch] if batch in held else _read(*read(batch), dimensions)
        keys += names
        batch_of += [batch] * len(names)
        blocks.append(block)
    last = {key: row for row, key in enumerate(keys)}
    rows = np.fromiter((last[key] for key in sorted(last)), np.int64, len(last))
    z = _picked(blocks, rows, dimensions)
    return Items([keys[i] for i in rows], z, [batch_of[i] for i in rows])


# An array and which of its rows are meant.
_Block = tuple[np.ndarray, np.ndarray]


def _held(
    stored: StoredClustering | None, inputs: Mapping[str, str]
) -> dict[str, tuple[list[str], _Block]]:
    """The members of each batch that is as it was."""
    if stored is None:
        return {}
    same = {batch for batch, made in inputs.items() if stored.inputs.get(batch) == made}
    members = stored.clustering.members
    rows: dict[str, list[int]] = {batch: [] for batch in same}
    for row, batch in enumerate(stored.batch_of):
        if batch in same:
            rows[batch].append(row)
    return {
        batch: ([members.keys[i] for i in at], (members.z, np.array(at, np.int64)))
        for batch, at in rows.items()
    }


def _read(names: list[str], z: np.ndarray, dimensions: int) -> tuple[list[str], _Block]:
    vectors = np.asarray(z, np.float32).reshape(len(names), dimensions)
    return names, (vectors, np.arange(len(names)))


def _picked(blocks: Sequence[_Block], rows: np.ndarray, dimensions: int) -> np.ndarray:
    """Rows of the blocks laid end to end, without laying them so: they are copied once."""
    place = np.full(sum(len(at) for _, at in blocks), -1)
    place[rows] = np.arange(len(rows))
    z = np.empty((len(rows), dimensions), np.float32)
    start = 0
    for source, at in blocks:
        to = place[start : start + len(at)]
        kept = to >= 0
        if kept.any():
            z[to[kept]] = source[at[kept]]
        start += len(at)
    return z


def asked_to_recluster(context: dg.AssetExecutionContext) -> bool:
    """Whether the run was asked for a full clustering (tag ``kadr/recluster``)."""
    return context.run.tags.get(RECLUSTER_TAG, "") not in {"", "0", "false"}


def change_rows(
    clustering: Clustering, dataset: Dataset, names: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Rows of ``topic_changes`` or ``people_changes`` for the last full clustering."""
    key = dataset.key[-1]
    return [
        {
            "clustering_no": clustering.number,
            "change": change.kind,
            key: change.id,
            "name": names.get(change.id, ""),
            "other_ids": list(change.other_ids),
            "size_before": change.size_before,
            "size_after": change.size_after,
        }
        for change in clustering.changes
    ]


def changes_table(stored: StoredClustering, dataset: Dataset) -> pa.Table:
    """The whole history of changes."""
    order = [(name, "ascending") for name in dataset.key]
    return pa.Table.from_pylist(list(stored.history), dataset.schema).sort_by(order)


def lazily(make: Callable[[], pa.Table]) -> Iterator[pa.RecordBatch]:
    """The rows of a table that is made when the first is asked for, or never."""
    yield from make().to_batches()


def told(stored: StoredClustering, number: int) -> str:
    """What the full clustering of that number changed, as a Markdown list."""
    rows = [row for row in stored.history if row["clustering_no"] == number]
    lines = [f"- {_sentence(row)}" for row in rows[:_TOLD]]
    if len(rows) > _TOLD:
        lines.append(f"- and {len(rows) - _TOLD} more: see the table of changes")
    return "\n".join(lines) or "nothing appeared, vanished, split or merged"


_TOLD = 40


def _sentence(row: Mapping[str, Any]) -> str:
    one = next(int(value) for name, value in row.items() if name in {"topic_id", "person_id"})
    name = f" ({plain_line(row['name'])})" if row["name"] else ""
    others = ", ".join(map(str, row["other_ids"]))
    how = {"split": f" into {others}", "merged": f" from {others}"}.get(row["change"], "")
    return f"{one}{name} {row['change']}{how}: {row['size_before']} → {row['size_after']}"


def check(asset: str, name: str, passed: bool, **metadata: Any) -> dg.AssetCheckResult:
    """The result of a check that warns."""
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=["clickhouse", asset],
        passed=bool(passed),
        severity=dg.AssetCheckSeverity.WARN,
        metadata=metadata,
    )


def separation_check(
    asset: str, name: str, clustering: Clustering, least: float, names: Mapping[int, str]
) -> dg.AssetCheckResult:
    """Whether the clusters are told apart: the mean of their DBCV is at least ``least``.

    What joined since the last full clustering blurs it, so the figure without that stands beside.
    Made anew every time: that is 2 s, or 4 with what joined, at 100,000 members.

    Args:
        asset: table.
        name: check.
        clustering: as it is now.
        least: below it the check warns, unless there are too few members to say.
        names: how clusters are called, by id.
    """
    from ml.clustering.validity import validity

    members = clustering.members
    found = validity(members.z, members.ids)
    if found.mean is None:
        said = "nothing to compare: there are not two clusters of two different members"
        return check(asset, name, True, message=said)
    ranked = sorted(found.of_cluster, key=lambda i: found.of_cluster[i])[:_LEAST_TOLD]
    told = {f"{i} {names.get(i, '')}".strip(): round(found.of_cluster[i], 2) for i in ranked}
    metadata: dict[str, Any] = {
        "validity": found.mean,
        "least_separated": dg.MetadataValue.json(told),
        "looked_at": len(found.of_cluster),
    }
    if members.joined.any():
        clustered = np.where(members.joined, -1, members.ids)
        metadata["validity_without_joined"] = validity(members.z, clustered).mean
    few = len(members.keys) < _FEWEST_TO_SEPARATE
    return check(asset, name, few or found.mean >= least, **metadata)


# Shown on the check's page.
_LEAST_TOLD = 10
# Of fewer members the figure says little: of eight generated libraries of 100 videos two warned,
# of 150 and more none.
_FEWEST_TO_SEPARATE = 150


def members_by_id(clustering: Clustering) -> dict[int, np.ndarray]:
    """Rows of the members of each cluster, nearest its centroid first."""
    members = clustering.members
    order = np.lexsort((members.distance, members.ids))
    ids, starts = np.unique(members.ids[order], return_index=True)
    found = dict(zip(ids.tolist(), np.split(order, starts[1:]), strict=True)) if len(ids) else {}
    return {int(i): found.get(int(i), np.zeros(0, np.int64)) for i in (*clustering.ids, -1)}


def source_of(members: Members) -> np.ndarray:
    """How each member came to its cluster: clustered, joined or none."""
    return np.where(members.ids < 0, "none", np.where(members.joined, "joined", "clustered"))
