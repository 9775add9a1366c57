"""The program: `python -m benchmark`, or `uadbench`."""

import sys

from benchmark import other_datasets


def main() -> None:
    """Run the command line; another package called `datasets` is named first, in one line."""
    told, hidden = other_datasets()
    if told:
        print(f"{'Error' if hidden else 'Warning'}: {told}", file=sys.stderr)
    if hidden:
        sys.exit(2)
    from benchmark.commands.main import main as program

    program()


if __name__ == "__main__":
    main()
