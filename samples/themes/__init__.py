"""The drawings of each theme; `samples.drawings` lists them all."""
