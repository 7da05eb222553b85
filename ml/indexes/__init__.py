"""What all indexes share: files that are whole or not there."""
