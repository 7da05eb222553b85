"""Pin every dependency for Python 3.11 to 3.13: ``make_locks.py UV`` writes the two lock files.

The locks are installed with ``--no-deps``, so what overrides.txt leaves out stays out. CUDA
packages are not pinned: torch's own metadata pins them where its CUDA build is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LEFT_OUT = re.compile(r"sys_platform == 'never'|^(nvidia|cuda)-")


def pin(uv: str, lock: Path, *extras: str) -> None:
    """Resolve pyproject.toml with the extras and write the lock."""
    command = [uv, "pip", "compile", str(HERE.parent / "pyproject.toml"), "--universal", "-q"]
    command += ["--python-version", "3.11", "--overrides", str(HERE / "overrides.txt")]
    command += ["--no-header", "--no-annotate", "--no-emit-find-links", "--no-emit-index-url"]
    for extra in extras:
        command += ["--extra", extra]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line for line in printed.splitlines() if not LEFT_OUT.search(line)]
    lock.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    pin(sys.argv[1], HERE / "kadr.lock", "faces")
    pin(sys.argv[1], HERE / "dev.lock", "faces", "cluster", "dev")
