"""What is left after kills, beside other runs, and of damaged files.

    python -m benchmarks.faults kills    ingestions killed at random moments, and resumed
    python -m benchmarks.faults beside   `kadr ingest` beside `kadr ui` and a backfill, all killed
    python -m benchmarks.faults files    damaged files through the workers that decode

Each ends with an error where something was lost, stuck or told wrongly.
"""

from __future__ import annotations

import argparse

from benchmarks import faults_beside, faults_files, faults_kills

PARTS = {"kills": faults_kills, "beside": faults_beside, "files": faults_files}


def main() -> None:
    """Run one part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = parser.add_subparsers(dest="part", required=True)
    for name, module in PARTS.items():
        module.add_options(parts.add_parser(name))
    given = parser.parse_args()
    PARTS[given.part].main(given)


if __name__ == "__main__":
    main()
