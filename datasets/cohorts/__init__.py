"""The cohorts, one file each, their catalog, and folders of the user's own."""
