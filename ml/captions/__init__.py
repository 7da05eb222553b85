"""What a video shows, in words."""
