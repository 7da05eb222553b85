"""What each video is filed under, learnt or compared, and its keywords."""
