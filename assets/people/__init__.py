"""Who appears: persons of a video, people of the library, known people."""
