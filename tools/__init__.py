"""What the repository is kept in order with; nothing of it is installed."""
