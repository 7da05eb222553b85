"""How well tags are learnt from a catalogue's labels, on made-up Russian catalogues.

    python -m benchmarks.tags [--videos 1049] [--seeds 2] [--kinds shows,themes]

Every kind of catalogue (`benchmarks.tags_library`) has titles, descriptions and tags, no video and
no publishers. Cross-validation with five random folds, and with five that keep series together, of
the trained model, the tags of the likest video by character TF-IDF of title and description, and
the best constant answer, in one run: mean intersection over union of tag sets with all prefixes.
Settings were chosen on seed 0 of ``shows``, ``themes`` and ``publishers``; the others are fresh.
Where the trained model is worse than the likest video, the benchmark ends with an error, after all
were tried.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

from benchmarks.tags_library import KINDS, LibraryKind, generated_tags
from ml.tags.evaluate import TagEvaluation, evaluate
from ml.taxonomy import default_taxonomy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=1049)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--kinds", default=",".join(kind.name for kind in KINDS))
    options = parser.parse_args()
    kinds = [kind for kind in KINDS if kind.name in options.kinds.split(",")]
    print("| catalogue | folds | constant | nearest | trained | gain | rare recall | s |")
    print("|---|---|---|---|---|---|---|---|")
    worse = []
    for kind in kinds:
        for seed in range(options.seeds):
            for grouped in (False, True):
                started = time.perf_counter()
                found = evaluated(kind, options.videos, seed, grouped)
                seconds = time.perf_counter() - started
                print(_row(f"{kind.name} {seed}", found, seconds), flush=True)
                if found.model.mean_iou < found.nearest.mean_iou:
                    worse.append(f"{kind.name} {seed} {found.split}")
    if worse:
        raise SystemExit(f"worse than the likest video: {', '.join(worse)}")


def evaluated(kind: LibraryKind, videos: int, seed: int, grouped: bool) -> TagEvaluation:
    """A catalogue as a table of titles, descriptions and tags, cross-validated."""
    examples = replace(generated_tags(kind, videos, seed), publishers=())
    return evaluate(examples, default_taxonomy(), seed=seed, grouped=grouped)


def _row(name: str, found: TagEvaluation, seconds: float) -> str:
    ious = [scores.mean_iou for scores in (found.constant, found.nearest, found.model)]
    gain = ious[2] - ious[1]
    figures = [f"{iou:.3f}" for iou in ious] + [f"{gain:+.3f}", f"{found.model.rare.recall:.2f}"]
    folds = f"{found.split}, {found.groups} series"
    return f"| {name} | {folds} | " + " | ".join(figures) + f" | {seconds:.0f} |"


if __name__ == "__main__":
    main()
