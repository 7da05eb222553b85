"""What is measured, and how; the results stand in BENCHMARKS.md. Answers are checked before times.

Real recordings and clips are not part of the project: they are looked for in ``MEDIA``, and what
needs them is skipped aloud where they are missing.
"""

from pathlib import Path

MEDIA = Path(__file__).parent.parent.parent / "shared" / "media"
