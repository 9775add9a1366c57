"""Leaderboards: a release that fixes data and endpoint, and entries of verified runs without their maps."""
