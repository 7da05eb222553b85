"""How well topics are found, how new videos join them, and whether they stay themselves.

    python -m benchmarks.topics [--subsets 10] [--videos 1500]

Texts go through the packaged text model and the space and clustering of the asset `topics`. No
video is decoded. Small libraries, half of whose titles are Russian: ``sample`` is the sample
library with its truth as what was said and written; ``tuning`` chose between variants together
with it; ``fresh`` was written afterwards and changed nothing. Beside them the vectors are clustered
as they are: languages not levelled, and without the words as a channel of their own. ARI is the
adjusted Rand index against the theme, with every video that has none, or got no topic, as a group
of its own; beside it the mean over random subsets of 85 % of the videos, which differs less by
chance. Every such figure is computed twice, with the videos in another order.

The large library is made up (`benchmarks.topics_library`). A tenth of it comes later and joins, and
then everything is clustered anew, in the space as it was and in one learnt anew; then a tenth goes.
Each time the share of topics that keep their id is told, and what it would be if the new clustering
did not know the old one. The same follows for points without texts.
Its topics are looked up in the default taxonomy: right is an entry above, at or below the one that
their commonest theme belongs to.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from benchmarks.topics_library import (
    NO_THEME,
    STRAY_SHARE,
    TextLibrary,
    generated_library,
    themes,
)
from benchmarks.topics_written import FRESH, TUNING, written_library
from ml.clustering.stable import Clustering, recluster, take_in
from ml.taxonomy import default_taxonomy, path_text
from ml.text.channels import CHANNEL_TEXT
from ml.topics.clustering import cluster, exemplars, topics_before
from ml.topics.library import DOCUMENT_CHARACTERS, Channel, TopicLibrary, documents_of
from ml.topics.naming import TopicWords, naming_rows, nearest_entries, topic_terms
from ml.topics.space import TopicSpace

SUBSET_SHARE = 0.85
LATER_SHARE = 0.1
# A library without texts, whose themes lie as far apart as they must to be found.
GAUSSIAN_ROWS, GAUSSIAN_THEMES, GAUSSIAN_DIMENSIONS, GAUSSIAN_SPREAD = 3000, 30, 50, 0.9

Placed = tuple[list[str], np.ndarray]


@dataclass(frozen=True)
class Score:
    """Agreement with the themes, share of videos without a topic, and topics."""

    ari: float
    noise: float
    topics: int


@dataclass(frozen=True)
class Joining:
    """What became of later videos that have a theme, and the share of strays that joined."""

    right: float
    wrong: float
    unassigned: float
    strays: float


def sample_library() -> TextLibrary:
    """The sample library's catalogue, and its truth as what is said and written in it."""
    from samples.clips import CLIPS
    from samples.copies import COPIES
    from samples.sound import sentence_texts, speech
    from samples.truth import clip_facts, copy_facts

    facts = {c.video_id: clip_facts(c, speech(c.speech, c.seconds)[1]) for c in CLIPS}
    facts |= {c.video_id: copy_facts(c, facts, []) for c in COPIES}
    said = {v: " ".join(s.text for s in fact.speech) for v, fact in facts.items()}
    said |= {c.video_id: sentence_texts().get(c.sound, said[c.video_id]) for c in COPIES}
    texts = {
        "title": {v.video_id: v.title for v in (*CLIPS, *COPIES)},
        "description": {v.video_id: v.description for v in (*CLIPS, *COPIES)},
        "asr": said,
        "ocr": {v: "\n".join(line.text for line in fact.captions) for v, fact in facts.items()},
    }
    kept = {channel: {v: t for v, t in of.items() if t} for channel, of in texts.items()}
    return TextLibrary("sample", kept, {v: fact.theme for v, fact in facts.items()})


def embedded(library: TextLibrary) -> tuple[dict[str, Channel], str]:
    """The text model's vectors by channel, and the model's name."""
    from ml.text.embedder import PACKAGED, load_text_embedder
    from ml.vectors import list_matrix

    embedder = load_text_embedder(PACKAGED, profile="embedded")
    channels: dict[str, Channel] = {}
    for channel, texts in library.texts.items():
        rows = [{"video_id": v, "channel": channel, "text": t} for v, t in sorted(texts.items())]
        made = embedder.embed([pa.RecordBatch.from_pylist(rows, CHANNEL_TEXT)])
        found = pa.Table.from_batches(list(made)).combine_chunks()
        matrix = list_matrix(found.column("embedding").combine_chunks())
        channels[channel] = (found.column("video_id").to_pylist(), matrix)
    return channels, embedder.model


