"""The assets ``clickhouse/people``, ``video_people``, ``people_changes``: who appears.

As with topics, new persons join the people there are, and a full clustering keeps their ids. What
is carried from night to night lies in ``indexes/people``, and the tables are made from it.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np

from assets.catalog import row_count, table_spec
from assets.cluster_store import StoredClustering, fingerprint_of, load, save
from assets.clustered import Items, asked_to_recluster, change_rows, check, gather, told
from assets.datasets import DatasetStore, key_of
from assets.indexes import index_folder, made_by_one_model
from assets.known_people import KnownPeople, known_people
from assets.people_tables import OUTPUTS, Shown, person_key, publish, video_of
from assets.pictures import contact_sheet_svg, markdown_image
from assets.progress import is_forced
from assets.resources import Library, Models, Tables
from ml.library_schemas import PEOPLE, PEOPLE_CHANGES
from ml.schemas import PERSONS

if TYPE_CHECKING:
    from ml.stable_clusters import Clustering

FOLDER = "people"
_ALONE_CHECK, _LARGE_CHECK = "few_persons_are_seen_once", "no_person_is_suspiciously_large"
_KNOWN_CHECK = "known_people_are_usable"
# A platform's library has mostly people who appear once; nobody at all twice is a recogniser that
# fails. One person in every third video is a presenter in a small library and a mistake in a
# large one.
_MOST_ALONE, _MOST_OF_ONE, _FEWEST = 0.98, 0.3, 100
_SHOWN = 60
# Somebody whom only a picture tells: half as sure as one whom other videos show too.
_SURE_BY_PICTURE = 0.5
# Raise when the same persons would give other people.
VERSION = "1"


@dg.multi_asset(
    name="people",
    specs=[table_spec(d.name, d, "library", [PERSONS.name]) for d in OUTPUTS],
    check_specs=[
        dg.AssetCheckSpec(
            _ALONE_CHECK,
            asset=["clickhouse", PEOPLE.name],
            description=f"At most {_MOST_ALONE:.0%} of the persons are seen in one video only.",
        ),
        dg.AssetCheckSpec(
            _LARGE_CHECK,
            asset=["clickhouse", PEOPLE.name],
            description=f"Nobody appears in more than {_MOST_OF_ONE:.0%} of the videos with faces.",
        ),
        dg.AssetCheckSpec(
            _KNOWN_CHECK,
            asset=["clickhouse", PEOPLE.name],
            description="Every picture in known_people shows one clear face.",
        ),
    ],
)
def people(
    context: dg.AssetExecutionContext, library: Library, models: Models, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Take new persons into the people there are, or find people anew where that is due."""
    context.log.info("people: looking for new persons")
    with index_folder(library, FOLDER) as folder:
        before = load(folder)
        stored = _brought_up(context, before, library, models)
        if stored is not before:
            save(folder, stored)
        fingerprint = fingerprint_of(folder)
    context.log.info(f"people: {stored.message}")
    with tables.session("writing people", context.log.info) as client:
        shown = publish(client, library, stored, fingerprint)
    for dataset in OUTPUTS:
        yield _result(dataset.name, shown, stored)


def republish(library: Library, tables: Tables, say: Callable[[str], None]) -> None:
    """Make the tables anew from what is on disk and what was said of people by hand."""
    with index_folder(library, FOLDER) as folder:
        if (stored := load(folder)) is not None:
            with tables.session("writing people", say) as client:
                publish(client, library, stored, fingerprint_of(folder))


def _brought_up(
    context: dg.AssetExecutionContext,
    before: StoredClustering | None,
    library: Library,
    models: Models,
) -> StoredClustering:
    """The clustering over the persons that there are; the same object where nothing changed."""
    store, forced = library.datasets, is_forced(context)
    made, model = made_by_one_model(store, PERSONS, library.batches.names())
    inputs = {batch: ledger.fingerprint() for batch, ledger in made.items()}
    made_by = key_of(VERSION, model)
    usable = None if forced or before is None or before.made_by != made_by else before
    known = known_people(library, models, model, usable, context.log.warning)
    asked = "it was asked for" if forced or asked_to_recluster(context) else ""
    if usable is not None and not asked:
        if usable.extra["known"] != known.stored:
            asked = "known_people changed"
        elif usable.inputs == inputs:
            return usable
    items = gather(usable, inputs, lambda batch: _vectors(store, batch), _dimension(store, inputs))
    reason = asked or "persons of this model were never clustered"
    if usable is not None and not asked:
        taken, reason = _taken_in(usable, items, known, models)
        if not reason:
            message = _message(taken, "new persons joined the people there were")
            return replace(
                usable, clustering=taken, batch_of=items.batch_of, inputs=inputs, message=message
            )
    context.log.info(f"people: a full clustering, because {reason}")
    found = _reclustered(before, items, known, models)
    message = _message(found.clustering, f"a full clustering: {reason}")
    extra = {**found.extra, "model": model}
    return replace(found, inputs=inputs, made_by=made_by, message=message, extra=extra)


