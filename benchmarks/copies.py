"""Copy detection measured: 33 kinds of copies and 5 kinds of videos that are none.

``python -m benchmarks.copies make --out FOLDER``  write references, queries and what is known
``python -m benchmarks.copies run --out FOLDER``   find the copies, and print how well

Sources are split into two halves that share no footage; figures are printed for each, so that what
is tuned on one is measured on the other. Real clips are used where `--media` has them.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks import MEDIA
from benchmarks.copies_make import make
from benchmarks.copies_run import Benchmark, How, Report, measure, read
from benchmarks.copies_sources import SPLITS
from ml.copies.evaluate import Counts, Evaluation
from ml.copies.evaluation_report import as_dict, as_text
from ml.copies.pair_rows import FoundPair


def _make(options: argparse.Namespace) -> None:
    media: Path | None = Path(options.media)
    if not Path(options.media, "clips").is_dir():
        print(f"no {options.media}/clips: the queries are made from generated clips alone")
        media = None
    splits = SPLITS if options.sources == "all" else (options.sources,)
    make(
        *(Path(options.out), media, options.seed, options.per_kind, splits, options.processes),
        say=_clock(),
    )


def _run(options: argparse.Namespace) -> None:
    bench = read(Path(options.out))
    kinds = tuple(options.kinds.split(",")) if options.kinds else ()
    if kinds:
        videos = tuple(v for v in bench.videos if v.kind in (*kinds, "reference"))
        there = {video.video_id for video in videos}
        truth = tuple(one for one in bench.truth if one.copy_id in there)
        bench = replace(bench, videos=videos, truth=truth)
    how = How(options.exhaustive, options.references_only)
    report = measure(bench, kinds, how, options.processes, _clock())
    _print(bench, report, with_pairs=not options.short)
    if options.json:
        text = json.dumps(_as_dict(bench, report), indent=1)
        Path(options.json).write_text(text + "\n", encoding="utf-8")


def _clock() -> Callable[[str], None]:
    began = time.perf_counter()
    return lambda text: print(f"{time.perf_counter() - began:5.0f} s  {text}", flush=True)


def _print(bench: Benchmark, report: Report, with_pairs: bool) -> None:
    for split in SPLITS:
        result = bench.evaluated(report.ours.pairs, split)
        print(f"\n== {split} sources\n\n{as_text(result, with_pairs)}")
    print(f"\n{'system':<42}visual P   R    F1     final P   R    F1    original named F1")
    rows: tuple[tuple[str, tuple[FoundPair, ...]], ...] = (
        ("ours", report.ours.pairs),
        ("frame hash voting (baseline)", report.baseline),
    )
    for name, pairs in rows:
        for split in (*SPLITS, "all"):
            if pairs:
                print(f"{f'{name}, {split}':<42}{_line(bench.evaluated(pairs, split))}")
    _print_costs(bench, report)


def _line(result: Evaluation) -> str:
    def shares(counts: Counts) -> str:
        return f"{counts.precision:.3f} {counts.recall:.3f} {counts.f1:.3f}"

    return f"{shares(result.visual)}   {shares(result.final)}   {result.identity.f1:.3f}"


def _print_costs(bench: Benchmark, report: Report) -> None:
    times = report.times
    print(
        f"\ncandidates: {report.candidate_recall:.3f} of the known pairs, "
        f"{len(report.ours.compared) / max(len(bench.videos), 1):.1f} a video"
    )
    for pair in report.missing_candidates:
        print(f"no candidate  {pair[0]} -> {pair[1]}")
    print(
        f"seconds of one core: a video is read in {times.extract_s:.2f}, its frames described in "
        f"{times.describe_s:.2f}, its sound in {times.sound_s:.3f}, searched in "
        f"{times.search_s:.3f}; a pair is compared in {times.compare_s:.3f} (nan: kept from before)"
    )


def _as_dict(bench: Benchmark, report: Report) -> dict[str, object]:
    ours = {split: as_dict(bench.evaluated(report.ours.pairs, split)) for split in (*SPLITS, "all")}
    baseline = {
        split: as_dict(bench.evaluated(report.baseline, split)) for split in (*SPLITS, "all")
    }
    return {
        "ours": ours,
        "baseline": baseline,
        "times": vars(report.times),
        "candidate_recall": report.candidate_recall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(required=True)
    making = commands.add_parser("make", help="write references, queries and truth")
    making.add_argument("--media", default=str(MEDIA))
    making.add_argument("--seed", type=int, default=0)
    making.add_argument("--per-kind", type=int, default=8)
    making.add_argument("--sources", choices=("all", *SPLITS), default="all")
    making.set_defaults(run=_make)
    running = commands.add_parser("run", help="find copies and print the figures")
    running.add_argument("--kinds", help="only queries of these kinds, separated by commas")
    running.add_argument(
        "--exhaustive", action="store_true", help="compare with every reference, without an index"
    )
    running.add_argument(
        "--references-only", action="store_true", help="don't compare queries with each other"
    )
    running.add_argument("--short", action="store_true", help="do not name wrong pairs")
    running.add_argument("--json", metavar="FILE", help="write all figures there too")
    running.set_defaults(run=_run)
    for command in (making, running):
        command.add_argument("--out", required=True, metavar="FOLDER")
        command.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
