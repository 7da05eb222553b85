"""A clustering on disk, ``indexes/{name}/``: what the next night carries on from.

The tables are made from it, so ids and names outlive a ClickHouse that was emptied or moved. A
version's files are written first and the manifest, which names them, last and in one move.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from ml.stable_clusters import Clustering

MANIFEST = "manifest.json"
FORMAT = 1
_MEMBERS, _CLUSTERS, _SPACE = "members", "clusters", "space"


class ClusteringDamaged(Exception):
    """The files of a clustering are missing or not what its manifest says."""

    def __init__(self, folder: Path, found: str) -> None:
        super().__init__(
            f"the clustering in {folder} can't be read: {found}. Restore the folder from a "
            "back-up, or delete it: then everything is clustered anew, under new ids"
        )


@dataclass(frozen=True)
class StoredClustering:
    """A clustering with what else the tables are made from.

    Attributes:
        clustering: ids, centroids and members.
        batch_of: the batch of each member.
        inputs: fingerprint by batch of what the members were made from.
        made_by: models and version behind the vectors; another one starts from no centroid.
        facts: JSON-able values by cluster id, such as its name.
        history: rows of changes, of all full clusterings.
        space: a file of bytes that new members need to find their place; may be empty.
        message: one sentence on how the clustering came about.
        extra: further JSON-able values.
    """

    clustering: Clustering
    batch_of: Sequence[str]
    inputs: Mapping[str, str]
    made_by: str
    facts: Mapping[int, Mapping[str, Any]]
    history: Sequence[Mapping[str, Any]]
    space: bytes = b""
    message: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)


def save(folder: Path, stored: StoredClustering) -> None:
    """Write a new version, its manifest last, and forget the files of the versions before."""
    folder.mkdir(parents=True, exist_ok=True)
    version = _version(folder) + 1
    c = stored.clustering
    pq.write_table(_member_rows(stored), folder / _name(_MEMBERS, version), compression="zstd")
    np.savez(folder / _name(_CLUSTERS, version), ids=c.ids, centroids=c.centroids, reach=c.reach)
    (folder / _name(_SPACE, version)).write_bytes(stored.space)
    manifest = {
        "format": FORMAT,
        "version": version,
        "number": c.number,
        "next_id": c.next_id,
        "unassigned_share": c.unassigned_share,
        "count": c.count,
        "inputs": dict(stored.inputs),
        "made_by": stored.made_by,
        "facts": {str(i): dict(facts) for i, facts in stored.facts.items()},
        "history": [dict(row) for row in stored.history],
        "message": stored.message,
        "extra": dict(stored.extra),
    }
    fresh = folder / f"{MANIFEST}.new"
    fresh.write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")
    fresh.replace(folder / MANIFEST)
    current = {_name(role, version) for role in (_MEMBERS, _CLUSTERS, _SPACE)}
    for path in folder.iterdir():
        if path.name not in current | {MANIFEST}:
            path.unlink()


def fingerprint_of(folder: Path) -> str:
    """Changes with every version that is saved."""
    return hashlib.blake2b((folder / MANIFEST).read_bytes(), digest_size=8).hexdigest()


def load(folder: Path) -> StoredClustering | None:
    """The last version; None where nothing was clustered yet.

    Raises:
        ClusteringDamaged: files are missing or unreadable.
    """
    from ml.stable_clusters import Clustering

    if not (folder / MANIFEST).exists():
        return None
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version = manifest["version"]
        members, batch_of = _members(pq.read_table(folder / _name(_MEMBERS, version)))
        with np.load(folder / _name(_CLUSTERS, version), allow_pickle=False) as arrays:
            ids, centroids, reach = arrays["ids"], arrays["centroids"], arrays["reach"]
        space = (folder / _name(_SPACE, version)).read_bytes()
        counted = {name: manifest[name] for name in _COUNTED}
        clustering = Clustering(
            ids=ids, centroids=centroids, reach=reach, members=members, changes=(), **counted
        )
        facts = {int(i): values for i, values in manifest["facts"].items()}
        rest = {name: manifest[name] for name in _REST}
        return StoredClustering(clustering, batch_of, facts=facts, space=space, **rest)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowInvalid) as error:
        raise ClusteringDamaged(folder, f"{type(error).__name__}: {error}") from error


_COUNTED = ("number", "next_id", "unassigned_share", "count")
_REST = ("inputs", "made_by", "history", "message", "extra")


def _name(role: str, version: int) -> str:
    suffix = {_MEMBERS: "parquet", _CLUSTERS: "npz", _SPACE: "bin"}[role]
    return f"{role}-{version}.{suffix}"


def _version(folder: Path) -> int:
    """The version in the manifest; 0 where there is none, or none that can be read."""
    try:
        return int(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["version"])
    except (FileNotFoundError, ValueError, KeyError):
        return 0


def _member_rows(stored: StoredClustering) -> pa.Table:
    members = stored.clustering.members
    width = members.z.shape[1]
    flat = pa.array(np.ascontiguousarray(members.z, np.float32).ravel())
    return pa.table(
        {
            "key": pa.array(members.keys, pa.string()),
            "batch": pa.array(stored.batch_of, pa.string()),
            "id": pa.array(members.ids, pa.int32()),
            "distance": pa.array(members.distance, pa.float32()),
            "probability": pa.array(members.probability, pa.float32()),
            "joined": pa.array(members.joined, pa.bool_()),
            "z": pa.FixedSizeListArray.from_arrays(flat, width)
            if width
            else pa.nulls(len(members.keys), pa.list_(pa.float32(), 0)),
        }
    ).replace_schema_metadata({"width": str(width)})


def _members(rows: pa.Table) -> tuple[Any, list[str]]:
    from ml.stable_clusters import Members

    width = int(rows.schema.metadata[b"width"])
    vectors = rows.column("z").combine_chunks()
    flat = vectors.flatten().to_numpy(zero_copy_only=False) if width else np.zeros(0, np.float32)
    members = Members(
        rows.column("key").to_pylist(),
        flat.astype(np.float32).reshape(rows.num_rows, width),
        rows.column("id").to_numpy(),
        rows.column("distance").to_numpy(),
        rows.column("probability").to_numpy(),
        rows.column("joined").to_numpy(zero_copy_only=False),
    )
    return members, rows.column("batch").to_pylist()
