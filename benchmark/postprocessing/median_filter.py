"""Median filter of a volume, 64 voxels at a time, compiled.

A row of voxels along z is one word for each binary digit of its scores, so one logical operation compares a digit of
64 neighbours. The median is found digit by digit, from the highest down: of the neighbours that agree with it so far,
those with a 0 are counted, 64 counts in the digits of a few words; if they are enough, its digit is 0 too.
Reference: Ataman, Aatre and Wong 1980, "A fast method for real-time median filtering".
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.compiled import compiled
from datasets.sampling import bounding_box

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Keys = NDArray[np.uint32]
Words = NDArray[np.uint64]

WORD = 64
LARGEST = 15  # edge whose neighbours along z are counted in four digits
U = np.uint64
ONE, ALL = U(1), U(0xFFFFFFFFFFFFFFFF)
TOP = np.uint32(1 << 31)  # the sign of a float32


def median_filter(volume: Map, where: Mask, size: int) -> Map:
    """The median of the cube around each voxel, computed at `where` and 0 elsewhere; faces reflect, as in SciPy.

    Args:
        volume, where: `(X, Y, Z)`; float32, none NaN.
        size: edge of the cube in voxels; odd, at most 15.

    Raises:
        ValueError: the size is none of these.

    Examples:
        >>> median_filter(np.float32([[[0, 9, 2]]]), np.ones((1, 1, 3), dtype=bool), 3).ravel().tolist()
        [0.0, 2.0, 2.0]
    """
    if not (size % 2 and 0 < size <= LARGEST):
        raise ValueError(f"Got a median over {size} voxels, expected an odd number of at most {LARGEST}.")
    median, box = np.zeros_like(volume), bounding_box(where)
    grown = tuple(slice(part.start, part.stop + size - 1) for part in box)
    median[box] = _median(np.pad(volume, size // 2, mode="symmetric")[grown], where[box], size)
    return median


def _median(padded: Map, where: Mask, size: int) -> Map:
    keys = _keys(padded)
    common = np.bitwise_and.reduce(keys, axis=None)
    digits = _ones(np.bitwise_or.reduce(keys, axis=None) ^ common)
    found, step = np.zeros(where.shape, dtype=np.uint32), WORD - (size - 1)
    for start in range(0, where.shape[2], step):
        part = slice(start, start + step)
        planes = _planes(keys[:, :, start : start + WORD], digits)
        _numbers(_selection(size)(planes, _rows(where[:, :, part])), digits, found[:, :, part])
    return np.where(where, _scores(found | common), np.float32(0))


def _keys(scores: Map) -> Keys:
    """Whole numbers in the order of some scores."""
    bits = scores.view(np.uint32)
    return np.where(bits < TOP, bits | TOP, ~bits)


def _scores(keys: Keys) -> Map:
    """Those scores again."""
    return np.where(keys < TOP, ~keys, keys ^ TOP).view(np.float32)


def _ones(number: np.uint32) -> Words:
    """The places of a number's ones, falling."""
    return np.array([place for place in range(31, -1, -1) if int(number) >> place & 1], dtype=np.uint64)


def _rows(where: Mask) -> NDArray[np.intp]:
    """`(X, 2)` where along y the voxels of each x begin and end."""
    rows = np.zeros((where.shape[0], 2), dtype=np.intp)
    for x, found in enumerate(where.max(axis=2)):
        along = np.flatnonzero(found)
        if along.size:
            rows[x] = along[0], along[-1] + 1
    return rows


@compiled
def _planes(keys: Keys, digits: Words) -> Words:
    """`(X, digits, Y)` rows `(X, Y, Z)` of numbers, a word for each digit of a row."""
    planes = np.empty((keys.shape[0], digits.size, keys.shape[1]), np.uint64)
    row = np.zeros(WORD, np.uint64)
    for x in range(keys.shape[0]):
        for y in range(keys.shape[1]):
            for z in range(keys.shape[2]):
                row[z] = keys[x, y, z]
            for digit in range(digits.size):
                word, place = U(0), digits[digit]
                for z in range(WORD):  # all of them: a number that is known beforehand is faster
                    word |= ((row[z] >> place) & ONE) << U(z)
                planes[x, digit, y] = word
    return planes


