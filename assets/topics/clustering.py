"""The assets ``clickhouse/topics``, ``video_topics``, ``topic_changes``: what the library is about.

Between full clusterings new videos join the topics there are; a full one keeps their ids. What is
carried from night to night lies in ``indexes/topics``, and the tables are made from it.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
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
from assets.clustering.given_names import TOPIC, Given
from assets.clustering.pictures import markdown_image, topic_map_svg
from assets.clustering.store import StoredClustering, fingerprint_of, load, save
from assets.search.indexes import index_folder
from assets.stores.catalog import row_count, table_spec
from assets.stores.needs import LIBRARY
from assets.stores.progress import is_forced
from assets.stores.resources import Library, Models, Tables
from assets.topics.facts import Facts, describe, names_of
from assets.topics.inputs import INPUTS, TopicInputs
from assets.topics.tables import OUTPUTS, publish, topic_rows
from ml.library_schemas import TOPIC_CHANGES, TOPICS

if TYPE_CHECKING:
    from ml.clustering.stable import Clustering
    from ml.topics.space import TopicSpace

FOLDER = "topics"
_NONE_CHECK, _LARGE_CHECK = "few_videos_belong_to_none", "no_topic_is_suspiciously_large"
_SEPARATED_CHECK = "topics_are_separated"
# Of small libraries of five to ten themes a fifth belong to none; one of which more than half does
# is not told by its topics. Of fewer videos neither share says anything.
_MOST_NONE, _MOST_OF_ONE, _FEWEST = 0.5, 0.5, 30
# Generated libraries of 500 and 1,500 videos have .11 to .21; with their topics cut in halves -.52
# to .00, with videos shuffled among topics -.63 to -.32.
_LEAST_VALIDITY = 0.05
# Raise when the same vectors would give other topics or names.
VERSION = "4"


@dg.multi_asset(
    name="topics",
    op_tags=LIBRARY.op_tags,
    pool="topics",
    specs=[
        table_spec(d.name, d, "library", [["clickhouse", name] for name in INPUTS]) for d in OUTPUTS
    ],
    check_specs=[
        dg.AssetCheckSpec(
            _NONE_CHECK,
            asset=["clickhouse", TOPICS.name],
            description=f"At most {_MOST_NONE:.0%} of the videos belong to no topic.",
        ),
        dg.AssetCheckSpec(
            _LARGE_CHECK,
            asset=["clickhouse", TOPICS.name],
            description=f"No topic holds more than {_MOST_OF_ONE:.0%} of the videos.",
        ),
        dg.AssetCheckSpec(
            _SEPARATED_CHECK,
            asset=["clickhouse", TOPICS.name],
            description=f"Topics are apart: their mean validity (DBCV, -1 to 1) is at least "
            f"{_LEAST_VALIDITY}. Videos that joined blur it, `kadr recluster` finds topics anew.",
        ),
    ],
)
def topics(
    context: dg.AssetExecutionContext, library: Library, models: Models, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Take new videos into their topics, or find the topics anew where that is due."""
    context.log.info("topics: looking for new videos")
    inputs = TopicInputs(tables, context.log.info)
    with index_folder(library, FOLDER) as folder:
        before = load(folder, library.storage.url(f"indexes/{FOLDER}"))
        _require_loaded(before, library, inputs)
        stored = _brought_up(context, before, library, tables, inputs, models.own_device())
        if stored is not before:
            save(folder, stored)
        fingerprint = fingerprint_of(folder)
    if not inputs.models:
        # Models may be switched on again: then every topic has its own id and name again.
        stored, fingerprint = _without_videos(stored), f"nothing-{fingerprint}"
    context.log.info(f"topics: {stored.message}")
    with tables.session("writing topics", context.log.info) as client:
        given = given_names.keep(client, TOPIC, library.storage)
        rows = publish(client, stored, fingerprint)
    shown = topic_rows(stored, given)
    for dataset in OUTPUTS:
        yield _result(dataset.name, rows[dataset.name], stored, shown)


