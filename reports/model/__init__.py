"""What the sections say, as numbers and records."""
