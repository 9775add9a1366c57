"""Numbers of one case's map: binary, FROC, reconstruction."""
