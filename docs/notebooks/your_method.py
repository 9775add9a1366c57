# %% [markdown]
# # Your method in fifteen minutes
# A detector is a file with one class. `plugin new` writes one that works; here it is by hand.

# %%
from pathlib import Path

SOURCE = '''
from dataclasses import dataclass

import torch
from benchmark.methods import Card, Detector


class Darkness(Detector):
    """Anomalous where the brain is darker than healthy brains are on average."""

    @dataclass(frozen=True)
    class Config:
        power: float = 1.0

    card = Card(supervision="healthy scans", trained_on="Mean intensity of healthy brains.", tuned_on="Nothing.")
    presets = {"quick": {}}

    def __init__(self, config):
        super().__init__(config)
        self.register_buffer("mean", torch.zeros(()))  # what is learnt is a buffer, so that it is kept

    def fit(self, train, val, *, seed, workdir):
        self.mean.fill_(sum(float(case.image[0][case.brain_mask].mean()) for case in train) / len(train))

    def anomaly_map(self, images, brain_masks, *, seeds):
        return (self.mean - images).clamp(min=0) ** self.config.power * brain_masks
'''
Path("darkness.py").write_text(SOURCE)

# %% [markdown]
# Hold it to the contract: each rule that is broken says what was got and what was expected.

# %%
from benchmark.methods import check_detector

names: dict[str, object] = {}
exec(SOURCE, names)
Darkness = names["Darkness"]
check_detector(lambda: Darkness(Darkness.Config()))

# %% [markdown]
# Put it beside the others, on the same data, scored by the same code:

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
