"""Text on screen: find the frames to look at, read their lines, join the lines over time."""

from ml.ocr.reader import TextReader, load_reader

__all__ = ["TextReader", "load_reader"]
