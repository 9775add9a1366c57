"""A board of finished runs: a release that says what may stand on it, entries without maps, and one pool of both."""
