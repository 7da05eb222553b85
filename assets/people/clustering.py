"""The assets ``clickhouse/people``, ``video_people``, ``people_changes``: who appears.

As with topics, new persons join the people there are, and a full clustering keeps their ids. What
is carried from night to night lies in ``indexes/people``, and the tables are made from it.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np

from assets.clustering import given_names
from assets.clustering.clustered import (
    Items,
    asked_to_recluster,
    change_rows,
    check,
    gather,
    separation_check,
    told,
)
from assets.clustering.given_names import PERSON, Given
from assets.clustering.pictures import contact_sheet_svg, markdown_image
from assets.clustering.store import StoredClustering, fingerprint_of, load, save
from assets.people.known import KnownPeople, known_people
from assets.people.tables import OUTPUTS, SHOWN, Shown, bring_up, person_key, video_of
from assets.search.indexes import index_folder, made_by_one_model
from assets.stores.catalog import row_count, table_spec
from assets.stores.datasets import DatasetStore, Ledger, key_of
from assets.stores.models import OFF
from assets.stores.needs import LIBRARY
from assets.stores.progress import is_forced
from assets.stores.resources import Library, Models, Tables
from ml.library_schemas import PEOPLE, PEOPLE_CHANGES
from ml.schemas import PERSONS

if TYPE_CHECKING:
    from ml.clustering.stable import Clustering

FOLDER = "people"
_ALONE_CHECK, _LARGE_CHECK = "few_persons_are_seen_once", "no_person_is_suspiciously_large"
_KNOWN_CHECK, _SEPARATED_CHECK = "known_people_are_usable", "people_are_separated"
# A platform's library has mostly people who appear once; nobody at all twice is a recogniser that
# fails. One person in every third video is a presenter in a small library and a mistake in a
# large one.
_MOST_ALONE, _MOST_OF_ONE, _FEWEST = 0.98, 0.3, 100
# Made-up people have .39 to .59 and twelve real ones .55; where most are cut in halves it is .18 at
# most, and with persons shuffled among people -.02 at most.
_LEAST_VALIDITY = 0.25
# Somebody whom only a picture tells: half as sure as one whom other videos show too.
_SURE_BY_PICTURE = 0.5
# Raise when the same persons would give other people.
VERSION = "2"


@dg.multi_asset(
    name="people",
    op_tags=LIBRARY.op_tags,
    pool="people",
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
        dg.AssetCheckSpec(
            _SEPARATED_CHECK,
            asset=["clickhouse", PEOPLE.name],
            description=f"People are apart: their mean validity (DBCV, -1 to 1) is at least "
            f"{_LEAST_VALIDITY}.",
        ),
    ],
)
def people(
    context: dg.AssetExecutionContext, library: Library, models: Models, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Take new persons into the people there are, or find people anew where that is due."""
    context.log.info("people: looking for new persons")
    with index_folder(library, FOLDER) as folder:
        before = load(folder, library.storage.url(f"indexes/{FOLDER}"))
        stored = _brought_up(context, before, library, models, tables)
        if stored is not before:
            save(folder, stored)
        fingerprint = fingerprint_of(folder)
    if not _made(library)[0]:
        # Faces may be switched on again: then everybody has their own id and name again.
        stored, fingerprint = _nobody(stored), f"nobody-{fingerprint}"
    context.log.info(f"people: {stored.message}")
    shown = bring_up(library, tables, stored, fingerprint, context.log.info)
    for dataset in OUTPUTS:
        yield _result(dataset.name, shown, stored)


def republish(library: Library, tables: Tables, say: Callable[[str], None]) -> None:
    """Make the tables anew from what is on disk and what was said of people by hand."""
    with index_folder(library, FOLDER) as folder:
        if (stored := load(folder, library.storage.url(f"indexes/{FOLDER}"))) is not None:
            bring_up(library, tables, stored, fingerprint_of(folder), say)


