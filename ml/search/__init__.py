"""Search: a question in words to the videos and moments that answer it."""
