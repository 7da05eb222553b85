"""Which seconds of one video show which seconds of another, from pairs of frames that match."""
