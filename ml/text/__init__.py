"""Words, languages, passages, and vectors of texts."""
