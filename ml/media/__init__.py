"""One decode of a file: frames, motion thumbnails, sound."""
