"""The sample library: short clips with known speech, captions, faces, shots and planted copies.

Everything is drawn, synthesised or taken from pictures that scikit-image and scikit-learn ship,
so nothing is downloaded. `make_library` in `samples.make` writes it. Kadr itself is not imported.
"""
