"""uadbench in Python: studies, their numbers and maps, and trained methods. Importing it imports no torch.

The examples in the docstrings are about the run `first` that docs/first-steps.md makes.

Examples:
    >>> import uadbench
    >>> run = uadbench.load_run("first")
    >>> run.methods
    ['thresh', 'zscore', 'lowrank']
"""

from benchmark import __version__
from benchmark.api.comparison import Compared, compare
from benchmark.api.evaluation import evaluate
from benchmark.api.options import RunOptions
from benchmark.api.replication import Replicated, replicate
from benchmark.api.runs import Run, load_run
from benchmark.api.scans import FittedDetector, load_detector
from benchmark.api.study import run
from datasets.cohorts.prepare import prepare

__all__ = [
    "Compared",
    "FittedDetector",
    "Replicated",
    "Run",
    "RunOptions",
    "__version__",
    "compare",
    "evaluate",
    "load_detector",
    "load_run",
    "prepare",
    "replicate",
    "run",
]