def _brought_up(
    context: dg.AssetExecutionContext,
    before: StoredClustering | None,
    library: Library,
    models: Models,
    tables: Tables,
) -> StoredClustering:
    """The clustering over the persons that there are; the same object where nothing changed."""
    made, model = _made(library)
    if not made and before is not None:
        return before
    store, say = library.datasets, context.log.info
    inputs = {batch: ledger.fingerprint() for batch, ledger in made.items()}
    forced, made_by = is_forced(context), key_of(VERSION, model)
    usable = None if forced or before is None or before.made_by != made_by else before
    known = known_people(library, models, model, before, context.log.warning, again=forced)
    usable = known.noted_in(usable) if usable is not None else None
    reason = _reason(usable, known, asked=forced or asked_to_recluster(context))
    if usable is not None and not reason and usable.inputs == inputs:
        return usable
    items = gather(usable, inputs, lambda batch: _vectors(store, batch), _dimension(store, inputs))
    of = items.batch_of
    if usable is not None and not reason:
        taken, reason = _taken_in(usable, items, known, model)
        if not reason:
            message = _message(taken, "new persons joined the people there were")
            return replace(usable, clustering=taken, batch_of=of, inputs=inputs, message=message)
    say(f"people: a full clustering, because {reason}")
    found = _reclustered(before, items, known, model, _Said.of(library, tables, say), models)
    message = _message(found.clustering, f"a full clustering: {reason}")
    return replace(found, batch_of=of, inputs=inputs, made_by=made_by, message=message)


def _reason(usable: StoredClustering | None, known: KnownPeople, *, asked: bool) -> str:
    """Why a full clustering is due before it is known who is new; empty if it is not."""
    if asked:
        return "it was asked for"
    if usable is None:
        return "persons of this model were never clustered"
    return "known_people changed" if usable.extra["known"] != known.stored else ""


@dataclass(frozen=True)
class _Said:
    """What was said of people by hand, and from where on ids are free."""

    given: Mapping[int, Given]
    first_id: int
    tables: Tables

    @classmethod
    def of(cls, library: Library, tables: Tables, say: Callable[[str], None]) -> "_Said":
        with tables.session("reading names of people", say) as client:
            given = given_names.keep(client, PERSON, library.storage)
            return cls(given, given_names.first_free_id(client, PERSON), tables)

    def carried(self, clustering: "Clustering") -> Mapping[int, Given]:
        """What is said now: whoever two people have become keeps the name that one was given."""
        carried = given_names.after_mergers(clustering.changes, self.given)
        if carried:
            with self.tables.session("naming people", lambda _: None) as client:
                for person, given in carried.items():
                    given_names.write(client, PERSON, person, given)
        return {**self.given, **carried}


def _made(library: Library) -> tuple[dict[str, Ledger], str]:
    return made_by_one_model(library.datasets, PERSONS, library.batches.names())


def _nobody(stored: StoredClustering) -> StoredClustering:
    """The same clustering, for tables of a library in which no faces are looked for."""
    from ml.clustering.stable import take_in

    empty = np.zeros((0, stored.clustering.members.z.shape[1]), np.float32)
    clustering = take_in(stored.clustering, [], empty)
    message = _message(clustering, "")
    return replace(stored, clustering=clustering, batch_of=[], inputs={}, message=message)


def _taken_in(
    usable: StoredClustering, items: Items, known: KnownPeople, model: str
) -> tuple["Clustering", str]:
    """The clusters of before over the persons there are now, and why that is not enough."""
    from ml.clustering.stable import reason_to_recluster, take_in
    from ml.faces import same_person_distance
    from ml.people.newcomers import one_of_a_video, waits_for_a_name

    taken = take_in(usable.clustering, items.keys, items.z)
    taken = replace(taken, members=one_of_a_video(taken.members, video_of))
    if waits_for_a_name(taken.members, known.known, same_person_distance(model), video_of):
        return taken, "somebody of known_people appeared"
    return taken, reason_to_recluster(taken)


def _reclustered(
    before: StoredClustering | None,
    items: Items,
    known: KnownPeople,
    model: str,
    said: _Said,
    models: Models,
) -> StoredClustering:
    """A full clustering, under the ids of the one before, with the names of known people."""
    from ml.faces import same_person_distance
    from ml.people.clustering import PeopleOptions, cluster_people
    from ml.people.known import name_people

    near = same_person_distance(model) if model != OFF else 0.0
    videos = [video_of(key) for key in items.keys]
    options = PeopleOptions(device=models.own_device())
    found = cluster_people(items.z, videos, same_person_distance=near, options=options)
    named = name_people(items.z, videos, found.labels, known.known, same_person_distance=near)
    by_picture = (named.labels >= 0) & (found.probabilities == 0)
    sure = np.where(by_picture, _SURE_BY_PICTURE, found.probabilities * (named.labels >= 0))
    clustering = _carried_on(before, items, named.labels, sure, model, near, said.first_id)
    names = {i: name for i, name in zip(clustering.ids.tolist(), named.names, strict=True) if name}
    facts = {person: {"name": name} for person, name in names.items()}
    history = _history(before, clustering, names, said.carried(clustering))
    extra = {"known": known.stored, "messages": named.messages, "model": model}
    return StoredClustering(clustering, items.batch_of, {}, "", facts, history, extra=extra)


