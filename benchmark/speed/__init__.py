"""How fast a method maps volumes, what it takes, and what a precision costs: `python -m benchmark speed`."""
