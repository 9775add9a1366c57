"""Whether a finished run holds what it says, and leaderboards of runs that do."""
