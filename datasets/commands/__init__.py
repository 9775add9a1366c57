"""One file a command group of `python -m datasets`."""