def _taken_in(
    usable: StoredClustering, items: Items, known: KnownPeople, models: Models
) -> tuple["Clustering", str]:
    """The clusters of before over the persons there are now, and why that is not enough."""
    from ml.faces import same_person_distance
    from ml.people.newcomers import one_of_a_video, waits_for_a_name
    from ml.stable_clusters import reason_to_recluster, take_in

    taken = take_in(usable.clustering, items.keys, items.z)
    taken = replace(taken, members=one_of_a_video(taken.members, video_of))
    if waits_for_a_name(taken.members, known.known, same_person_distance(models.profile.faces)):
        return taken, "somebody of known_people appeared"
    return taken, reason_to_recluster(taken)


def _reclustered(
    before: StoredClustering | None, items: Items, known: KnownPeople, models: Models
) -> StoredClustering:
    """A full clustering, under the ids of the one before, with the names of known people."""
    from ml.device import pick_device
    from ml.faces import same_person_distance
    from ml.people.clustering import PeopleOptions, cluster_people
    from ml.people.known import name_people
    from ml.stable_clusters import recluster

    near = same_person_distance(models.profile.faces)
    videos = [video_of(key) for key in items.keys]
    options = PeopleOptions(device=pick_device(models.device))
    found = cluster_people(items.z, videos, same_person_distance=near, options=options)
    named = name_people(items.z, videos, found.labels, known.known, same_person_distance=near)
    by_picture = (named.labels >= 0) & (found.probabilities == 0)
    sure = np.where(by_picture, _SURE_BY_PICTURE, found.probabilities * (named.labels >= 0))
    was = before.clustering if before else None
    clustering = recluster(items.keys, items.z, named.labels, sure, was, most_reach=near)
    names = dict(zip(clustering.ids.tolist(), named.names, strict=True))
    facts = {person: {"name": name} for person, name in names.items() if name}
    told_before = before.facts if before else {}
    all_names = {i: str(of["name"]) for i, of in told_before.items()} | names
    history = [
        *(before.history if before else ()),
        *change_rows(clustering, PEOPLE_CHANGES, all_names),
    ]
    extra = {"known": known.stored, "messages": named.messages}
    return StoredClustering(clustering, items.batch_of, {}, "", facts, history, extra=extra)


def _vectors(store: DatasetStore, batch: str) -> tuple[list[str], np.ndarray]:
    from ml.vectors import list_matrix

    rows = store.table(PERSONS, batch, ["video_id", "person_no", "embedding"]).combine_chunks()
    names = zip(rows["video_id"].to_pylist(), rows["person_no"].to_pylist(), strict=True)
    keys = [person_key(*name) for name in names]
    return keys, list_matrix(rows["embedding"].combine_chunks())


def _dimension(store: DatasetStore, batches: Iterable[str]) -> int:
    """Length of the library's vectors; 0 where nobody was seen."""
    for batch in batches:
        for rows in store.rows(PERSONS, batch, columns=["embedding"]):
            return len(rows.column("embedding")[0])
    return 0


# For Dagster's pages ------------------------------------------------------------------------------


def _message(clustering: "Clustering", how: str) -> str:
    ids = clustering.members.ids
    if not len(ids):
        return "no people: no clear face was seen"
    found, alone = len(np.unique(ids[ids >= 0])), int((ids < 0).sum())
    return f"{found} people among {len(ids)} persons of videos, {alone} seen once; {how}"


def _result(name: str, shown: Shown, stored: StoredClustering) -> dg.MaterializeResult:
    metadata: dict[str, Any] = {**row_count(shown.rows[name]), "message": stored.message}
    checks = []
    if name == PEOPLE.name:
        clustering, visible = stored.clustering, [p for p in shown.people if not p["hidden"]]
        sheet = contact_sheet_svg(visible[:_SHOWN]) if visible else ""
        metadata |= {
            "contact_sheet": dg.MetadataValue.md(
                markdown_image(sheet, "people") if sheet else "nobody"
            ),
            "last_full_clustering": clustering.number,
            "what_it_changed": dg.MetadataValue.md(told(stored, clustering.number)),
            "known_people": dg.MetadataValue.json(stored.extra["messages"]),
            "joined_since": int(clustering.members.joined.sum()),
        }
        checks = _checks(stored, shown)
    return dg.MaterializeResult(
        asset_key=["clickhouse", name], metadata=metadata, check_results=checks
    )


def _checks(stored: StoredClustering, shown: Shown) -> list[dg.AssetCheckResult]:
    members = stored.clustering.members
    few, problems = len(members.keys) < _FEWEST, stored.extra["known"]["problems"]
    alone = float((members.ids < 0).mean()) if len(members.keys) else 0.0
    videos = len({video_of(key) for key in members.keys})
    large = {p["person_id"]: p["size"] for p in shown.people if p["size"] > _MOST_OF_ONE * videos}
    return [
        check(PEOPLE.name, _ALONE_CHECK, few or alone <= _MOST_ALONE, share=alone),
        check(PEOPLE.name, _LARGE_CHECK, few or not large, large=dg.MetadataValue.json(large)),
        check(PEOPLE.name, _KNOWN_CHECK, not problems, problems=dg.MetadataValue.json(problems)),
    ]