def _carried_on(
    before: StoredClustering | None,
    items: Items,
    labels: np.ndarray,
    sure: np.ndarray,
    model: str,
    near: float,
    first_id: int,
) -> "Clustering":
    """The clustering under the ids of the one before."""
    from ml.clustering.stable import recluster
    from ml.people.newcomers import still_themselves

    if before is None:
        return recluster(items.keys, items.z, labels, sure, first_id=first_id, most_reach=near)
    was, same_model = before.clustering, before.extra["model"] == model
    apart = near if same_model else None
    still = still_themselves(items.keys, items.z, was.members, video_of, apart)
    return recluster(
        *(items.keys, items.z, labels, sure, was),
        still=still,
        same_space=same_model,
        most_reach=near,
    )


def _history(
    before: StoredClustering | None,
    clustering: "Clustering",
    names: Mapping[int, str],
    given: Mapping[int, Given],
) -> list[Mapping[str, Any]]:
    """The changes so far and the last ones, with the names that people went by."""
    known = {i: str(of["name"]) for i, of in (before.facts if before else {}).items()}
    by_hand = {i: said.name for i, said in given.items() if said.name}
    rows = change_rows(clustering, PEOPLE_CHANGES, {**known, **names, **by_hand})
    return [*(before.history if before else ()), *rows]


def _vectors(store: DatasetStore, batch: str) -> tuple[list[str], np.ndarray]:
    from ml.vectors import list_matrix, require_finite

    rows = store.table(PERSONS, batch, ["video_id", "person_no", "embedding"]).combine_chunks()
    names = zip(rows["video_id"].to_pylist(), rows["person_no"].to_pylist(), strict=True)
    keys = [person_key(*name) for name in names]
    vectors = list_matrix(rows["embedding"].combine_chunks())
    require_finite(vectors, f"persons in batch {batch}", keys)
    return keys, vectors


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
        sheet = contact_sheet_svg(visible[:SHOWN]) if visible else ""
        metadata |= {
            "contact_sheet": dg.MetadataValue.md(
                markdown_image(sheet, "people") if sheet else "nobody"
            ),
            "last_full_clustering": clustering.number,
            "what_it_changed": dg.MetadataValue.md(told(stored, clustering.number)),
            "known_people": dg.MetadataValue.json(stored.extra["messages"]),
            "joined_since": int((clustering.members.joined & (clustering.members.ids >= 0)).sum()),
        }
        checks = _checks(stored, shown)
    return dg.MaterializeResult(
        asset_key=["clickhouse", name], metadata=metadata, check_results=checks
    )


def _checks(stored: StoredClustering, shown: Shown) -> list[dg.AssetCheckResult]:
    clustering = stored.clustering
    members = clustering.members
    names = {int(p["person_id"]): str(p["name"]) for p in shown.people if not p["hidden"]}
    few, problems = len(members.keys) < _FEWEST, stored.extra["known"]["problems"]
    alone = float((members.ids < 0).mean()) if len(members.keys) else 0.0
    videos = len({video_of(key) for key in members.keys})
    large = {p["person_id"]: p["size"] for p in shown.people if p["size"] > _MOST_OF_ONE * videos}
    return [
        check(PEOPLE.name, _ALONE_CHECK, few or alone <= _MOST_ALONE, share=alone),
        check(PEOPLE.name, _LARGE_CHECK, few or not large, large=dg.MetadataValue.json(large)),
        check(PEOPLE.name, _KNOWN_CHECK, not problems, problems=dg.MetadataValue.json(problems)),
        separation_check(PEOPLE.name, _SEPARATED_CHECK, clustering, _LEAST_VALIDITY, names),
    ]
