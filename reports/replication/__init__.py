"""The page of a published study: its printed values beside those of runs."""