class Bench:
    """One library with its vectors, clustered as often as asked."""

    def __init__(self, library: TextLibrary) -> None:
        self.videos = sorted(library.themes)
        self._truth = library.themes
        channels, model = embedded(library)
        self._whole = TopicLibrary(channels, dict.fromkeys(channels, model), library.texts)

    def part(self, videos: Sequence[str], *, lexical: bool = True) -> TopicLibrary:
        """Some of the videos; without ``lexical`` the text model passes for one that knows all."""
        part = self._whole.only(videos)
        if lexical:
            return part
        return TopicLibrary(part.channels, dict.fromkeys(part.channels, "any@1"), part.texts)

    def score(self, videos: Sequence[str], *, lexical: bool) -> Score:
        """Agreement of the topics of some videos with the themes.

        Raises:
            RuntimeError: the same videos in another order have other topics.
        """
        ids, one = self._topics(videos, lexical)
        if not np.array_equal(one, self._topics(videos[::-1], lexical)[1]):
            raise RuntimeError("topics depend on the order of the videos")
        noise = float((one < 0).mean())
        return Score(agreement(one, self.truth(ids)), noise, int(one.max(initial=-1)) + 1)

    def truth(self, ids: Sequence[str]) -> list[str]:
        """The theme of each video."""
        return [self._truth[video] for video in ids]

    def _topics(self, videos: Sequence[str], lexical: bool) -> tuple[list[str], np.ndarray]:
        library = self.part(videos, lexical=lexical)
        ids, z = TopicSpace.fit(library).project(library)
        return ids, cluster(z, ids)[0]


def agreement(found: np.ndarray, truth: Sequence[str]) -> float:
    """Adjusted Rand index; videos without a topic, or without a theme, are groups of their own."""
    from sklearn.metrics import adjusted_rand_score

    count = len(truth)
    numbers = np.unique(np.array(truth), return_inverse=True)[1]
    lone = np.array([theme == NO_THEME for theme in truth])
    numbers = np.where(lone, count + np.arange(count), numbers)
    return float(adjusted_rand_score(numbers, np.where(found < 0, count + np.arange(count), found)))


def subsets(videos: Sequence[str], count: int) -> list[list[str]]:
    """Random subsets, the same each time."""
    draw = np.random.default_rng(5)
    size = round(SUBSET_SHARE * len(videos))
    return [[str(v) for v in draw.choice(videos, size, replace=False)] for _ in range(count)]


def measure(library: TextLibrary, count: int) -> None:
    """Print a small library's rows of the table."""
    bench = Bench(library)
    for lexical in (False, True):
        whole = bench.score(bench.videos, lexical=lexical)
        of = [bench.score(some, lexical=lexical) for some in subsets(bench.videos, count)]
        ari, noise = (np.mean([getattr(s, name) for s in of]) for name in ("ari", "noise"))
        print(
            f"| {library.name}, {len(bench.videos)} videos | {'after' if lexical else 'before'} "
            f"| {whole.ari:.2f} | {whole.noise:.0%} | {whole.topics} | {ari:.2f} | {noise:.0%} |"
        )


def clustered(ids: Sequence[str], z: np.ndarray, before: Clustering | None = None) -> Clustering:
    """A full clustering, as the asset makes it."""
    if before is None:
        return recluster(ids, z, *cluster(z, ids))
    return recluster(ids, z, *cluster(z, ids, before=topics_before(before.members)), before)


def joining(bench: Bench, now: Clustering, videos: Sequence[str]) -> Joining:
    """Where these videos are in ``now``; right is a topic that was found mostly of their theme."""
    members = now.members
    truth, asked = np.array(bench.truth(members.keys)), np.isin(members.keys, videos)
    theme_of = _theme_of(members.ids[~members.joined], truth[~members.joined])
    has_theme = asked & (truth != NO_THEME)
    right = np.array([theme_of.get(i) == t for i, t in zip(members.ids, truth, strict=True)])
    joined = members.ids >= 0
    return Joining(
        float(right[has_theme].mean()),
        float((joined & ~right)[has_theme].mean()),
        float((~joined)[has_theme].mean()),
        float(joined[asked & ~has_theme].mean()),
    )


