"""The run folder: paths, study.json, cell.json, rows, maps, fits, locks, checksums, admitted data."""
