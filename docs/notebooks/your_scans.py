# %% [markdown]
# # Your scans
# A folder with a table `cases.csv` and sub-folders of images, brain masks and lesion masks is a cohort, and so is a
# folder of BIDS derivatives. Here, simulated patients take the place of yours: skull-stripped scans in the space of the
# training scans.

# %%
import shutil
from pathlib import Path

import uadbench

run = uadbench.run("zscore", "phantom-glioma", sequence="t1", preset="quick", data="data", out="trained")

mine = Path("clinic")
for kind in ("t1", "brain_mask", "lesion_mask"):
    shutil.copytree(Path("data/phantom-glioma") / kind, mine / kind, dirs_exist_ok=True)
case_ids = sorted(path.name.removesuffix(".nii.gz") for path in (mine / "t1").iterdir())
(mine / "cases.csv").write_text("\n".join(["case_id", *case_ids]) + "\n")

# %% [markdown]
# Map and score them with a method trained on healthy brains:

# %%
scored = uadbench.run(
    "zscore", "clinic=clinic", healthy="phantom", sequence="t1", preset="quick", data="data", out="clinic-run"
)
print(scored.number("zscore", "clinic").mean)

# %% [markdown]
# A single scan needs no table. `predict` writes the map on the scan's own voxels and a picture. `thresholds` returns
# the thresholds that the run has chosen without test labels.

# %%
detector = uadbench.load_detector("zscore", run="trained")
thresholds = detector.thresholds()
files = detector.predict(mine / "t1" / f"{case_ids[0]}.nii.gz", threshold=thresholds["healthy-fpr-1"])
print(thresholds, files["anomaly_map"], files["picture"])
