"""What the library is about."""
