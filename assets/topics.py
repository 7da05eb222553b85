"""The assets ``clickhouse/topics``, ``video_topics``, ``topic_changes``: what the library is about.

Between full clusterings new videos join the topics there are; a full one keeps their ids. What is
carried from night to night lies in ``indexes/topics``, and the tables are made from it.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from assets.catalog import row_count, table_spec
from assets.cluster_store import StoredClustering, fingerprint_of, load, save
from assets.clustered import Items, asked_to_recluster, change_rows, check, gather, told
from assets.datasets import key_of
from assets.given_names import TOPIC, read
from assets.indexes import index_folder
from assets.pictures import markdown_image, topic_map_svg
from assets.progress import is_forced
from assets.resources import Library, Models, Tables
from assets.topic_facts import Facts, describe, names_of
from assets.topic_inputs import INPUTS, TopicInputs
from assets.topic_tables import OUTPUTS, publish, topic_rows
from ml.library_schemas import TOPIC_CHANGES, TOPICS

if TYPE_CHECKING:
    from ml.stable_clusters import Clustering
    from ml.topics.space import TopicSpace

FOLDER = "topics"
_NONE_CHECK, _LARGE_CHECK = "few_videos_belong_to_none", "no_topic_is_suspiciously_large"
# Of small libraries of five to ten themes a fifth belong to none; one of which more than half does
# is not told by its topics. Of fewer videos neither share says anything.
_MOST_NONE, _MOST_OF_ONE, _FEWEST = 0.5, 0.5, 30
# Raise when the same vectors would give other topics or names.
VERSION = "3"


@dg.multi_asset(
    name="topics",
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
    ],
)
def topics(
    context: dg.AssetExecutionContext, library: Library, models: Models, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Take new videos into their topics, or find the topics anew where that is due."""
    from ml.device import pick_device

    context.log.info("topics: looking for new videos")
    inputs = TopicInputs(tables, context.log.info)
    with index_folder(library, FOLDER) as folder:
        before = load(folder)
        stored = _brought_up(context, before, inputs, pick_device(models.device))
        if stored is not before:
            save(folder, stored)
        fingerprint = fingerprint_of(folder)
    context.log.info(f"topics: {stored.message}")
    with tables.session("writing topics", context.log.info) as client:
        rows = publish(client, stored, fingerprint)
        given = topic_rows(stored, read(client, TOPIC))
    for dataset in OUTPUTS:
        yield _result(dataset.name, rows[dataset.name], stored, given)


def republish(library: Library, tables: Tables, say: Callable[[str], None]) -> None:
    """Make the tables anew from what is on disk and what was said of the topics by hand."""
    with index_folder(library, FOLDER) as folder:
        if (stored := load(folder)) is not None:
            with tables.session("writing topics", say) as client:
                publish(client, stored, fingerprint_of(folder))


def _brought_up(
    context: dg.AssetExecutionContext,
    before: StoredClustering | None,
    inputs: TopicInputs,
    device: str,
) -> StoredClustering:
    """The clustering over the videos that there are; the same object where nothing changed."""
    from ml.stable_clusters import reason_to_recluster, take_in
    from ml.topics.space import TopicSpace

    forced, of_batch = is_forced(context), inputs.of_batch
    asked = "it was asked for" if forced or asked_to_recluster(context) else ""
    usable = None if forced or before is None or before.made_by != _made_by(inputs) else before
    if usable is None or asked:
        reason = asked or "these models' vectors were never clustered"
        return _reclustered(context, before, usable, inputs, device, reason)
    if usable.inputs == of_batch:
        return usable
    items = _items(usable, inputs, TopicSpace.from_bytes(usable.space))
    now = take_in(usable.clustering, items.keys, items.z)
    if reason := reason_to_recluster(now):
        return _reclustered(context, before, usable, inputs, device, reason)
    found = replace(usable, clustering=now, batch_of=items.batch_of, inputs=of_batch)
    return replace(found, message=_message(now, "new videos joined the topics there were"))


def _reclustered(
    context: dg.AssetExecutionContext,
    before: StoredClustering | None,
    usable: StoredClustering | None,
    inputs: TopicInputs,
    device: str,
    reason: str,
) -> StoredClustering:
    """A full clustering, under the ids and names of the one before."""
    from ml.stable_clusters import recluster
    from ml.topics.clustering import ClusterOptions, cluster

    context.log.info(f"topics: a full clustering, because {reason}")
    space = _space(usable, inputs)
    data = space.to_bytes()
    items = _items(usable if usable and usable.space == data else None, inputs, space)
    found = cluster(items.z, items.keys, ClusterOptions(device=device))
    was = before.clustering if before else None
    clustering = recluster(items.keys, items.z, *found, was)
    facts = describe(clustering, before.facts if before else {}, inputs.documents)
    names = names_of(before.facts if before else {}) | names_of(facts)
    history = [
        *(before.history if before else ()),
        *change_rows(clustering, TOPIC_CHANGES, names),
    ]
    return StoredClustering(
        clustering,
        items.batch_of,
        inputs.of_batch,
        _made_by(inputs),
        facts,
        history,
        data,
        _message(clustering, f"a full clustering: {reason}"),
        {"model": space.model},
    )


def _space(usable: StoredClustering | None, inputs: TopicInputs) -> "TopicSpace":
    """The space of last time, unless it was learnt from less than half of what there is now."""
    from ml.stable_clusters import GROWTH
    from ml.topics.space import SpaceOptions, TopicSpace

    if usable is not None:
        space = TopicSpace.from_bytes(usable.space)
        enough = min(len(usable.clustering.members.keys), SpaceOptions().sample_limit)
        if GROWTH * space.count > enough:
            return space
    return TopicSpace.fit(inputs.sample())


def _items(stored: StoredClustering | None, inputs: TopicInputs, space: "TopicSpace") -> Items:
    return gather(
        stored,
        inputs.of_batch,
        lambda batch: space.project(inputs.library([batch])),
        space.dimensions,
    )


def _made_by(inputs: TopicInputs) -> str:
    return key_of(VERSION, *(f"{channel}={model}" for channel, model in inputs.models.items()))


# For Dagster's pages ------------------------------------------------------------------------------


def _message(clustering: "Clustering", how: str) -> str:
    from ml.topics.clustering import smallest_topic

    members = clustering.members
    n, none = len(members.keys), int((members.ids < 0).sum())
    if not n:
        return "no topics: the library has no video with a vector"
    if not len(clustering.ids):
        least = smallest_topic(n)
        why = f"{n} videos are fewer than the {least} that make one"
        if n >= least:
            why = f"no {least} of {n} videos are nearer to each other than to the rest"
        return f"no topics: {why}"
    return f"{len(clustering.ids)} topics over {n} videos, {none / n:.0%} belong to none; {how}"


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
            "joined_since": int(clustering.members.joined.sum()),
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
    return [
        check(TOPICS.name, _NONE_CHECK, few or none <= _MOST_NONE, share=none, videos=len(ids)),
        check(TOPICS.name, _LARGE_CHECK, few or not large, large=dg.MetadataValue.json(large)),
    ]