def republish(library: Library, tables: Tables, say: Callable[[str], None]) -> None:
    """Make the tables anew from what is on disk and what was said of the topics by hand."""
    with index_folder(library, FOLDER) as folder:
        if (stored := load(folder, library.storage.url(f"indexes/{FOLDER}"))) is not None:
            with tables.session("writing topics", say) as client:
                given_names.keep(client, TOPIC, library.storage)
                publish(client, stored, fingerprint_of(folder))


def _require_loaded(before: StoredClustering | None, library: Library, inputs: TopicInputs) -> None:
    """Refuses tables that lack what was clustered: with them, topics would seem to have vanished.

    Raises:
        dg.Failure: batches of the library are not in the tables.
    """
    there = set(library.batches.names())
    held = before.inputs if before else {}
    lacking = [batch for batch in held if batch in there and batch not in inputs.of_batch]
    if lacking:
        raise dg.Failure(
            f"the tables lack {len(lacking)} batches that topics were made from, such as "
            f"{lacking[0]}: were they emptied or moved? kadr ingest SOURCE --all loads them again",
            allow_retries=False,
        )


def _brought_up(
    context: dg.AssetExecutionContext,
    before: StoredClustering | None,
    library: Library,
    tables: Tables,
    inputs: TopicInputs,
    device: str,
) -> StoredClustering:
    """The clustering over the videos that there are; the same object where nothing changed."""
    from ml.clustering.stable import reason_to_recluster, take_in
    from ml.topics.space import TopicSpace

    if before is not None and not inputs.models:
        return before
    forced = is_forced(context)
    reason = "it was asked for" if forced or asked_to_recluster(context) else ""
    usable = None if forced or before is None or not _fits(before, inputs) else before
    if usable is not None and not reason:
        if usable.inputs == inputs.of_batch:
            return usable
        items = _items(usable, inputs, TopicSpace.from_bytes(usable.space))
        now = take_in(usable.clustering, items.keys, items.z)
        reason = reason_to_recluster(now)
        if not reason:
            found = replace(usable, clustering=now, batch_of=items.batch_of)
            message = _message(now, "new videos joined the topics there were")
            return replace(found, inputs=inputs.of_batch, message=message)
    reason = reason or "these models' vectors were never clustered"
    context.log.info(f"topics: a full clustering, because {reason}")
    with tables.session("reading names of topics", context.log.info) as client:
        given = given_names.keep(client, TOPIC, library.storage)
        first_id = given_names.first_free_id(client, TOPIC)
    found = _reclustered(before, usable, inputs, device, given, first_id)
    return replace(found, message=_message(found.clustering, f"a full clustering: {reason}"))


def _reclustered(
    before: StoredClustering | None,
    usable: StoredClustering | None,
    inputs: TopicInputs,
    device: str,
    given: Mapping[int, Given],
    first_id: int,
) -> StoredClustering:
    """A full clustering, under the ids and names of the one before."""
    from ml.clustering.stable import recluster
    from ml.topics.clustering import ClusterOptions, cluster, topics_before

    space = _space(usable, inputs)
    data = space.to_bytes()
    same = usable if usable and usable.space == data else None
    items = _items(same, inputs, space)
    was = before.clustering if before else None
    old = topics_before(was.members) if was else None
    found = cluster(items.z, items.keys, ClusterOptions(device=device), old)
    clustering = recluster(
        *(items.keys, items.z, *found, was), same_space=same is not None, first_id=first_id
    )
    facts = describe(clustering, before.facts if before else {}, inputs.documents)
    names = names_of(before.facts if before else {}) | names_of(facts)
    names |= {topic: said.name for topic, said in given.items() if said.name}
    rows = change_rows(clustering, TOPIC_CHANGES, names)
    return StoredClustering(
        clustering,
        items.batch_of,
        inputs.of_batch,
        VERSION,
        facts,
        [*(before.history if before else ()), *rows],
        data,
        extra={"model": space.model, "models": dict(inputs.models)},
    )


