"""The rule: subjects are dealt to splits by a salted hash of their name, stratum by stratum."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction
from typing import TypeVar

from datasets.words import count_text

Part = TypeVar("Part", bound=str)


def deal(strata: Mapping[str, str], sizes: Mapping[Part, int], *, salt: str) -> dict[str, Part]:
    """Deal subjects to parts of exactly these sizes, every stratum in proportion.

    Within a stratum subjects are ordered by `rank`. The first part takes the head of every line, its places shared
    out among the lines by largest remainder; the next part takes the heads that are left, and the last the rest. So
    the outcome depends only on the set of subjects, their strata, the sizes and the salt: not on their order, the
    machine, or a library's random generator.

    Args:
        strata: each subject's stratum.
        sizes: places of each part; they must add up to the number of subjects.
    """
    if sum(sizes.values()) != len(strata):
        got = count_text(sum(sizes.values()), "place")
        raise ValueError(f"sizes: got {got}, expected {len(strata)}, one a subject.")
    lines = defaultdict[str, list[str]](list)
    for subject in sorted(strata, key=lambda one: rank(one, salt)):
        lines[strata[subject]].append(subject)
    dealt: dict[str, Part] = {}
    for part, size in sizes.items():
        places = share_out(size, {stratum: len(line) for stratum, line in lines.items()})
        for stratum, line in lines.items():
            dealt |= dict.fromkeys(line[: places[stratum]], part)
            del line[: places[stratum]]
    return dealt


def draw(subject: str, sizes: Mapping[Part, int], *, salt: str) -> Part:
    """The part of one subject by its own hash alone, each part as likely as its size; other subjects do not matter."""
    place = Fraction(rank(subject, salt), 2**64) * sum(sizes.values())
    for part, size in sizes.items():
        if place < size:
            return part
        place -= size
    raise ValueError("sizes: got no place, expected some.")


def rank(subject: str, salt: str) -> int:
    """A subject's number below 2**64: the first eight bytes of SHA-256 of salt and subject, NUL between them."""
    return int.from_bytes(hashlib.sha256(f"{salt}\0{subject}".encode()).digest()[:8], "big")


def share_out(total: int, weights: Mapping[Part, int]) -> dict[Part, int]:
    """`total` places in proportion to `weights`, by largest remainder.

    Of equal remainders the heavier weight comes first, then the name.
    """
    whole = sum(weights.values())
    exact = {name: Fraction(total * weight, max(whole, 1)) for name, weight in weights.items()}
    places = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(weights, key=lambda name: (places[name] - exact[name], -weights[name], name))
    for name in by_remainder[: total - sum(places.values())]:
        places[name] += 1
    return places


def scale_sizes(sizes: Mapping[Part, int], number: int) -> dict[Part, int]:
    """Sizes in the same proportion that add up to `number`, by largest remainder.

    If there are enough subjects no part stays empty: it is given a place of the largest part.
    """
    places = share_out(number, sizes)
    for part in places:
        largest = max(places, key=lambda one: places[one])
        if places[part] == 0 and places[largest] > 1:
            places[part], places[largest] = 1, places[largest] - 1
    return places
