"""The one decode: ``videos``, ``frames``, ``motion``, ``audio``."""
