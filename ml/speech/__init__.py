"""Speech: find where somebody speaks, and write down what is said."""

from ml.speech.recogniser import fetch, load_recogniser
from ml.speech.segments import Recogniser

__all__ = ["Recogniser", "fetch", "load_recogniser"]
