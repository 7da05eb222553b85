"""A clustering on disk, ``indexes/{name}/``: what the next night carries on from.

The tables are made from it, so ids and names outlive a ClickHouse that was emptied or moved. A
version's files are written first and the manifest, which names them with their checksums, last and
in one move.
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

from ml.indexes.files import checked_text, checked_values

if TYPE_CHECKING:
    from ml.clustering.stable import Clustering, Members

MANIFEST = "manifest.json"
# 2: vectors in a file of their own, checksums of all files.
FORMAT = 2
# The vectors lie beside the other columns of the members: loading 200,000 of 128 numbers, 98 MB,
# took 190 MB so, and 680 out of one Parquet file, with Arrow's copies.
_MEMBERS, _VECTORS, _CLUSTERS, _SPACE = "members", "vectors", "clusters", "space"
_SUFFIXES = {_MEMBERS: "parquet", _VECTORS: "npy", _CLUSTERS: "npz", _SPACE: "bin"}


DAMAGE_REMEDY = (
    "Restore the folder from a back-up, or delete it: then kadr index clusters everything anew "
    "under new ids, and names given by hand stay with the old ids, so give them again"
)


class ClusteringDamaged(Exception):
    """The files of a clustering are missing or not what its manifest says."""

    def __init__(self, place: str, found: str) -> None:
        self.found = found
        super().__init__(f"the clustering in {place} can't be read: {found}. {DAMAGE_REMEDY}")


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
    files = {role: folder / f"{role}-{version}.{suffix}" for role, suffix in _SUFFIXES.items()}
    c = stored.clustering
    pq.write_table(_member_rows(stored), files[_MEMBERS], compression="zstd")
    np.save(files[_VECTORS], np.asarray(c.members.z, np.float32), allow_pickle=False)
    np.savez(files[_CLUSTERS], ids=c.ids, centroids=c.centroids, reach=c.reach)
    files[_SPACE].write_bytes(stored.space)
    manifest = {
        "format": FORMAT,
        "version": version,
        "files": {role: [path.name, _checksum(path)] for role, path in files.items()},
        **{name: getattr(c, name) for name in _COUNTED},
        **{name: getattr(stored, name) for name in _REST},
        "facts": {str(i): facts for i, facts in stored.facts.items()},
    }
    fresh = folder / f"{MANIFEST}.new"
    text = checked_text(json.loads(json.dumps(manifest, default=dict)))
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(folder / MANIFEST)
    current = {MANIFEST, *(path.name for path in files.values())}
    for path in folder.iterdir():
        if path.name not in current and path.is_file():
            path.unlink()


def fingerprint_of(folder: Path) -> str:
    """Changes with every version that is saved."""
    return hashlib.blake2b((folder / MANIFEST).read_bytes(), digest_size=8).hexdigest()


def load(folder: Path, place: str = "") -> StoredClustering | None:
    """The last version; None where nothing was clustered yet.

    Args:
        folder: where the files are.
        place: how errors name it, where ``folder`` is the local copy of another place.

    Raises:
        ClusteringDamaged: files are missing, are not those that were written, or are of a format
            that this version does not know.
    """
    if not (folder / MANIFEST).exists():
        return None
    place = place or str(folder)
    try:
        manifest = checked_values((folder / MANIFEST).read_bytes())
        if manifest["format"] != FORMAT:
            known = f"it has format {manifest['format']} and this version of Kadr reads {FORMAT}"
            raise ClusteringDamaged(place, known)
        return _loaded(manifest, _checked(folder, manifest["files"], place))
    # Other OSErrors, such as a refused permission, are no damage: deleting would be wrong advice.
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError) as error:
        found = f"{type(error).__name__}: {error}"
        raise ClusteringDamaged(place, found) from error


def _loaded(manifest: Mapping[str, Any], files: Mapping[str, Path]) -> StoredClustering:
    from ml.clustering.stable import Clustering

    members, batch_of = _members(pq.read_table(files[_MEMBERS]), np.load(files[_VECTORS]))
    with np.load(files[_CLUSTERS], allow_pickle=False) as arrays:
        ids, centroids, reach = arrays["ids"], arrays["centroids"], arrays["reach"]
    counted = {name: manifest[name] for name in _COUNTED}
    clustering = Clustering(
        ids=ids, centroids=centroids, reach=reach, members=members, changes=(), **counted
    )
    facts = {int(i): values for i, values in manifest["facts"].items()}
    rest = {name: manifest[name] for name in _REST}
    space = files[_SPACE].read_bytes()
    return StoredClustering(clustering, batch_of, facts=facts, space=space, **rest)


_COUNTED = ("number", "next_id", "unassigned_share", "count")
_REST = ("inputs", "made_by", "history", "message", "extra")


def _checked(folder: Path, named: Mapping[str, Sequence[str]], place: str) -> dict[str, Path]:
    """The version's files by role.

    Checked before any is opened: each kind of file fails in its own way where it is cut short, and
    ``space`` only when it is used.
    """
    files = {role: folder / named[role][0] for role in _SUFFIXES}
    for role, path in files.items():
        if _checksum(path) != named[role][1]:
            raise ClusteringDamaged(place, f"{path.name} is not as it was written")
    return files


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _version(folder: Path) -> int:
    """The version in the manifest; 0 where there is none, or none that can be read."""
    try:
        return int(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["version"])
    except (FileNotFoundError, ValueError, KeyError):
        return 0


def _member_rows(stored: StoredClustering) -> pa.Table:
    members = stored.clustering.members
    columns = {
        "key": pa.array(members.keys, pa.string()),
        "batch": pa.array(stored.batch_of, pa.string()),
        "id": pa.array(members.ids, pa.int32()),
        "distance": pa.array(members.distance, pa.float32()),
        "probability": pa.array(members.probability, pa.float32()),
        "joined": pa.array(members.joined, pa.bool_()),
    }
    return pa.table(columns)


def _members(rows: pa.Table, z: np.ndarray) -> tuple[Members, list[str]]:
    from ml.clustering.stable import Members

    if len(z) != rows.num_rows:
        raise ValueError(f"{rows.num_rows} members and {len(z)} vectors")
    members = Members(
        rows.column("key").to_pylist(),
        z,
        rows.column("id").to_numpy(),
        rows.column("distance").to_numpy(),
        rows.column("probability").to_numpy(),
        rows.column("joined").to_numpy(zero_copy_only=False),
    )
    # A batch has hundreds of members: one string for all of them.
    batches = rows.column("batch").combine_chunks().dictionary_encode()
    names = batches.dictionary.to_pylist()
    return members, [names[i] for i in batches.indices.to_numpy()]
