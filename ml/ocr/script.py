"""Is this line in a script the recogniser cannot read?

The packaged PP-OCRv6 recogniser knows Latin, Greek and Chinese letters and no Cyrillic. Shown a
Russian line it does not fail: it gives spaces, the digits and punctuation of the line, and a few
look-alike letters, often with 0.9 confidence. Three signs give such a line away.
"""

from __future__ import annotations

from ml.ocr.engines import Reading

# Characters per line height of width. 124 English captions rendered in six fonts: 1.5 and more;
# letter-spaced ones .96 and more, read with .995 confidence. 120 Russian ones: 106 under .6,
# and those between .6 and 1.35 are read with less than .99, but for
# "XOP POCTOBA", whose letters Latin shares.
SPARSE = 0.8
NORMAL = 1.35
SURE = 0.99

# Latin letters and the Cyrillic ones that look the same.
LATIN = "ABCEHKMOPTXYaceopxy"
LOOK_ALIKES = str.maketrans(LATIN, "АВСЕНКМОРТХУасеорху")
# Punctuation that Tesseract makes of specks at the ends of a line.
SPECKS = "‚‘’`'\"“”*\\|/‹›[]{}<>~^_=•®©& "


def looks_cyrillic(reading: Reading) -> bool:
    """Whether a reading by the packaged recogniser is what it makes of Cyrillic (or of nothing).

    True when the crop has too few characters for its width, or rather few that are not surely
    read.
    """
    unsure = reading.density < NORMAL and reading.confidence < SURE
    return reading.density < SPARSE or unsure


def latin_confidence(reading: Reading) -> float:
    """The confidence of a reading that looks Cyrillic: of all the line, not of what was read."""
    return reading.confidence * min(1.0, reading.density / NORMAL)


def respelled(text: str) -> str:
    """A Russian line that was read in Latin look-alikes, in Cyrillic; any other line as it is.

    ``XOP POCTOBA`` is one: its letters are all shared, its words are Russian and not English.
    ``TOP`` (English too) and ``BMX`` (not Russian) are not.
    """
    words = [w for w in "".join(c if c.isalpha() else " " for c in text).split() if len(w) > 2]
    if not words or any(set(w) - set(LATIN) for w in words):
        return text
    # Loads dictionaries (2 s, once), which few lines ask for.
    from simplemma import is_known

    if any(is_known(w.lower(), lang="en") for w in words):
        return text
    russian = any(is_known(w.translate(LOOK_ALIKES).lower(), lang="ru") for w in words)
    return text.translate(LOOK_ALIKES) if russian else text


def without_specks(text: str) -> str:
    """A line read by Tesseract, or nothing when less than half of it is letters and digits."""
    text = text.strip(SPECKS)
    symbols = text.replace(" ", "")
    return text if sum(c.isalnum() for c in symbols) * 2 > len(symbols) else ""
