# %% [markdown]
# # Your method in fifteen minutes
# A method is a file with one class. `python -m benchmark plugin new NAME` writes one that works; here we write it by
# hand.

# %%
from pathlib import Path

SOURCE = '''
from dataclasses import dataclass

import torch
from benchmark.methods import Card, Detector
from torch.nn.functional import avg_pool3d


class Darkness(Detector):
    """Anomalous where the brain is darker than healthy brains are at the same place."""

    @dataclass(frozen=True)
    class Config:
        power: float = 1.0

    card = Card(supervision="healthy scans", trained_on="Mean image of healthy brains.", tuned_on="Nothing.")
    presets = {"quick": {}}

    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("mean", torch.empty(0))  # (1, X, Y, Z) once fitted; a buffer, so that it is saved

    def fit(self, train, val, *, seed, workdir):
        self.mean = (sum(torch.from_numpy(case.image) for case in train) / len(train)).to(self.device)

    def anomaly_map(self, images, brain_masks, *, seeds):
        darker = (self.mean - images).clamp(min=0) ** self.config.power
        return avg_pool3d(darker, 3, stride=1, padding=1) * brain_masks
'''
Path("darkness.py").write_text(SOURCE)

# %% [markdown]
# Check it against the contract of all methods. Each broken rule is reported with what was got and what was expected.

# %%
from benchmark.methods import check_detector

names: dict[str, object] = {}
exec(SOURCE, names)
Darkness = names["Darkness"]
check_detector(lambda: Darkness(Darkness.Config()))

# %% [markdown]
# Run it beside two built-in methods, on the same data, scored by the same code:

# %%
import uadbench

run = uadbench.run(
    ["darkness", "darkness[power=2]", "thresh", "zscore"],
    "phantom-glioma",
    sequence="t1",
    preset="quick",
    data="data",
    out="mine",
    plugins=["darkness.py"],
)
for method in run.methods:
    print(method, round(run.number(method, "phantom-glioma").mean, 3))

# %% [markdown]
# It finds the tumours, and the report says how it compares: `mine/report.md`.

# %%
for verdict in uadbench.compare("mine", "darkness", "zscore").verdicts:
    print(verdict)
