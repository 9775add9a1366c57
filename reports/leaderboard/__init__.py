"""The static site of a leaderboard: one page of all cohorts, one a method."""
