"""`python -m benchmark`."""

from benchmark.commands.main import main

if __name__ == "__main__":
    main()
