"""What is known of each topic beside its place: name, terms, taxonomy entry, exemplars, map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from assets.clustering.clustered import members_by_id

if TYPE_CHECKING:
    from ml.clustering.stable import Clustering

Facts = dict[str, Any]
NO_TOPIC = -1
# Words of so many videos name a topic: more only take longer to read.
_DOCUMENTS, _DOCUMENTS_OF_NONE = 200, 1000


def describe(
    clustering: Clustering,
    before: Mapping[int, Mapping[str, Any]],
    read: Callable[[Iterable[str]], Mapping[str, str]],
) -> dict[int, Facts]:
    """Facts by topic id, after a full clustering.

    Args:
        clustering: with the ids that the topics keep.
        before: facts of the clustering before. A topic that is still there keeps its name, as
            long as one of the name's words is among its terms.
        read: from video ids to their documents.
    """
    from ml.taxonomy import default_taxonomy, path_text
    from ml.topics.map import topic_map
    from ml.topics.naming import TopicWords, nearest_entries, topic_name, topic_terms

    ids = clustering.ids.tolist()
    nearest = _nearest_members(clustering)
    documents = read({video for videos in nearest.values() for video in videos})
    terms = topic_terms({t: [documents.get(v, "") for v in of] for t, of in nearest.items()})
    shown = {i: _exemplars(clustering, i) for i in ids}
    words = [TopicWords(terms[i], [_first_line(documents.get(v)) for v in shown[i]]) for i in ids]
    entries = nearest_entries(words, default_taxonomy().entries)
    members = members_by_id(clustering)
    sizes = [len(members[i]) for i in ids]
    places = {i: (float(of["map_x"]), float(of["map_y"])) for i, of in before.items()}
    found = {i: topic_name(terms[i], i) for i in ids}
    return {
        i: {
            "name": carried_name(before.get(i), terms[i], found[i]),
            "found_name": found[i],
            "terms": terms[i],
            "exemplars": shown[i],
            "taxonomy_path": path_text(entry.path),
            "taxonomy_score": entry.score,
            "map_x": float(x),
            "map_y": float(y),
        }
        for i, entry, (x, y) in zip(
            ids, entries, topic_map(clustering.centroids, sizes, places, ids), strict=True
        )
    }


def _first_line(document: str | None) -> str:
    return (document or "").partition("\n")[0]


def names_of(facts: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """Topic id to name."""
    return {i: str(of["name"]) for i, of in facts.items()}


def carried_name(before: Mapping[str, Any] | None, terms: list[str], found: str) -> str:
    """The name a topic goes by after a full clustering.

    It keeps the one it had, so that nobody looks for it in vain, unless it has drifted so far that
    no word of that name is among its terms any more.
    """
    if before is None:
        return found
    now = {word for term in terms for word in term.casefold().split()}
    was = set(str(before["name"]).casefold().replace(",", " ").split())
    return str(before["name"]) if was & now else found


def _nearest_members(clustering: Clustering) -> dict[int, list[str]]:
    """The videos whose words name each topic, nearest its centroid first; -1 for those of none."""
    most = {NO_TOPIC: _DOCUMENTS_OF_NONE}
    keys = clustering.members.keys
    return {
        topic: [keys[row] for row in rows[: most.get(topic, _DOCUMENTS)]]
        for topic, rows in members_by_id(clustering).items()
    }


def _exemplars(clustering: Clustering, topic: int) -> list[str]:
    from ml.topics.clustering import exemplars

    members = clustering.members
    centroid = clustering.centroids[int(np.flatnonzero(clustering.ids == topic)[0])]
    rows = exemplars(members.z, np.flatnonzero(members.ids == topic), centroid)
    return [members.keys[row] for row in rows]
