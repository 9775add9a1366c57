"""Words that go with a number."""


def count_text(number: int, noun: str) -> str:
    """`1 scan`, `2 scans`, `0 entries` of `entry`."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else several}"
