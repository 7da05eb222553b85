"""A model over a batch: speech, text on screen, pictures, faces, texts, captions."""
