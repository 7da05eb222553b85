"""What topics and people share: the kept clustering, names given by hand, pictures."""