def _theme_of(ids: np.ndarray, truth: np.ndarray) -> dict[int, str]:
    """Topic to the commonest theme of its videos."""
    found = {}
    for topic in np.unique(ids[ids >= 0]):
        names, counts = np.unique(truth[ids == topic], return_counts=True)
        found[int(topic)] = str(names[counts.argmax()])
    return found


def kept(before: Clustering, now: Clustering) -> tuple[float, float]:
    """Shares kept: of topics their ids, and of videos with a topic that are still there theirs."""
    was = dict(zip(before.members.keys, before.members.ids, strict=True))
    both = [(was[k], i) for k, i in zip(now.members.keys, now.members.ids, strict=True) if k in was]
    old, new = np.array([pair for pair in both if pair[0] >= 0]).T
    return float(np.isin(before.ids, now.ids).mean()), float((old == new).mean())


def measure_growth(bench: Bench, seed: int) -> None:
    """Print what becomes of a library's topics when a tenth of it comes later, and goes."""
    later = some_of(bench.videos, seed)
    early = [video for video in bench.videos if video not in later]
    space = TopicSpace.fit(bench.part(early))
    first = clustered(*space.project(bench.part(early)))
    ari = agreement(first.members.ids, bench.truth(early))
    print(f"- {len(early)} videos: ARI {ari:.2f}, {len(first.ids)} topics")
    every = space.project(bench.part(bench.videos))
    grown = take_in(first, *every)
    for what, videos in (("clustered", early), ("later", sorted(later))):
        how = joining(bench, grown, videos)
        print(
            f"- {len(videos)} {what}: {how.right:.0%} in a topic of their theme, {how.wrong:.0%} "
            f"in another one, {how.unassigned:.0%} in none; {how.strays:.0%} of strays in one"
        )
    refitted = TopicSpace.fit(bench.part(bench.videos)).project(bench.part(bench.videos))
    _tell_all(grown, every, refitted, some_of(bench.videos, seed + 1), bench.truth)


def measure_gaussian(seed: int) -> None:
    """Print the same of Gaussian themes of Zipf sizes and a tenth strays, without texts."""
    draw = np.random.default_rng(seed)
    shares = 1 / np.arange(1, GAUSSIAN_THEMES + 1)
    count = round(GAUSSIAN_ROWS * (1 + LATER_SHARE))
    truth = draw.choice(GAUSSIAN_THEMES, count, p=shares / shares.sum())
    stray = draw.random(count) < STRAY_SHARE
    x = draw.standard_normal((count, GAUSSIAN_DIMENSIONS))
    means = draw.standard_normal((GAUSSIAN_THEMES, GAUSSIAN_DIMENSIONS))
    x[~stray] = means[truth[~stray]] + GAUSSIAN_SPREAD * x[~stray]
    ids = [f"g{row:05d}" for row in range(count)]
    theme_of = {i: NO_THEME if s else str(t) for i, s, t in zip(ids, stray, truth, strict=True)}
    early = np.sort(draw.permutation(count)[:GAUSSIAN_ROWS])
    every, refitted = (ids, _axes_of(x, early)), (ids, _axes_of(x, np.arange(count)))
    first = clustered([ids[row] for row in early], every[1][early])
    ari = agreement(first.members.ids, [theme_of[i] for i in first.members.keys])
    print(f"- {len(early)} points: ARI {ari:.2f}, {len(first.ids)} topics")
    grown, gone = take_in(first, *every), some_of(ids, seed + 1)
    _tell_all(grown, every, refitted, gone, lambda keys: [theme_of[i] for i in keys])