@compiled
def _numbers(planes: Words, digits: Words, numbers: Keys) -> None:
    """Fill rows `(X, Y, Z)` with the numbers of some digits."""
    row = np.empty(WORD, np.uint64)
    for x in range(numbers.shape[0]):
        for y in range(numbers.shape[1]):
            row[:] = U(0)
            for digit in range(digits.size):
                word, place = planes[x, digit, y], digits[digit]
                for z in range(WORD):
                    row[z] |= ((word >> U(z)) & ONE) << place
            for z in range(numbers.shape[2]):
                numbers[x, y, z] = row[z]


@lru_cache(maxsize=LARGEST)
def _selection(size: int) -> Callable[[Words, NDArray[np.intp]], Words]:
    """The digits of medians `(X, digits, Y)` from those of padded rows, compiled for one size.

    The other argument says which part of each x is looked at, `(X, 2)` along y.
    """
    middle, counter = size**3 // 2, max(4, (size**3).bit_length())
    wide = size > 7  # neighbours along z are counted in four digits, not three

    @compiled
    def select(planes: Words, rows: NDArray[np.intp]) -> Words:
        length = planes.shape[2] - size + 1
        selected = np.zeros((rows.shape[0], planes.shape[1], length), np.uint64)
        agreeing = np.empty((size, size, size, length), np.uint64)  # neighbours whose digits so far are the median's
        count, below = np.empty((2, counter, length), np.uint64)  # of those with a 0; lower ones still to be passed
        for x in range(rows.shape[0]):
            begin, width = rows[x, 0], rows[x, 1] - rows[x, 0]
            agreeing[:] = ALL
            for place in range(counter):
                below[place] = ALL if middle >> place & 1 else U(0)
            for digit in range(planes.shape[1]):
                count[:] = U(0)
                for i in range(size):
                    for j in range(size):
                        near, words = agreeing[i, j], planes[x + i, digit, begin + j :]
                        for y in range(width):
                            word, twos, fours, eights = words[y], U(0), U(0), U(0)
                            ones = near[0, y] & ~word
                            for k in range(1, size, 2):
                                one, other = near[k, y] & ~(word >> U(k)), near[k + 1, y] & ~(word >> U(k + 1))
                                carry = (ones & one) | ((ones ^ one) & other)
                                ones ^= one ^ other
                                if wide:
                                    eights ^= fours & twos & carry
                                fours ^= twos & carry
                                twos ^= carry
                            old = count[0, y]
                            count[0, y], carry = old ^ ones, old & ones
                            old = count[1, y]
                            count[1, y], carry = old ^ twos ^ carry, (old & twos) | ((old ^ twos) & carry)
                            old = count[2, y]
                            count[2, y], carry = old ^ fours ^ carry, (old & fours) | ((old ^ fours) & carry)
                            if wide:
                                old = count[3, y]
                                count[3, y], carry = old ^ eights ^ carry, (old & eights) | ((old ^ eights) & carry)
                            for place in range(4 if wide else 3, counter):
                                old = count[place, y]
                                count[place, y], carry = old ^ carry, old & carry
                medians = selected[x, digit, begin:]
                for y in range(width):
                    enough = U(0)  # where more are lower than have to be passed: the borrow of below - count
                    for place in range(counter):
                        old, less = below[place, y], count[place, y]
                        count[place, y] = old ^ less ^ enough
                        enough = (~old & (less | enough)) | (less & enough)
                    for place in range(counter):
                        below[place, y] = (below[place, y] & enough) | (count[place, y] & ~enough)
                    medians[y] = ~enough
                for i in range(size):
                    for j in range(size):
                        near, words = agreeing[i, j], planes[x + i, digit, begin + j :]
                        for y in range(width):
                            word, median = words[y], medians[y]
                            for k in range(size):
                                near[k, y] &= ~((word >> U(k)) ^ median)
        return selected

    return select
