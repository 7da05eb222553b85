"""Descriptors, pairs, groups and hits of copies, and the check of a single file."""
