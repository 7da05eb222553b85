"""Density clustering from 1,000 to 1,000,000 rows: is it right, and how does its time grow?

    python -m benchmarks.cluster [--largest 1000000] [--limit 90]

Rows are unit vectors of 50 dimensions: sqrt(n) / 2 themes of Zipf sizes and various spreads, and a
tenth strays. Every method runs on one core in a process of its own, with the smallest cluster that
topics have. It is given up, aloud, beyond the time limit, and the plain packages are not tried on
more rows then. The adjusted Rand index (ARI), every row without a cluster as one of its own, is
checked before any time is printed: below ``LEAST_ARI`` the method has no speed and the exit code
is 1. The exponent is that of n in time = c n^x, fitted over the sizes from 10,000 up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
METHODS = ("hdbscan", "scikit-learn", "graph", "sampled")
# Ours have to go on however long they take.
PLAIN = ("hdbscan", "scikit-learn")
DIMENSIONS = 50
STRAY_SHARE = 0.1
SPREAD = 0.5
LEAST_ARI = 0.85
FITTED_FROM = 10_000
HEADER = "| rows | method | ARI | clusters | no cluster | time, s | peak memory, MB |"


@dataclass(frozen=True)
class Run:
    """One line of the table."""

    method: str
    n: int
    ari: float
    clusters: int
    lone_share: float
    seconds: float
    peak_mb: float


def library(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """float32[n, 50] of unit length, and each row's theme, -1 for a stray."""
    draw = np.random.default_rng(seed)
    count = max(5, round(n**0.5 / 2))
    weights = 1 / np.arange(1, count + 1)
    theme = draw.choice(count, n, p=weights / weights.sum())
    theme[draw.random(n) < STRAY_SHARE] = -1
    centres = draw.standard_normal((count, DIMENSIONS)).astype(np.float32)
    spreads = SPREAD * np.exp(draw.normal(0, 0.25, count)).astype(np.float32)
    rows = draw.standard_normal((n, DIMENSIONS), dtype=np.float32)
    member = theme >= 0
    rows[member] *= spreads[theme[member], None]
    rows[member] += centres[theme[member]]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), theme


def smallest(n: int) -> int:
    """Fewest rows of a cluster: that of topics."""
    return max(3, round(n**0.5 / 2))


def labels_of(method: str, z: np.ndarray) -> np.ndarray:
    """What the method finds."""
    from ml.clustering.graph import graph_clusters
    from ml.clustering.sampled import SAMPLE_LIMIT, sampled_clusters

    least = smallest(len(z))
    if method == "graph":
        return graph_clusters(z, least)[0]
    if method == "sampled":
        return sampled_clusters(z, smallest(min(len(z), SAMPLE_LIMIT))).labels
    if method == "scikit-learn":
        from sklearn.cluster import HDBSCAN

        found = HDBSCAN(min_cluster_size=least, min_samples=2, copy=True).fit(z)
        return np.asarray(found.labels_)
    import hdbscan

    # This package does not count a row among its own samples.
    found = hdbscan.HDBSCAN(min_cluster_size=least, min_samples=1, core_dist_n_jobs=1).fit(z)
    return np.asarray(found.labels_)


def agreement(found: np.ndarray, truth: np.ndarray) -> float:
    """Adjusted Rand index."""
    from sklearn.metrics import adjusted_rand_score

    lone = len(found) + np.arange(len(found))
    return float(adjusted_rand_score(*(np.where(v < 0, lone, v) for v in (truth, found))))


def measure(method: str, n: int) -> Run:
    """In this process; what is loaded on first use is loaded before the clock starts."""
    z, truth = library(n)
    labels_of(method, library(500, seed=1)[0])
    began = time.perf_counter()
    found = labels_of(method, z)
    seconds = time.perf_counter() - began
    # Before the index is computed, which takes memory of its own; Linux counts in kB.
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return Run(
        method,
        n,
        agreement(found, truth),
        int(found.max(initial=-1)) + 1,
        float((found < 0).mean()),
        seconds,
        peak_mb,
    )


def measured_apart(method: str, n: int, limit_s: float | None) -> Run | None:
    """In a process of its own on one core; None beyond the limit."""
    command = [sys.executable, "-m", "benchmarks.cluster", "--one", method, "--rows", str(n)]
    one_core = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, env=one_core, timeout=limit_s, check=True, stdout=subprocess.PIPE, text=True
        )
    except subprocess.TimeoutExpired:
        return None
    return Run(**json.loads(done.stdout.splitlines()[-1]))


def show(run: Run) -> bool:
    """Print a line; whether the answer is right."""
    right = run.ari >= LEAST_ARI
    cost = f"{run.seconds:.1f} | {run.peak_mb:.0f}" if right else "wrong answer | -"
    print(
        f"| {run.n:,} | {run.method} | {run.ari:.3f} | {run.clusters} | {run.lone_share:.0%} "
        f"| {cost} |",
        flush=True,
    )
    return right


def exponent(runs: list[Run]) -> str:
    """Of n in the time, fitted on logarithms."""
    some = [run for run in runs if run.n >= FITTED_FROM]
    if len(some) < 2:
        return f"too few sizes from {FITTED_FROM:,} up"
    n, seconds = np.log([(run.n, run.seconds) for run in some]).T
    return f"{np.polyfit(n, seconds, 1)[0]:.2f}, {some[0].n:,} to {some[-1].n:,} rows"


def table(largest: int, limit_s: float) -> bool:
    """Print everything; whether all answers are right."""
    print(f"{HEADER}\n|{' --- |' * 7}")
    runs: dict[str, list[Run]] = {method: [] for method in METHODS}
    right, given_up = True, set()
    for n in (size for size in SIZES if size <= largest):
        for method in (m for m in METHODS if m not in given_up):
            run = measured_apart(method, n, limit_s if method in PLAIN else None)
            if run is None:
                given_up.add(method)
                print(f"| {n:,} | {method} | - | - | - | given up after {limit_s:.0f} | - |")
            elif show(run):
                runs[method].append(run)
            else:
                right = False
    print("\nexponent of the number of rows in the time")
    for method, some in runs.items():
        print(f"- {method}: {exponent(some)}")
    return right


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="rows")
    parser.add_argument("--limit", type=float, default=90, help="seconds for the plain packages")
    parser.add_argument("--one", choices=METHODS, help="one method, in this process")
    parser.add_argument("--rows", type=int, help="rows, with --one")
    args = parser.parse_args()
    if args.one:
        print(json.dumps(asdict(measure(args.one, args.rows))))
    elif not table(args.largest, args.limit):
        sys.exit(1)


if __name__ == "__main__":
    main()
