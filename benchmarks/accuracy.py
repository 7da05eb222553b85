"""Does speech and screen text say what is there? Both tables of the embedded profile.

Run: ``python -m benchmarks.accuracy [--media FOLDER]``. Word error rate over recorded sentences and
talking faces, character error rate over captions, scans and photographs.
"""

from __future__ import annotations

import sys

from benchmarks import accuracy_ocr, accuracy_speech


def main() -> None:
    """Print both; the same arguments go to both."""
    accuracy_speech.main()
    print()
    accuracy_ocr.main()


if __name__ == "__main__":
    if "-h" in sys.argv or "--help" in sys.argv:
        print(__doc__)
    else:
        main()
