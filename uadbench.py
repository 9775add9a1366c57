"""uadbench in Python: studies, their numbers and maps, and trained methods. Importing it imports no torch.

Example:
    >>> import uadbench
    >>> run = uadbench.load_run("runs/ixi-t1-paper")  # doctest: +SKIP
    >>> run.number("cddpm", "lgg").mean  # doctest: +SKIP
"""

from benchmark import __version__
from benchmark.api.runs import Run, load_run
from benchmark.api.scans import FittedDetector, load_detector

__all__ = ["FittedDetector", "Run", "__version__", "load_detector", "load_run"]
