"""Compiled loops over voxels, for components and area openings; imported only where they are needed."""

from collections.abc import Callable
from typing import Any, TypeVar, cast
from uuid import uuid4

import numpy as np
from numba import njit
from numpy.typing import NDArray

Function = TypeVar("Function", bound=Callable[..., object])
Places = NDArray[np.int64]
Numbers = NDArray[np.int32]
Scores = NDArray[np.float32]


def compiled(function: Function) -> Function:
    """The function as machine code, made when it is first called and kept on disk where there is a place for that.

    Where neither the program's folder nor the user's cache may be written, each process compiles for itself.
    """
    try:
        code: Any = njit(cache=True)(function)
    except RuntimeError:  # what numba raises where it finds no place
        return cast(Function, njit(function))
    _name_files_uniquely(code._cache._cache_file)
    return cast(Function, code)


def _name_files_uniquely(files: Any) -> None:
    """Let no two processes write machine code under one name.

    Numba counts the files of a function, and two processes that compile it for different arguments at the same moment
    take the same number: the index would then lead from one kind of arguments to the code of the other.
    """
    files._data_name = lambda number: files._data_name_pattern.format(number=uuid4().int)


@compiled
def flooded(scores: Scores, seeds: Places, around: Places, smallest: int) -> Scores:
    """The lowest of the first `smallest` voxels met from each seed, where the highest neighbour comes next.

    Such a flood leaves the component of a threshold only when it has met all of it.

    Args:
        scores: of a flattened box with a margin of zeros, which are never met.
        around: `(26,)` how far neighbours are from a voxel.

    Returns:
        0 where there are fewer voxels.
    """
    lowest = np.empty(seeds.size, np.float32)
    met, shore, heights = np.empty(smallest, np.int64), np.empty(smallest, np.int64), np.empty(smallest, np.float32)
    for number in range(seeds.size):
        last, level, waiting = seeds[number], scores[seeds[number]], 0
        for count in range(1, smallest):
            met[count - 1] = last
            room = smallest - count  # no more of the shore, highest first, can still be met
            waiting = min(waiting, room)
            for step in around:
                place = last + step
                height = scores[place]
                if height <= (heights[room - 1] if waiting == room else np.float32(0)):
                    continue
                known = False
                for other in range(count):
                    known |= met[other] == place
                for other in range(waiting):
                    known |= shore[other] == place
                if known:
                    continue
                at = min(waiting, room - 1)
                while at > 0 and heights[at - 1] < height:
                    shore[at], heights[at] = shore[at - 1], heights[at - 1]
                    at -= 1
                shore[at], heights[at] = place, height
                waiting = min(waiting + 1, room)
            if waiting == 0:
                level = np.float32(0)
                break
            last, level = shore[0], min(level, heights[0])
            waiting -= 1
            for other in range(waiting):
                shore[other], heights[other] = shore[other + 1], heights[other + 1]
        lowest[number] = level
    return lowest


@compiled
def followed(uphill: Numbers) -> Numbers:
    """Where the way from each place to the next `(n,)` ends, at a place that leads to itself."""
    ends, trail = np.full(uphill.size, -1, np.int32), np.empty(uphill.size, np.int32)
    for start in range(uphill.size):
        place, length = np.int32(start), 0
        while ends[place] < 0 and uphill[place] != place:
            trail[length] = place
            place, length = uphill[place], length + 1
        end = place if ends[place] < 0 else ends[place]
        ends[place] = end
        for passed in range(length):
            ends[trail[passed]] = end
    return ends


@compiled
def grow(parents: Numbers, number: Numbers, places: Places, first: int, around: Places) -> None:
    """Add voxels to a forest, whose trees are the components of those that were added so far.

    Args:
        parents: of each voxel another of its component, which comes before it, or the voxel itself.
        number: which voxel lies at each place of the box, from 1; 0 for none.
        first: number of the first that is added, from 0.
        around: `(26,)` how far neighbours are from a voxel.
    """
    for added in range(places.size):
        own = np.int32(first + added)
        number[places[added]], parents[own] = own + 1, own
        for step in around:
            other = number[places[added] + step]
            if other:
                one, two = _root(parents, own), _root(parents, np.int32(other - 1))
                parents[max(one, two)] = min(one, two)


@compiled
def linked(places: Places, number: Numbers, before: Places, ahead: Places) -> Numbers:
    """The forest that `grow` makes of ascending places, by half of their neighbours.

    Args:
        number: zeros, one for each place of the box.
        before: `(13,)` how far those neighbours are that come before a voxel; next to it on its line is the last.
        ahead: `(4,)` those of them that no neighbour of the voxel before it on its line is.
    """
    parents = np.empty(places.size, np.int32)
    for voxel in range(places.size):
        own, place = np.int32(voxel), places[voxel]
        number[place], parents[own], root = own + 1, own, own
        if number[place - 1]:
            root = _root(parents, np.int32(own - 1))
            parents[own] = root
        for step in ahead if number[place - 1] else before:
            other = number[place + step]
            if other:
                met = _root(parents, np.int32(other - 1))
                if met != root:
                    parents[max(root, met)] = min(root, met)
                    root = min(root, met)
    return parents


@compiled
def labelled(parents: Numbers) -> tuple[Numbers, int]:
    """`(n,)` the number of each voxel's tree, from 0 in the order of their first voxels, and how many there are."""
    labels, count = np.empty(parents.size, np.int32), 0
    for voxel in range(parents.size):
        if parents[voxel] == voxel:
            labels[voxel] = count
            count += 1
        else:
            labels[voxel] = labels[parents[voxel]]
    return labels, count


@compiled
def farthest_pair(points: NDArray[np.float64], reach: NDArray[np.float64]) -> tuple[int, int]:
    """Which two of `(n, 3)` points, at least two, are the farthest apart.

    Args:
        reach: `(n,)` how far each is from one place, falling; two points are no farther apart than by way of it.
    """
    most, pair = -1.0, (0, 1)
    for one in range(len(points)):
        for other in range(one + 1, len(points)):
            if (reach[one] + reach[other]) ** 2 < most * (1 - 1e-9):
                break
            apart = 0.0
            for axis in range(3):
                apart += (points[one, axis] - points[other, axis]) ** 2
            if apart > most:
                most, pair = apart, (one, other)
    return pair


@compiled
def _root(parents: Numbers, voxel: np.int32) -> np.int32:
    """Each voxel passed is hung one step higher."""
    while parents[voxel] != voxel:
        parents[voxel] = parents[parents[voxel]]
        voxel = parents[voxel]
    return voxel
