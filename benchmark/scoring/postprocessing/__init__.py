"""What is done to a map before a threshold."""
