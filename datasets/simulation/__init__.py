"""Data that are made: phantoms and implants."""