def _fits(before: StoredClustering, inputs: TopicInputs) -> bool:
    """Whether the vectors there are lie in the space of before: those of a new channel need not."""
    was = before.extra.get("models", {})
    both = was.keys() & inputs.models.keys()
    same = all(was[channel] == inputs.models[channel] for channel in both)
    return before.made_by == VERSION and bool(both) and same


def _space(usable: StoredClustering | None, inputs: TopicInputs) -> "TopicSpace":
    """The space of last time, while it was learnt from half of what there is and all channels."""
    from ml.clustering.stable import GROWTH
    from ml.topics.space import SpaceOptions, TopicSpace

    if usable is not None:
        space = TopicSpace.from_bytes(usable.space)
        enough = min(inputs.count, SpaceOptions().sample_limit)
        if GROWTH * space.count > enough and inputs.models.keys() <= space.models.keys():
            return space
    return TopicSpace.fit(inputs.sample())


def _without_videos(stored: StoredClustering) -> StoredClustering:
    """The same clustering, for tables of a library in which no video has a vector."""
    from ml.clustering.stable import take_in

    empty = np.zeros((0, stored.clustering.members.z.shape[1]), np.float32)
    clustering = take_in(stored.clustering, [], empty)
    message = _message(clustering, "")
    return replace(stored, clustering=clustering, batch_of=[], inputs={}, message=message)


def _items(stored: StoredClustering | None, inputs: TopicInputs, space: "TopicSpace") -> Items:
    with inputs.reading():
        return gather(
            stored,
            inputs.of_batch,
            lambda batch: space.project(inputs.library([batch])),
            space.dimensions,
        )


# For Dagster's pages ------------------------------------------------------------------------------


def _message(clustering: "Clustering", how: str) -> str:
    from ml.topics.clustering import smallest_topic

    members = clustering.members
    n, none = int(members.z.any(axis=1).sum()), int((members.ids < 0).sum())
    if not n:
        return "no topics: the library has no video with a vector"
    if not len(clustering.ids):
        least = smallest_topic(n)
        why = f"{n} videos are fewer than the {least} that make one"
        if n >= least:
            why = f"no {least} of {n} videos are nearer to each other than to the rest"
        return f"no topics: {why}"
    share = none / len(members.keys)
    found = f"{len(clustering.ids)} topics over {len(members.keys)} videos"
    return f"{found}, {share:.0%} belong to none; {how}"


def _result(
    name: str, rows: int, stored: StoredClustering, given: list[Facts]
) -> dg.MaterializeResult:
    metadata: dict[str, Any] = {**row_count(rows), "message": stored.message}
    checks = []
    if name == TOPICS.name:
        clustering = stored.clustering
        picture = topic_map_svg(given) if given else ""
        metadata |= {
            "map": dg.MetadataValue.md(markdown_image(picture, "map") if picture else "no topics"),
            "last_full_clustering": clustering.number,
            "what_it_changed": dg.MetadataValue.md(told(stored, clustering.number)),
            "joined_since": int((clustering.members.joined & (clustering.members.ids >= 0)).sum()),
        }
        checks = _checks(clustering, given)
    return dg.MaterializeResult(
        asset_key=["clickhouse", name], metadata=metadata, check_results=checks
    )


def _checks(clustering: "Clustering", given: list[Facts]) -> list[dg.AssetCheckResult]:
    ids = clustering.members.ids
    n = max(1, len(ids))
    none = float((ids < 0).sum()) / n
    large = {t["name"]: t["size"] for t in given if t["size"] > _MOST_OF_ONE * n}
    few = len(ids) < _FEWEST
    names = {int(t["topic_id"]): str(t["name"]) for t in given}
    return [
        check(TOPICS.name, _NONE_CHECK, few or none <= _MOST_NONE, share=none, videos=len(ids)),
        check(TOPICS.name, _LARGE_CHECK, few or not large, large=dg.MetadataValue.json(large)),
        separation_check(TOPICS.name, _SEPARATED_CHECK, clustering, _LEAST_VALIDITY, names),
    ]
