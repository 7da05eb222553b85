"""How well tags are found without training, and whether their confidence can be believed.

    python -m benchmarks.tags_zero_shot [--videos 800] [--processed FOLDER] [--fit]

Libraries of known themes are filed under the default taxonomy with the packaged text model: the
sample library with its truth as what was said and written; with ``--processed``, the data folder of
a sample library that the pipeline has been through, with what was really heard and read;
``tuning``, which chose constants together with those; ``fresh``, which was looked at once and
changed nothing; and made-up videos, of which the calibration was fitted to seed 0 and not to 1.

Right is a tag at or below the place of the video's theme, as far as the level asked for. Beside the
whole stand the cosine with the text model alone (of texts whose language it knows, mean over
channels, nearest entries first) and the phrases alone. The expected calibration error (ECE, ten
bins) is that of the surest tag of each level, of videos whose place reaches it or that have none.
``--fit`` prints the constants of `ml.tags.calibration`.

Of keywords the share is told that stand in phrases of their video's theme.

Before any of it the scores of videos in another order, and of videos one by one, are compared.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.topics import sample_library
from benchmarks.topics_library import TextLibrary, generated_library, themes
from benchmarks.topics_written import FRESH, TUNING, written_library
from ml.schemas import TEXT, TEXT_CHANNELS
from ml.tags.calibration import LEAST_SHARE, without_unsure_children
from ml.tags.decode import DecodeOptions, decode
from ml.tags.keywords import document_frequencies, keyword_terms, video_keywords
from ml.tags.metrics import mean_iou
from ml.tags.texts import is_latin
from ml.tags.tree import TagTree
from ml.tags.zero_shot import ZeroShot, ZeroShotInputs, encoder
from ml.taxonomy import TreePath, default_taxonomy
from ml.text.channels import CHANNEL_TEXT
from ml.text.embedder import PACKAGED, TextEmbedder, load_text_embedder
from ml.vectors import list_matrix

# Where themes belong. A hike in the mountains, one of the sample's videos of travel, is filed under
# the outdoors; it is told apart.
PLACES: dict[str, list[TreePath]] = {
    "space": [("Science", "Space")], "pets": [("Animals",)], "cooking": [("Food",)],
    "money": [("Business and money",)], "cars": [("Cars and transport",)],
    "travel": [("Travel",), ("Outdoors", "Hiking and camping")],
    "football": [("Sport", "Football")], "chess": [("Sport", "Mind sports", "Chess")],
    "garden": [("Garden",)], "guitar": [("Music", "Playing instruments")],
    "code": [("Programming",)], "yoga": [("Fitness",)], "history": [("History",)],
    "repair": [("Home and repair", "Renovation")], "photo": [("Photo and video",)],
    "ski": [("Sport",)], "vote": [("News and politics",)], "sew": [("Crafts and hobbies",)],
    "bee": [("Industry and farming",)],
}  # fmt: skip
OPTIONS = DecodeOptions(most_tags=3, least_confidence=0.05)
BINS = 10
TIMED_VIDEOS = 10_000


@dataclass(frozen=True)
class Library:
    """Videos as they are scored, and where each belongs; nowhere for those without a theme."""

    name: str
    inputs: ZeroShotInputs
    places: list[list[TreePath]]


def library_of(texts: TextLibrary, rows: pa.Table, places: Mapping[str, list[TreePath]]) -> Library:
    """A library of its rows of `text`."""
    ids = sorted(texts.themes)
    at = {video: place for place, video in enumerate(ids)}
    words: dict[str, list[str]] = {channel: [""] * len(ids) for channel in TEXT_CHANNELS}
    languages: dict[str, list[str]] = {channel: [""] * len(ids) for channel in TEXT_CHANNELS}
    matrix = list_matrix(rows.column("embedding").combine_chunks())
    vectors = {
        channel: (np.zeros(len(ids), bool), np.zeros((len(ids), matrix.shape[1]), np.float32))
        for channel in TEXT_CHANNELS
    }
    columns = (rows.column(c).to_pylist() for c in ("video_id", "channel", "text", "language"))
    for (video, channel, text, language), vector in zip(
        zip(*columns, strict=True), matrix, strict=True
    ):
        place = at[video]
        words[channel][place], languages[channel][place] = text, language
        vectors[channel][0][place], vectors[channel][1][place] = True, vector
    found = [places.get(texts.themes[video], []) for video in ids]
    return Library(texts.name, ZeroShotInputs(ids, words, languages, vectors), found)


def embedded(texts: TextLibrary, embedder: TextEmbedder) -> pa.Table:
    """Rows of `text`."""
    rows = [
        {"video_id": video, "channel": channel, "text": text}
        for channel, of in texts.texts.items()
        for video, text in sorted(of.items())
    ]
    made = embedder.embed([pa.RecordBatch.from_pylist(rows, CHANNEL_TEXT)])
    return pa.Table.from_batches(list(made), TEXT.schema)


def processed_library(folder: Path) -> Library | None:
    """The sample library as the pipeline left it; None where it is missing."""
    files = sorted((folder / "datasets" / "text").glob("*.parquet"))
    labels = folder / "sample" / "truth" / "labels.csv"
    if not files or not labels.is_file():
        print(f"{folder} holds no processed sample library: its real texts are left out")
        return None
    with labels.open(encoding="utf-8", newline="") as file:
        good = {r["video_id"]: r["theme"] for r in csv.DictReader(file) if r["status"] == "ok"}
    rows = pa.concat_tables([pq.read_table(f, partitioning=None) for f in files])
    return library_of(TextLibrary("sample, heard and read", {}, good), rows, PLACES)


# ---------------------------------------------------------------- ways to rank


Ranked = list[list[int]]


def by_cosine(library: Library, model: ZeroShot) -> Ranked:
    """The three nearest entries by the mean cosine over channels in English."""
    videos, tags = library.inputs, model.tag_vectors
    total = np.zeros((len(videos.ids), len(tags)), np.float32)
    for channel, (present, vectors) in videos.vectors.items():
        known = [
            bool(is_there) and language in ("", "en") and is_latin(text)
            for is_there, text, language in zip(
                present, videos.texts[channel], videos.languages[channel], strict=True
            )
        ]
        total += np.array(known)[:, None] * (vectors @ tags.T)
    return [row.argsort()[::-1][:3].tolist() if row.any() else [] for row in total]


def decoded(scores: np.ndarray, tree: TagTree) -> Ranked:
    """The decoded tags; none of a video that nothing speaks for."""
    kept = without_unsure_children(scores, tree.parent)
    every = decode(kept, tree, OPTIONS)
    return [[tag for tag, sure in tags if sure > 0] for tags in every]


def report(way: str, library: Library, tree: TagTree, ranked: Ranked) -> None:
    """Prints the shares of videos with their place first, and among the first three tags."""
    parts = []
    for level in (1, 2, 3, 0):
        firsts, threes = [], []
        for tags, places in zip(ranked, library.places, strict=True):
            wanted = [place[: level or len(place)] for place in places]
            if wanted and all(len(place) >= level for place in places):
                hits = [any(tree.paths[tag][: len(p)] == p for p in wanted) for tag in tags]
                firsts.append(bool(hits) and hits[0])
                threes.append(any(hits))
        if firsts:
            name = f"level {level}" if level else "whole"
            parts.append(f"{name} {np.mean(firsts):.3f} {np.mean(threes):.3f} of {len(firsts)}")
    print(f"  {way:<15}{' | '.join(parts)} | IoU {_iou(library, tree, ranked):.3f}")


def _iou(library: Library, tree: TagTree, ranked: Ranked) -> float:
    """Mean IoU with the first place of each video that has one."""
    pairs = [(t, p[0]) for t, p in zip(ranked, library.places, strict=True) if p]
    true = [{n} for _, place in pairs if (n := tree.find(place)) is not None]
    return mean_iou([set(tags) for tags, _ in pairs], true, tree)


# ---------------------------------------------------------------- calibration


def truth(library: Library, tree: TagTree) -> np.ndarray:
    """int8[n, m]: 1 for the places and what is above them, -1 on deeper levels, else 0."""
    known = np.zeros((len(library.places), len(tree)), np.int8)
    for row, places in enumerate(library.places):
        for place in places:
            node = tree.find(place)
            if node is None:
                raise RuntimeError(f"the default taxonomy has no {place}")
            known[row, tree.level > len(place)] = -1
            known[row, list(tree.with_parents([node]))] = 1
    return known


def calibration_error(scores: np.ndarray, known: np.ndarray, tree: TagTree) -> dict[int, float]:
    """Level to the expected calibration error of its surest tag, where there is one."""
    errors = {}
    for level in (1, 2, 3):
        nodes = np.flatnonzero(tree.level == level)
        if not (known[:, nodes] == 1).any():
            continue
        best = nodes[scores[:, nodes].argmax(axis=1)]
        rows = np.arange(len(scores))
        said, is_true = scores[rows, best], known[rows, best]
        kept = (said > 0) & (is_true >= 0)
        errors[level] = _expected_error(said[kept], is_true[kept])
    return errors


def _expected_error(said: np.ndarray, is_true: np.ndarray) -> float:
    bins = np.minimum((said * BINS).astype(int), BINS - 1)
    parts = [(bins == b) for b in range(BINS) if (bins == b).any()]
    return float(sum(p.mean() * abs(said[p].mean() - is_true[p].mean()) for p in parts))


def fitted(shares: np.ndarray, known: np.ndarray, tree: TagTree) -> dict[int, tuple[float, float]]:
    """Level to slope and intercept of a logistic regression on the logit of the share."""
    from sklearn.linear_model import LogisticRegression

    constants = {}
    for level in (1, 2, 3):
        nodes = np.flatnonzero(tree.level == level)
        of, is_true = shares[:, nodes], known[:, nodes]
        kept = (of > LEAST_SHARE) & (is_true >= 0)
        logits = np.log(of[kept] / (1 - of[kept]))
        found = LogisticRegression(C=1e6).fit(logits[:, None], is_true[kept])
        constants[level] = (float(found.coef_[0, 0]), float(found.intercept_[0]))
    return constants


# ---------------------------------------------------------------- the benchmark


def part(videos: ZeroShotInputs, rows: Sequence[int]) -> ZeroShotInputs:
    """Some of the videos, in this order."""
    at = list(rows)
    return ZeroShotInputs(
        [videos.ids[row] for row in at],
        {c: [of[row] for row in at] for c, of in videos.texts.items()},
        {c: [of[row] for row in at] for c, of in videos.languages.items()},
        {c: (present[at], vectors[at]) for c, (present, vectors) in videos.vectors.items()},
    )


def check(model: ZeroShot, library: Library) -> None:
    """Compares the scores of videos together, in another order, and one by one.

    Raises:
        RuntimeError: they are not the same.
    """
    count = len(library.inputs.ids)
    together = model.scores(library.inputs)
    turned = model.scores(part(library.inputs, range(count - 1, -1, -1)))[::-1]
    singly = [model.scores(part(library.inputs, [row]))[0] for row in range(min(count, 50))]
    if not np.array_equal(together, turned) or not np.array_equal(together[: len(singly)], singly):
        raise RuntimeError("scores depend on the other videos, or on their order")


def measure(model: ZeroShot, words: ZeroShot, library: Library) -> None:
    """Prints everything about one library."""
    tree = model.tree
    print(f"{library.name}: {len(library.inputs.ids)} videos")
    scores = model.scores(library.inputs)
    report("cosine alone", library, tree, by_cosine(library, model))
    report("phrases alone", library, tree, decoded(words.scores(library.inputs), tree))
    report("fused", library, tree, decoded(scores, tree))
    known = truth(library, tree)
    before = calibration_error(model.shares(library.inputs), known, tree)
    after = calibration_error(scores, known, tree)
    errors = [f"level {level} {before[level]:.3f} to {after[level]:.3f}" for level in before]
    print(f"  ECE before and after calibration: {', '.join(errors)}")


def misses(model: ZeroShot, library: Library) -> None:
    """Prints the videos whose theme is not among the first three tags, and what tags they have."""
    ranked = decoded(model.scores(library.inputs), model.tree)
    for video, tags, places in zip(library.inputs.ids, ranked, library.places, strict=True):
        paths = [model.tree.paths[tag] for tag in tags]
        if places and not any(path[: len(p)] == p for path in paths for p in places):
            print(f"    missed: {video}, {'; '.join(map(model.tree.text, tags))}")


def keywords(texts: TextLibrary) -> None:
    """Prints how many of each video's five keywords stand in phrases of its theme."""
    documents = {
        video: {channel: of[video] for channel, of in texts.texts.items() if video in of}
        for video in texts.themes
    }
    df = document_frequencies(of.values() for of in documents.values())
    own = {t.name: keyword_terms([p for of in t.phrases.values() for p in of]) for t in themes()}
    found = [
        (keyword, own[texts.themes[video]])
        for video, of_video in video_keywords(documents, {}, df, 5).items()
        for keyword in of_video
        if texts.themes[video] in own
    ]
    share = np.mean([keyword.lemma in of_theme for keyword, of_theme in found])
    size = len(df.to_bytes()) / 1e6
    print(f"keywords of {texts.name}: {share:.3f} of {len(found)}; frequencies {size:.2f} MB")


