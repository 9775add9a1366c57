"""Strangers' plugins as text: files for --plugin, and distributions as they stand once installed."""

from pathlib import Path

DARKNESS = '''
from dataclasses import dataclass

import torch
from benchmark.methods.detector import Detector


class TooDark(Detector):
    """Darker than healthy brains are on average.

    More on it.
    """

    @dataclass(frozen=True)
    class Config:
        power: float = 1.0

        def __post_init__(self):
            if self.power == 13:
                raise KeyError("unlucky")

    presets = {"quick": {}}

    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("mean", torch.zeros(()))

    def fit(self, train, val, *, seed, workdir):
        self.mean.fill_(sum(float(case.image[0][case.brain_mask].mean()) for case in train) / len(train))

    def anomaly_map(self, images, brain_masks, *, seeds):
        return (self.mean - images).clamp(min=0) ** self.config.power * brain_masks
'''

BROKEN_IN_USE = (
    DARKNESS
    + """

class NegativeMap(TooDark):
    def anomaly_map(self, images, brain_masks, *, seeds):
        return images - 2


class ShortMap(TooDark):
    def anomaly_map(self, images, brain_masks, *, seeds):
        return images[..., 1:]


class Quitter(TooDark):
    def anomaly_map(self, images, brain_masks, *, seeds):
        raise SystemExit(3)


class Unbuildable(TooDark):
    def __init__(self, config):
        raise RuntimeError("no such network")
"""
)

BROKEN_CONFIGS = {
    "raises": "@dataclass(frozen=True)\n    class Config:\n        def __post_init__(self):\n            {}['key']",
    "needs": "@dataclass(frozen=True)\n    class Config:\n        size: int",
    "is-no-dataclass": "class Config:\n        size = 3",
    "has-a-wrong-preset": "presets = {'quick': {'sizes': 3}}",
    "holds-a-path": "@dataclass(frozen=True)\n    class Config:\n        path: Path = Path('x')",
}


def with_config(text: str) -> str:
    """A plugin whose one class, `Bad`, has `text` in place of a sound Config or presets."""
    return f"{DARKNESS}\nfrom pathlib import Path\n\n\nclass Bad(TooDark):\n    {text}\n"


def write_plugin(folder: Path, text: str = DARKNESS, name: str = "darkness.py") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def write_distribution(folder: Path, name: str, **methods: str) -> Path:
    """`folder` on the path makes Python believe that `name` is installed; underscores in `methods` are hyphens."""
    metadata = folder / f"{name.replace('-', '_')}-2.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Name: {name}\nVersion: 2.0\nSummary: Methods of {name}\n")
    points = "".join(f"{method.replace('_', '-')} = {target}\n" for method, target in methods.items())
    (metadata / "entry_points.txt").write_text(f"[uadbench.methods]\n{points}")
    return folder
