"""RunOptions: all that can be said of a run, in one place for the command line, a file and Python."""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from typer import Option

from datasets.case_cache import NO_CACHE
from datasets.errors import BadFile, BadValue, MissingData, check_name, one_line
from datasets.grid import PUBLISHED, SAMPLINGS, SMALL

if TYPE_CHECKING:
    from benchmark.execution.resources import Execution
    from benchmark.study.study import Request

RUN_TABLE = "run"
RERUN = ("missing", "failed", "all")
FRESH = ("out", "rerun", "dry_run")
"""Options that say nothing of what a run holds: not repeated by --like."""

STUDY, DATA, SCORING, COMPUTING = "What is run", "Data", "Scoring and report", "Computing"
"""Groups of options in the help."""


def completing(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Complete the last of comma-separated names in a shell."""

    def complete(incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        return [f"{before}{comma}{name}" for name in names() if name.startswith(last)]

    return complete


def _methods() -> Iterable[str]:
    from benchmark.methods.registry import methods

    return methods()


def _datasets() -> Iterable[str]:
    from datasets.cohorts.catalog import COHORTS

    return COHORTS


Data = Annotated[
    Path,
    Option(
        rich_help_panel=DATA,
        help="Folder of the prepared cohorts, each in a folder of its name; default: $UADBENCH_DATA, else data.",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    Option(
        "--plugin",
        rich_help_panel=STUDY,
        metavar="FILE",
        help="FILE.py with detectors, or FILE.toml that describes a program; repeatable.",
    ),
]
Threads = Annotated[
    int | None,
    Option(
        min=1,
        rich_help_panel=COMPUTING,
        help="CPU threads of each process; default: the number of cores, whatever --workers is.",
    ),
]
MemoryLimit = Annotated[
    float | None, Option(min=0.1, rich_help_panel=COMPUTING, help="Most GiB of main memory that each process may use.")
]
Executor = Annotated[
    str,
    Option(
        rich_help_panel=COMPUTING,
        help="inline: this process; local: workers on this machine; slurm: a job array; dask: a dask cluster.",
    ),
]
Workers = Annotated[
    int | None,
    Option(
        min=1,
        rich_help_panel=COMPUTING,
        help="Worker processes, or tasks of the job array; default: one per GPU, else by --threads.",
    ),
]
TimeLimit = Annotated[
    float | None,
    Option(min=0.001, rich_help_panel=COMPUTING, help="Minutes that a worker may take for one fit, cell or scoring."),
]
Slurm = Annotated[
    list[str] | None,
    Option(
        "--slurm",
        rich_help_panel=COMPUTING,
        metavar="NAME=VALUE",
        help="An option of sbatch, e.g. gres=gpu:1; repeatable.",
    ),
]
Dask = Annotated[
    str | None,
    Option(rich_help_panel=COMPUTING, metavar="ADDRESS", help="Address of a dask scheduler, or its scheduler file."),
]


def data_folder() -> Path:
    """Where the prepared cohorts are, if nothing else is said."""
    return Path(os.environ.get("UADBENCH_DATA", "data"))


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What is asked of a run; every default is that of the command line.

    Names that stand comma-separated on a command line may be a list in a file and in Python.

    Attributes:
        hyperparameters: by method the fields of its Config to change; in a file, a table a method.

    Examples:
        >>> options = RunOptions(methods="dae", datasets="phantom-glioma", hyperparameters={"dae": {"steps": 100}})
        >>> options.preset, options.seeds
        ('paper', '0')
    """

    methods: Annotated[
        str,
        Option(
            "--methods",
            "-m",
            autocompletion=completing(_methods),
            rich_help_panel=STUDY,
            help="Names, comma-separated; name[field=value] makes a variant.",
        ),
    ] = ""
    datasets: Annotated[
        str,
        Option(
            "--datasets",
            "-d",
            autocompletion=completing(_datasets),
            rich_help_panel=STUDY,
            help="Cohorts to map anomalies in, comma-separated; NAME=FOLDER for one of your own.",
        ),
    ] = ""
    data: Data = field(default_factory=data_folder)
    out: Annotated[
        Path | None,
        Option("--out", "-o", rich_help_panel=DATA, help="Run folder; default: runs/<healthy>-<sequence>-<preset>."),
    ] = None
    healthy: Annotated[
        str | None,
        Option(
            rich_help_panel=DATA,
            help="Healthy cohorts to fit on, comma-separated; default: ixi, for phantoms the phantom. none: without "
            "any, for methods that need no training.",
        ),
    ] = None
    leave_one_site_out: Annotated[
        bool,
        Option(
            "--leave-one-site-out", rich_help_panel=DATA, help="Fit once without each of the healthy cohorts in turn."
        ),
    ] = False
    training_scans: Annotated[
        int | None,
        Option(
            rich_help_panel=DATA,
            min=1,
            help="Train on this many scans; a larger number includes the scans of a smaller one.",
        ),
    ] = None
    sequence: Annotated[
        str | None,
        Option(
            rich_help_panel=DATA,
            help="t1, t2, flair or t1ce, or several: t1,flair; default: t2 if every cohort has it, else t1.",
        ),
    ] = None
    preset: Annotated[
        str,
        Option(
            "--preset",
            "-p",
            rich_help_panel=STUDY,
            help=f"{PUBLISHED}: as published; {SMALL}: narrow networks; quick: narrow networks and voxels of 4 mm.",
        ),
    ] = PUBLISHED
    sampling: Annotated[
        str,
        Option(
            rich_help_panel=DATA,
            help="average: over voxels, masks keep their volume; spline: as published, for replication.",
        ),
    ] = "average"
    seeds: Annotated[
        str,
        Option(
            "--seeds",
            "-s",
            rich_help_panel=STUDY,
            help="Training seeds, e.g. 0-2; each also redraws the validation cases.",
        ),
    ] = "0"
    folds: Annotated[
        int | None,
        Option(
            rich_help_panel=STUDY,
            min=2,
            help="Fit once per fold: split the healthy subjects into this many parts, each for validation in turn.",
        ),
    ] = None
    limit: Annotated[
        int | None, Option(rich_help_panel=STUDY, min=1, help="Map at most this many cases of each split.")
    ] = None
    validation_only: Annotated[
        bool,
        Option(
            "--validation-only", rich_help_panel=STUDY, help="Map validation cases only; do not open the test split."
        ),
    ] = False
    precision: Annotated[str, Option(rich_help_panel=COMPUTING, help="Precision of inference: fp32, bf16 or fp16.")] = (
        "fp32"
    )
    device: Annotated[str, Option(rich_help_panel=COMPUTING, help="auto, cpu, cuda or cuda:N.")] = "auto"
    devices: Annotated[
        int,
        Option(rich_help_panel=COMPUTING, min=1, help="GPUs that one fit trains on; each takes a part of the batch."),
    ] = 1
    slice_batch: Annotated[int, Option(rich_help_panel=COMPUTING, min=1, help="Slices processed at once.")] = 32
    compiled: Annotated[
        bool, Option("--compile", rich_help_panel=COMPUTING, help="Compile networks if there is a compiler.")
    ] = False
    rerun: Annotated[
        str,
        Option(
            rich_help_panel=STUDY,
            help="What to compute: missing; failed: also what failed before; all: everything again.",
        ),
    ] = "missing"
    dry_run: Annotated[
        bool, Option("--dry-run", rich_help_panel=STUDY, help="Show the cells and which are done; compute nothing.")
    ] = False
    postprocessing: Annotated[
        str | None, Option(rich_help_panel=SCORING, help="Post-processing pipelines; default: all.")
    ] = None
    protocols: Annotated[
        str | None,
        Option(rich_help_panel=SCORING, help="Threshold protocols; default: lesion-val, healthy-fpr-1 and oracle."),
    ] = None
    pictures: Annotated[
        str | None,
        Option(rich_help_panel=SCORING, help="Cohorts whose scans the report may show; default: all. '' for none."),
    ] = None
    plugins: Plugins = None
    allow_leak: Annotated[
        bool,
        Option(
            "--allow-leak",
            rich_help_panel=DATA,
            help="Continue although the audit finds leaks; every row is marked 'leak'.",
        ),
    ] = False
    skip_bad: Annotated[
        bool,
        Option(
            "--skip-bad",
            rich_help_panel=DATA,
            help="Leave out cases that cannot be used; every row is marked 'partial'.",
        ),
    ] = False
    shifts: Annotated[
        str,
        Option(
            rich_help_panel=STUDY,
            help="Also map under these shifts: gamma (its five levels), gamma=0.5, transfer[COHORT].",
        ),
    ] = ""
    match: Annotated[
        bool,
        Option(
            "--match",
            rich_help_panel=STUDY,
            help="Map everything a second time with histograms matched to the training cases.",
        ),
    ] = False
    executor: Executor = "inline"
    workers: Workers = None
    threads: Threads = None
    time_limit: TimeLimit = None
    memory_limit: MemoryLimit = None
    slurm: Slurm = None
    dask: Dask = None
    no_cache: Annotated[
        bool,
        Option(
            "--no-cache", envvar=NO_CACHE, rich_help_panel=DATA, help="Load every scan again; the numbers are the same."
        ),
    ] = False
    hyperparameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    __pydantic_config__: ClassVar[Mapping[str, object]] = {"coerce_numbers_to_str": True}

    def __post_init__(self) -> None:
        """Raise UserError for what cannot be asked for."""
        from benchmark.study.cells import PRECISIONS

        for name in ("methods", "datasets"):
            if not getattr(self, name).strip():
                raise BadValue(f"--{name}: got none, expected one or more names; see: python -m benchmark list {name}")
        for name, known in (("rerun", RERUN), ("precision", PRECISIONS), ("sampling", SAMPLINGS)):
            check_name(f"value of --{name} called", getattr(self, name), known)
        if self.devices > 1 and self.plugins:
            raise BadValue(
                f"--devices {self.devices}: got --plugin too, expected an installed method: each GPU has a process."
            )

    @property
    def request(self) -> "Request":
        """The part that says what is run, for the planner."""
        from benchmark.study.study import Request

        named = {one.name: getattr(self, one.name) for one in fields(Request) if hasattr(self, one.name)}
        own = {
            "plugins": tuple(self.plugins or ()),
            "splits": ("val",) if self.validation_only else ("val", "test"),
            "simulate": not self.dry_run,
        }
        return Request(**{**named, **own})

    @property
    def execution(self) -> "Execution":
        """The part that says where and with what it is computed.

        Raises:
            UserError: options that do not go together.
        """
        from benchmark.execution.resources import EXECUTORS, Execution

        check_name("value of --executor called", self.executor, EXECUTORS)
        if self.executor == "inline" and (self.workers is not None or self.time_limit is not None):
            option = "--workers" if self.workers is not None else "--time-limit"
            raise BadValue(f"{option}: got --executor inline, expected another: it is about worker processes.")
        if self.slurm and self.executor != "slurm":
            raise BadValue(f"--slurm: got --executor {self.executor}, expected slurm.")
        if (self.dask is None) == (self.executor == "dask"):
            got = "nothing" if self.dask is None else f"--executor {self.executor}"
            raise BadValue(f"--dask: got {got}, expected the address of a running dask scheduler with --executor dask.")
        if self.executor in ("slurm", "dask") and self.time_limit is not None:
            limit = "; give the jobs' limit as --slurm time=H:MM:SS" if self.executor == "slurm" else ""
            raise BadValue(f"--time-limit: got --executor {self.executor}, expected local{limit}.")
        named = {one.name: getattr(self, one.name) for one in fields(Execution) if hasattr(self, one.name)}
        seconds = None if self.time_limit is None else 60 * self.time_limit
        return Execution(**named, task_seconds=seconds, memory_gib=self.memory_limit)

    @property
    def repeatable(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON holds it, but for `FRESH`: enough to run the same again."""
        default = {one.name: one.default for one in fields(self)} | {"hyperparameters": {}}
        own = {name: value for name, value in asdict(self).items() if value is not None and value != default[name]}
        own |= {"data": str(self.data.resolve())}
        if self.plugins:
            own["plugins"] = [str(path.resolve()) for path in self.plugins]
        return {name: value for name, value in own.items() if name not in FRESH}


def options_of(given: Mapping[str, Any], *bases: Mapping[str, Any]) -> RunOptions:
    """Options from what is given; what it leaves open is that of the first of `bases` that says it.

    Raises:
        UnknownName: there is no option of that name.
        BadValue: a value is of the wrong kind.
    """
    from pydantic import TypeAdapter, ValidationError

    kinds = {one.name: one.type for one in fields(RunOptions)}
    values: dict[str, Any] = {}
    for source in (*reversed(bases), given):
        for name, value in source.items():
            check_name("option of a run called", name, kinds)
            listed = isinstance(value, list | tuple) and name not in ("plugins", "slurm")
            values[name] = ",".join(map(str, value)) if listed else value
    try:
        return TypeAdapter(RunOptions).validate_python(values)
    except ValidationError as error:
        wrong = error.errors()[0]
        if isinstance(cause := wrong.get("ctx", {}).get("error"), BadValue):
            raise cause from None
        raise BadValue(
            f"{wrong['loc'][0]}: got {wrong['input']!r}, expected another value ({wrong['msg']})."
        ) from error


def read_options(path: Path) -> dict[str, Any]:
    """A TOML file: the options in its table [run], and a table of hyper-parameters for each method it names.

    Paths in it are as from the current folder.

    Raises:
        MissingData: there is no such file.
        BadFile: it is not TOML, or holds something else than tables.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingData(f"--config {path}: no file that can be read ({error.strerror}).") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"--config {path}: got a file that is not TOML ({one_line(error)}).") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise BadFile(f"--config {path}: got {name} = {table!r}, expected a table [{name}].")
    own = tables.pop(RUN_TABLE, {})
    return {**own, **({"hyperparameters": tables} if tables else {})}


def options_of_run(root: Path) -> list[dict[str, Any]]:
    """The options of each command that made a run, in their order; see `RunOptions.repeatable`.

    Raises:
        MissingData: there is no run at `root`, or it was made without options.
    """
    from benchmark.storage.folder import open_run
    from benchmark.storage.run_record import asked_of

    asked = [dict(one) for one in asked_of(open_run(root))]
    if not asked:
        raise MissingData(f"--like {root}: got a run that does not say how it was asked for, expected one of `run`.")
    return asked