def timed(run: Callable[[], object]) -> float:
    started = perf_counter()
    run()
    return perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=800, help="of each made-up library")
    parser.add_argument("--processed", type=Path, help="data folder of a processed sample library")
    parser.add_argument("--fit", action="store_true", help="print the constants of calibration")
    arguments = parser.parse_args()
    embedder = load_text_embedder(PACKAGED, profile="embedded")
    taxonomy = default_taxonomy()
    model = ZeroShot(taxonomy, encoder(embedder), english_only=True)
    words = ZeroShot(taxonomy, None)
    own = {theme.name: [theme.path] for theme in themes()}
    written = [sample_library(), written_library("tuning", TUNING), written_library("fresh", FRESH)]
    made = [generated_library(arguments.videos, seed) for seed in (0, 1)]
    libraries = [library_of(of, embedded(of, embedder), PLACES) for of in written]
    libraries += [library_of(of, embedded(of, embedder), own) for of in made]
    if arguments.processed and (real := processed_library(arguments.processed)):
        libraries.insert(0, real)
    check(model, libraries[0])
    for library in libraries:
        measure(model, words, library)
        misses(model, library) if library.name.startswith("sample") else None
    if arguments.fit:
        fit_on = libraries[-2]
        print("fitted:", fitted(model.shares(fit_on.inputs), truth(fit_on, model.tree), model.tree))
    keywords(made[0])
    rows = [row % arguments.videos for row in range(TIMED_VIDEOS)]
    many = part(libraries[-1].inputs, rows)
    print(
        f"{TIMED_VIDEOS} videos, {len(model.tree)} tags: {timed(lambda: model.scores(many)):.1f} s"
    )


if __name__ == "__main__":
    main()
