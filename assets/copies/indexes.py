"""The assets ``copies_pictures`` and ``copies_sound``: the indexes that name candidates for copies.

A batch brings them up to itself before it asks them (``assets/copies/search.py``). The library's
step mends what is missing, damaged or behind besides, and compares every checksum.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from assets.copies.pairs import DESCRIBED, candidate_items, item_of
from assets.search.indexes import index_folder, verified_notes
from assets.search.mending import mended
from assets.stores.catalog import row_count
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.incremental import by_video
from assets.stores.needs import LIBRARY
from assets.stores.progress import is_forced
from assets.stores.resources import Library, Models
from ml.schemas import AUDIO_FINGERPRINTS, COPY_DESCRIPTORS, Dataset

if TYPE_CHECKING:
    from ml.copies.evidence import Evidence
    from ml.copies.picture_growth import PictureIndexReport
    from ml.copies.picture_index import PictureIndex
    from ml.copies.sound_growth import SoundIndexReport
    from ml.copies.sound_index import SoundIndex
    from ml.indexes.verified import Verify

PICTURE_INDEX, SOUND_INDEX = "copies_pictures", "copies_sound"
POOL = "copy_indexes"
Warn = Callable[[str], None]


def _spec(name: str, source: Dataset, entry: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        name,
        deps=[source.name],
        group_name="library",
        description=f"Inverted file of {entry}: names the videos that a new one is compared with.",
    )


@dg.multi_asset(
    name=POOL,
    specs=[
        _spec(PICTURE_INDEX, COPY_DESCRIPTORS, "local features of kept frames"),
        _spec(SOUND_INDEX, AUDIO_FINGERPRINTS, "landmarks of sound"),
    ],
    op_tags=LIBRARY.op_tags,
    pool=POOL,
)
def copy_indexes(
    context: dg.AssetExecutionContext, library: Library, models: Models
) -> Iterator[dg.MaterializeResult]:
    """Bring the indexes up to the batches."""
    makers = [models.frame_describer().identity, models.sound_fingerprinter().identity]
    context.log.info("copy_indexes: looking for batches that are not inside")
    with _folders(library) as folders:
        pictures, sound = _brought_up(
            library, folders, makers, context.log.warning, anew=is_forced(context)
        )
    for name, report in ((PICTURE_INDEX, asdict(pictures)), (SOUND_INDEX, asdict(sound))):
        videos, _ = report.pop("videos"), report.pop("damaged", ())
        context.log.info(f"{name}: {videos} videos, {report['unchanged']} batches unchanged")
        yield dg.MaterializeResult(asset_key=name, metadata={**row_count(videos), **report})


@dataclass(frozen=True)
class Indexes:
    """The two indexes of candidates, opened."""

    pictures: "PictureIndex"
    sound: "SoundIndex"

    def candidates(self, evidence: "Evidence", item: str = "") -> list[str]:
        """The items worth comparing with a video, itself (``item``) left out."""
        by_pictures = self.pictures.search(evidence.pictures, exclude=item)
        sound = evidence.sound
        by_sound = self.sound.search(sound, exclude=item) if sound is not None else []
        return candidate_items(by_pictures, by_sound)


@contextmanager
def opened_indexes(library: Library, makers: Sequence[str], warn: Warn) -> Iterator[Indexes]:
    """The indexes, for as long as the block lasts; nobody else changes them meanwhile.

    Args:
        library: where they lie.
        makers: of ``copy_descriptors`` and ``audio_fingerprints``: the indexes are brought up to
            what is on disk of them first. Batches that others made are left out, because
            descriptions of two kinds can't be compared.
        warn: told of an index that is damaged.
    """
    from ml.copies.picture_index import PictureIndex
    from ml.copies.sound_index import SoundIndex
    from ml.indexes.verified import known_files

    notes = verified_notes(library.scratch.parent / "search", POOL)
    with _folders(library) as folders, known_files(notes) as verified:
        # A batch adds little to much: what was found whole is not read again, 8 GB of a million
        # videos.
        _brought_up(library, folders, makers, warn, verify=verified)
        pictures, sound = folders
        yield Indexes(
            PictureIndex.open(pictures, verify=verified), SoundIndex.open(sound, verify=verified)
        )


@contextmanager
def _folders(library: Library) -> Iterator[tuple[Path, Path]]:
    """The local folders of pictures and sound, locked."""
    with ExitStack() as stack:
        # Always in this order, so that two never wait for each other.
        pictures = stack.enter_context(index_folder(library, PICTURE_INDEX))
        yield pictures, stack.enter_context(index_folder(library, SOUND_INDEX))


def _brought_up(
    library: Library,
    folders: tuple[Path, Path],
    makers: Sequence[str],
    warn: Warn,
    *,
    anew: bool = False,
    verify: "Verify" = True,
) -> tuple["PictureIndexReport", "SoundIndexReport"]:
    from ml.copies.picture_growth import update_picture_index
    from ml.copies.sound_growth import update_sound_index

    (of_pictures, of_sound), store = wanted_batches(library, makers), library.datasets
    pictures, sound = folders

    def update_pictures(rebuild: bool) -> "PictureIndexReport":
        read = partial(_pictures, store, makers[0])
        return update_picture_index(pictures, of_pictures, read, rebuild=rebuild, verify=verify)

    def update_sound(rebuild: bool) -> "SoundIndexReport":
        read = partial(_sounds, store, makers[1])
        return update_sound_index(sound, of_sound, read, rebuild=rebuild, verify=verify)

    in_pictures = mended(pictures, update_pictures, warn, anew=anew)
    in_sound = mended(sound, update_sound, warn, anew=anew)
    for damage in in_sound.damaged:
        warn(f"{SOUND_INDEX}: {damage}; its batch is put in anew")
    return in_pictures, in_sound


def wanted_batches(library: Library, makers: Sequence[str]) -> list[dict[str, str]]:
    """What the index of pictures and that of sound are to hold: batch to fingerprint."""
    return [_held(library, d, maker) for d, maker in zip(DESCRIBED, makers, strict=True)]


def _held(library: Library, dataset: Dataset, maker: str) -> dict[str, str]:
    """Batch to what changes with its rows, for the batches that are described; one listing."""
    versions = library.datasets.versions(dataset.name)
    names = (name for name in library.batches.names() if name in versions)
    return {name: key_of(maker, versions[name]) for name in names}


def _pictures(store: DatasetStore, maker: str, batch: str) -> Iterator[tuple[str, Any]]:
    from ml.copies.features import pictures_of

    for video_id, rows in _by_video(store, COPY_DESCRIPTORS, maker, batch):
        yield item_of(batch, video_id), pictures_of(rows)


def _sounds(store: DatasetStore, maker: str, batch: str) -> Iterator[tuple[str, Any]]:
    from ml.copies.sound.bands import sound_of

    for video_id, rows in _by_video(store, AUDIO_FINGERPRINTS, maker, batch):
        sound = sound_of(rows)
        if sound is not None:
            yield item_of(batch, video_id), sound


def _by_video(
    store: DatasetStore, dataset: Dataset, maker: str, batch: str
) -> Iterator[tuple[str, list[pa.RecordBatch]]]:
    ledger = store.ledger(dataset.name, batch)
    if ledger is not None and ledger.maker == maker:
        for video_id, pieces in groupby(by_video(store.rows(dataset, batch)), key=itemgetter(0)):
            yield video_id, [rows for _, rows in pieces]
