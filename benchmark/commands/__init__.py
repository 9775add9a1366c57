"""The command line: one file a group of commands, `common.py` with what they share."""
