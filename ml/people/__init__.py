"""People: who is who within a video, over the library, and by name."""