def _axes_of(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """float32[n, half the dimensions], unit length: the principal components of some rows."""
    mean = x[rows].mean(axis=0)
    axes = np.linalg.svd(x[rows] - mean, full_matrices=False)[2][: x.shape[1] // 2]
    z = (x - mean) @ axes.T
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


def _tell_all(
    grown: Clustering,
    every: Placed,
    refitted: Placed,
    gone: set[str],
    truth: Callable[[Sequence[str]], list[str]],
) -> None:
    rows = [row for row, video in enumerate(every[0]) if video not in gone]
    left = [every[0][row] for row in rows], every[1][rows]
    _tell(grown, every, truth, "a tenth more, space as it was")
    _tell(grown, refitted, truth, "a tenth more, space too anew")
    _tell(grown, left, truth, "a tenth gone, space as it was")


def _tell(
    before: Clustering, placed: Placed, truth: Callable[[Sequence[str]], list[str]], what: str
) -> None:
    """Print what a new clustering keeps, and what one that asks for no old topics would."""
    now = clustered(*placed, before)
    afresh = recluster(*placed, *cluster(placed[1], placed[0]), before)
    of_topics, of_videos = kept(before, now)
    ari, alone = (agreement(c.members.ids, truth(c.members.keys)) for c in (now, afresh))
    told = ", ".join(f"{c.kind} {c.size_before}-{c.size_after}" for c in now.changes)
    print(
        f"- {what}: {of_topics:.0%} of topics and {of_videos:.0%} of videos keep their id, "
        f"ARI {ari:.2f} (found afresh {kept(before, afresh)[0]:.0%}, "
        f"{kept(before, afresh)[1]:.0%}, {alone:.2f}); {told or 'nothing else changed'}"
    )


def some_of(videos: Sequence[str], seed: int) -> set[str]:
    """A random tenth of the videos."""
    draw = np.random.default_rng(seed)
    return set(draw.choice(videos, round(LATER_SHARE * len(videos)), replace=False).tolist())


def measure_entries(bench: Bench) -> None:
    """Print how many topics' nearest entry of the default taxonomy is right."""
    library = bench.part(bench.videos)
    ids, z = TopicSpace.fit(library).project(library)
    now = clustered(ids, z)
    belongs = {theme.name: theme.path for theme in themes()}
    theme_of = _theme_of(now.members.ids, np.array(bench.truth(ids)))
    words = _words(library, now)
    near = nearest_entries(list(words.values()), default_taxonomy().entries)
    right = wrong = strays = 0
    for topic, entry in zip(words, near, strict=True):
        wanted = belongs.get(theme_of[topic], ())
        level = min(len(wanted), len(entry.path))
        strays += bool(entry.path and not wanted)
        if wanted and entry.path:
            is_right = entry.path[:level] == wanted[:level]
            right, wrong = right + is_right, wrong + (not is_right)
            if not is_right:
                print(f"<!-- {theme_of[topic]}: {path_text(entry.path)} {entry.score:.2f} -->")
    themed = sum(theme in belongs for theme in theme_of.values())
    print(
        f"- entries of {themed} topics with a theme: {right} right, {wrong} wrong; "
        f"of {len(words) - themed} of strays {strays} have one"
    )


def _words(library: TopicLibrary, now: Clustering) -> dict[int, TopicWords]:
    members, documents = now.members, documents_of(library.texts, DOCUMENT_CHARACTERS)
    rows = naming_rows(members.ids, members.distance)
    terms = topic_terms({t: [documents[members.keys[i]] for i in of] for t, of in rows.items()})
    titles = library.texts["title"]
    return {
        topic: TopicWords(
            terms[topic],
            [
                titles.get(members.keys[row], "")
                for row in exemplars(members.z, np.flatnonzero(members.ids == topic), centroid)
            ],
        )
        for topic, centroid in zip(now.ids.tolist(), now.centroids, strict=True)
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subsets", type=int, default=10)
    parser.add_argument("--videos", type=int, default=1500)
    options = parser.parse_args()
    print("| library | | ARI | no topic | topics | ARI, subsets | no topic, subsets |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    libraries = [written_library("tuning", TUNING), written_library("fresh", FRESH)]
    for library in [sample_library(), *libraries]:
        measure(library, options.subsets)
    for seed in (0, 1):
        made = generated_library(options.videos, seed)
        print(f"\n{made.name}: {options.videos} videos, {len(themes())} themes")
        bench = Bench(made)
        measure_growth(bench, seed)
        measure_entries(bench)
        print(f"\nGaussian {seed}: {GAUSSIAN_ROWS} points, {GAUSSIAN_THEMES} themes")
        measure_gaussian(seed)


if __name__ == "__main__":
    main()
