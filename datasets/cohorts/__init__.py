"""The cohorts, one file each, and their catalog."""
