"""Lesion and ignored voxels of a mask's file by the Labels that are declared; any other value is refused."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.case import BINARY, Labels
from datasets.errors import BadFile, BadVolume

FILE = "labels.json"
WHOLE = 0.01  # how far a value may be from the whole number that it stands for, where there are several labels
NAMED = 4  # unknown labels in one line
Mask = NDArray[np.bool_]


def split_labels(path: Path, values: NDArray[Any], labels: Labels, voxel_ml: float) -> tuple[Mask, Mask | None]:
    """Where a mask is lesion and where it is to be ignored, both of the shape of `values`; None for nowhere.

    Args:
        path: of the mask, for the message.
        values: finite.
        voxel_ml: volume of a voxel, for the message.

    Raises:
        BadVolume: a value is not declared; the message names each such label with its volume in ml.
    """
    if labels == BINARY and values.min() > -0.5 and values.max() < 1.5:
        return np.asarray(values > 0.5), None
    whole = np.rint(values)
    unknown = ~np.isin(whole, labels.declared)
    if labels != BINARY:
        unknown |= np.abs(values - whole) > WHOLE
    if unknown.any():
        raise BadVolume(path, "unknown-label", _volumes(values[unknown], voxel_ml), str(labels))
    ignored = np.isin(whole, labels.ignored)
    return np.isin(whole, labels.lesion), ignored if ignored.any() else None


def union(*masks: Mask | None) -> Mask | None:
    """Where any of those that there are is set; None where there is none."""
    there = [mask for mask in masks if mask is not None]
    return np.logical_or.reduce(there) if there else None


def split_interpolated(path: Path, values: NDArray[Any]) -> Mask:
    """Where a mask of 0 and 1 that was interpolated is lesion: above half of its maximum.

    Raises:
        BadVolume: a value is above 1, so that several labels may have been interpolated, or below 0.
    """
    low, high = float(values.min()), float(values.max())
    if low < -WHOLE or high > 1 + WHOLE:
        expected = "0 to 1, as of one label that was interpolated"
        raise BadVolume(path, "unknown-label", f"values from {low:g} to {high:g}", expected)
    return np.asarray(values > max(high, 0.0) / 2)


def read_labels(home: Path) -> Labels:
    """What `labels.json` in a cohort's folder declares; 0 and 1 where there is no such file.

    It is an object such as `{"lesion": [1], "ignored": [2], "background": [0, 3]}`; what is left out is as in `Labels`.

    Raises:
        BadFile: it is no such object, names no label of lesion, or gives a label two meanings.
    """
    path = home / FILE
    if not path.is_file():
        return BINARY
    try:
        told = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadFile(f"{path}: got a file that cannot be read ({error}), expected JSON.") from error
    names = [field.name for field in fields(Labels)]
    if not isinstance(told, dict) or not set(told) <= {*names} or not all(map(_whole_numbers, told.values())):
        raise BadFile(f"{path}: got {json.dumps(told)[:80]}, expected lists of whole numbers for {', '.join(names)}.")
    labels = Labels(**{name: tuple(values) for name, values in told.items()})
    if not labels.lesion or len({*labels.declared}) < len(labels.declared):
        raise BadFile(f"{path}: got {labels}, expected a label of lesion, and no label twice.")
    return labels


def _whole_numbers(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int for value in values)


def _volumes(values: NDArray[Any], voxel_ml: float) -> str:
    found, counts = np.unique(values, return_counts=True)
    told = [f"label {value:g} ({count * voxel_ml:.3g} ml)" for value, count in zip(found, counts, strict=True)]
    return ", ".join(told[:NAMED]) + (f" and {len(told) - NAMED} more" if len(told) > NAMED else "")
