"""What a video's sound is for finding copies, and whether two videos sound alike."""
