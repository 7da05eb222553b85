"""A vector for each kept frame."""
