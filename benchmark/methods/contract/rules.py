"""The rules of a Detector's contract, one function each: None if kept, else what was got and what was expected."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from benchmark.methods.card import Card, Supervision, card_of
from benchmark.methods.contract.trial import ContractTrial, NotRun, live_peak
from benchmark.methods.detector import Detector, LabelledDetector
from datasets.case import COVARIATES, Case
from datasets.words import count_text

GPU = torch.device("cuda")
GPU_TOLERANCE = 1e-4
EDITABLE = "__editable__"  # how an import looks for packages that are installed in place
MASKS = ("lesion_mask", "ignore_mask")  # folders of them in a prepared cohort
Rule = Callable[[ContractTrial], str | None]


def methods_take_their_arguments(trial: ContractTrial) -> str | None:
    """`fit` and `anomaly_map` take the arguments that they are called with."""
    cls = type(trial.make())
    for name in ("fit", "anomaly_map"):
        named = signature(getattr(Detector, name)).parameters.values()
        by_place = [one.name for one in named if one.kind is one.POSITIONAL_OR_KEYWORD]
        by_name = [one.name for one in named if one.kind is one.KEYWORD_ONLY]
        own = signature(getattr(cls, name))
        try:
            own.bind(*by_place, **dict.fromkeys(by_name))
        except TypeError as error:
            expected = f"def {name}({', '.join([*by_place, '*', *by_name])})"
            return f"got def {name}({', '.join(own.parameters)}), which has {error}; expected {expected}"
    return None


def config_is_a_frozen_dataclass(trial: ContractTrial) -> str | None:
    """The constructor takes a frozen dataclass `Config` whose fields all have defaults."""
    detector = trial.make()
    config, declared = detector.config, type(detector).Config
    if not is_dataclass(declared) or not declared.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        return f"got {declared!r}, expected @dataclass(frozen=True)"
    if not isinstance(config, declared):
        return f"got a config of {type(config).__name__}, expected {declared.__qualname__}"
    declared()
    rebuilt = detector.unfitted()
    return None if rebuilt.config == config else f"got config {rebuilt.config}, expected {config} as handed in"


def presets_name_fields(trial: ContractTrial) -> str | None:
    """Presets are smaller budgets by name: every key is a field of `Config`."""
    cls = type(trial.make())
    known = {field.name for field in fields(cls.Config)}
    for name, values in cls.presets.items():
        if unknown := set(values) - known:
            return f"got {sorted(unknown)} in preset '{name}', expected fields among {sorted(known)}"
        cls.Config(**values)
    return None


def fit_reads_no_lesion_mask(trial: ContractTrial) -> str | None:
    """`fit` does not look at masks of lesions or of ignored voxels."""
    assert trial.detector is not None
    seen = [case.case_id for case in (*trial.train, *trial.val) if case.mask_was_read]
    return f"got lesion_mask or ignore_mask read of {', '.join(seen)}, expected none" if seen else None


def fit_leaves_cases_alone(trial: ContractTrial) -> str | None:
    """`fit` does not change the cases' arrays in place."""
    assert trial.detector is not None
    cases = (*trial.train, *trial.val)
    untouched = [trial.case(index) for index in range(len(cases))]
    pairs = zip(cases, untouched, strict=True)
    changed = [case.case_id for case, before in pairs if not _same_arrays(case, before)]
    return f"got changed arrays in {', '.join(changed)}, expected them untouched" if changed else None


def fit_leaves_global_generators(trial: ContractTrial) -> str | None:
    """`fit` leaves the global generators of torch, NumPy and Python as they were."""
    detector = trial.make()
    with _other_generators(0):  # other states than an earlier fit of this seed may have left
        before = _generator_states()
        trial.fit("generators", detector)
        changed = [name for name, state in _generator_states().items() if state != before[name]]
    return f"got another state of {', '.join(changed)}, expected the caller's" if changed else None


def equal_seeds_give_equal_weights(trial: ContractTrial) -> str | None:
    """Two fits with one seed give equal weights, whatever the global generators' states."""
    first = trial.detector.state_dict()
    with _other_generators(1):
        second = trial.fit("second", trial.make()).state_dict()
    if first.keys() != second.keys():
        return f"got weights {sorted(first.keys() ^ second.keys())} in one of two fits only, expected the same names"
    differing = [name for name, tensor in first.items() if not _equal(tensor, second[name])]
    return (
        f"got {count_text(len(differing), 'differing tensor')}, first {differing[0]}, expected none"
        if differing
        else None
    )


def untrained_methods_learn_nothing(trial: ContractTrial) -> str | None:
    """A method that needs no training gives the same maps fitted on no scan at all."""
    if trial.detector.needs_training:
        return None
    return _difference(trial.map(trial.fit_on_nothing()), trial.map(trial.detector))


def map_is_finite_and_nonnegative(trial: ContractTrial) -> str | None:
    """A map is float32, of the brain masks' shape, on the images' device, finite and nonnegative."""
    anomaly_map = trial.map(trial.detector)
    if (anomaly_map.shape, anomaly_map.dtype) != (trial.brain_masks.shape, torch.float32):
        got, expected = tuple(anomaly_map.shape), tuple(trial.brain_masks.shape)
        return f"got {anomaly_map.dtype} {got}, expected torch.float32 {expected}"
    if anomaly_map.device != trial.detector.device:
        return f"got a map on {anomaly_map.device}, expected {trial.detector.device}"
    if not anomaly_map.isfinite().all():
        return f"got {count_text(int((~anomaly_map.isfinite()).sum()), 'NaN or infinite voxel')}, expected none"
    return (
        f"got a smallest value of {float(anomaly_map.min())}, expected 0 or more" if (anomaly_map < 0).any() else None
    )


def map_differs_between_images(trial: ContractTrial) -> str | None:
    """A map depends on its image: two brains have different maps."""
    anomaly_map = trial.map(trial.detector)
    if not anomaly_map.isfinite().all():
        raise NotRun("a map is not finite")
    return "got one map for two brains, expected two" if _equal(anomaly_map[0], anomaly_map[1]) else None


def inputs_are_left_alone(trial: ContractTrial) -> str | None:
    """Images, brain masks and seeds are not changed in place."""
    inputs = {"images": trial.images, "brain masks": trial.brain_masks, "seeds": trial.seeds}
    handed = {name: tensor.to(trial.detector.device).clone() for name, tensor in inputs.items()}
    trial.detector.see_covariates(trial.test)
    with torch.inference_mode():
        trial.detector.map_and_reconstruction(handed["images"], handed["brain masks"], seeds=handed["seeds"])
    changed = [name for name, tensor in inputs.items() if not _equal(tensor, handed[name])]
    return f"got changed {', '.join(changed)}, expected them untouched" if changed else None


def equal_seeds_give_equal_maps(trial: ContractTrial) -> str | None:
    """One image and one seed give one map, bit for bit, whatever the global generators' states."""
    first = trial.map(trial.detector)
    with _other_generators(2):
        second = trial.map(trial.detector)
    return _difference(second, first)


def map_is_independent_of_neighbours(trial: ContractTrial) -> str | None:
    """A case's map alone is its map in a batch, in any order, bit for bit, unless the card says transductive."""
    together = trial.map(trial.detector)
    card = card_of(trial.detector)
    if card is not None and card.transductive:
        depends = not _equal(trial.map(trial.detector, [0, 1]), together[:2])
        return None if depends else "got maps that their batch leaves alone, expected a card without transductive=True"
    for case in range(3):
        if message := _difference(trial.map(trial.detector, [case])[0], together[case]):
            return f"alone against in a batch of 3: {message}"
    reordered = trial.map(trial.detector, [2, 0, 1])
    message = _difference(reordered, together[[2, 0, 1]])
    return f"in another order: {message}" if message else None


def reconstruction_matches_the_images(trial: ContractTrial) -> str | None:
    """A reconstruction is None, or float32, finite and of the images' shape."""
    made = trial.call(trial.detector, "reconstruction")
    if made is None:
        return None
    if (made.shape, made.dtype) != (trial.images.shape, torch.float32):
        return f"got {made.dtype} {tuple(made.shape)}, expected torch.float32 {tuple(trial.images.shape)}"
    return (
        None if made.isfinite().all() else f"got {count_text(int((~made.isfinite()).sum()), 'NaN or infinite voxel')}"
    )


def both_at_once_are_the_same(trial: ContractTrial) -> str | None:
    """`map_and_reconstruction` gives what `anomaly_map` and `reconstruction` give."""
    detector = trial.detector
    anomaly_map, reconstruction = trial.call(detector, "map_and_reconstruction")
    alone = trial.call(detector, "reconstruction")
    if message := _difference(anomaly_map, trial.map(detector)):
        return f"anomaly map: {message}"
    if reconstruction is None or alone is None:
        same = reconstruction is alone
        return None if same else f"got {_kind(reconstruction)} at once, expected {_kind(alone)} as alone"
    message = _difference(reconstruction, alone)
    return f"reconstruction: {message}" if message else None


def weights_hold_all_that_is_learnt(trial: ContractTrial) -> str | None:
    """Weights written as safetensors and read into a new detector give the same maps."""
    restored, expected = trial.restored(trial.detector.device), trial.map(trial.detector)
    loose = [name for part in trial.detector.modules() for name, one in vars(part).items() if isinstance(one, Tensor)]
    try:
        message = _difference(trial.map(restored), expected)
    except Exception as error:
        if not loose:
            raise
        message = f"got {type(error).__name__}: {error}"
    if message and loose:
        message += f"; the weights leave out {', '.join(loose)}, expected self.register_buffer(name, tensor) of each"
    return message


def card_says_what_was_seen(trial: ContractTrial) -> str | None:
    """The data card says what was learnt from which data, and where the hyper-parameters come from."""
    card = getattr(type(trial.make()), "card", None)
    if not isinstance(card, Card):
        return f"got {card!r}, expected `card = Card(supervision, trained_on, tuned_on)` of benchmark.methods"
    if card.supervision not in get_args(Supervision):
        return f"got supervision {card.supervision!r}, expected one of {', '.join(get_args(Supervision))}"
    if unknown := sorted({*card.covariates} - {*COVARIATES}):
        return f"got covariates {', '.join(unknown)}, expected some of {', '.join(COVARIATES)}"
    labelled = issubclass(type(trial.make()), LabelledDetector)
    if labelled != (card.supervision == "lesion labels"):
        return f"got supervision '{card.supervision}', expected 'lesion labels' for a LabelledDetector and no other"
    if labelled and card.transductive:
        return "got a transductive LabelledDetector, expected one of both: it is handed one patient at a time"
    empty = [name for name in ("trained_on", "tuned_on") if not getattr(card, name).strip()]
    return f"got nothing for {', '.join(empty)}, expected a sentence" if empty else None


def nothing_is_written_elsewhere(trial: ContractTrial) -> str | None:
    """Fitting and mapping write into the fit's folder and among temporary files alone."""
    trial.map(trial.detector)
    outside = trial.actions.written_outside(trial.folder)
    return f"got {', '.join(map(str, outside[:3]))} written, expected nothing outside of `workdir`" if outside else None


def no_network_is_used(trial: ContractTrial) -> str | None:
    """Fitting and mapping ask nothing of the network."""
    trial.map(trial.detector)
    return f"got {', '.join(list(trial.actions.reached)[:3])}, expected none" if trial.actions.reached else None


def no_helper_file_is_read(trial: ContractTrial) -> str | None:
    """Nothing beside the method's own code is read: what a key does not hold must not change a map."""
    trial.map(trial.detector)
    source = getattr(sys.modules.get(type(trial.detector).__module__), "__file__", None)
    if source is None:
        raise NotRun("the method's code is in no file")
    own = Path(source).resolve().parent
    read = [
        path
        for path in trial.actions.read
        if path.is_relative_to(own) and path.suffix not in (".py", ".pyc") and not path.name.startswith(EDITABLE)
    ]
    outside = [path for path in read if not path.is_relative_to(trial.folder.resolve())]
    return f"got {', '.join(map(str, outside[:3]))} read, expected weights and code alone" if outside else None


def no_mask_is_read_from_disk(trial: ContractTrial) -> str | None:
    """Fitting and mapping look at no lesion mask on disk: of a scan a method knows what it is handed."""
    trial.map(trial.detector)
    seen = [path for path in (*trial.actions.read, *trial.actions.listed) if set(MASKS) & set(path.parts)]
    return f"got {', '.join(map(str, seen[:3]))} read, expected none" if seen else None


def memory_stays_within_its_bound(trial: ContractTrial) -> str | None:
    """Mapping one case or three holds no more memory than `memory_bound` states."""
    for count in (1, 3):
        stated = trial.detector.memory_bound(trial.shape, count)
        trial.map(trial.detector, range(count))  # leaves out what is made once and kept
        held = live_peak(partial(trial.map, trial.detector, range(count)), trial.detector.device)
        if held > stated:
            cases = f"{count_text(count, 'case')} of {trial.shape}"
            return f"got {held / 2**20:.1f} MiB for {cases}, expected at most {stated / 2**20:.1f}"
    return None


def gpu_agrees_with_cpu(trial: ContractTrial) -> str | None:
    """Where there is a GPU, its maps equal those of the CPU within 1e-4 of the largest value."""
    if not torch.cuda.is_available():
        raise NotRun("no GPU here")
    on_cpu, on_gpu = _on_both_devices(trial)
    cpu, gpu = trial.map(on_cpu), trial.map(on_gpu).cpu()
    worst, allowed = float((cpu - gpu).abs().max()), GPU_TOLERANCE * max(1.0, float(cpu.max()))
    return f"got a difference of {worst:.3g}, expected at most {allowed:.3g}" if worst > allowed else None


def _on_both_devices(trial: ContractTrial) -> tuple[Detector, Detector]:
    """The fitted detector's weights on the CPU and on the GPU."""
    return trial.restored(torch.device("cpu")), trial.restored(GPU)


# Where the first is broken, nothing else can be tried.
RULES: tuple[Rule, ...] = (
    methods_take_their_arguments,
    config_is_a_frozen_dataclass,
    presets_name_fields,
    fit_reads_no_lesion_mask,
    fit_leaves_cases_alone,
    fit_leaves_global_generators,
    equal_seeds_give_equal_weights,
    untrained_methods_learn_nothing,
    map_is_finite_and_nonnegative,
    map_differs_between_images,
    inputs_are_left_alone,
    equal_seeds_give_equal_maps,
    map_is_independent_of_neighbours,
    reconstruction_matches_the_images,
    both_at_once_are_the_same,
    weights_hold_all_that_is_learnt,
    card_says_what_was_seen,
    nothing_is_written_elsewhere,
    no_network_is_used,
    no_helper_file_is_read,
    no_mask_is_read_from_disk,
    memory_stays_within_its_bound,
    gpu_agrees_with_cpu,
)


def _same_arrays(case: Case, before: Case) -> bool:
    pairs = ((case.image, before.image), (case.brain_mask, before.brain_mask), (case.affine, before.affine))
    return all(np.array_equal(now, then) for now, then in pairs)


def _equal(first: Tensor, second: Tensor) -> bool:
    """Bit for bit, NaN included."""
    if (first.shape, first.dtype) != (second.shape, second.dtype):
        return False
    parts = [tensor.cpu().reshape(-1).view(torch.uint8) for tensor in (first, second)]
    return torch.equal(*parts)


def _difference(got: Tensor, expected: Tensor) -> str | None:
    if _equal(got, expected):
        return None
    if got.shape != expected.shape:
        return f"got shape {tuple(got.shape)}, expected {tuple(expected.shape)}"
    differing = int((got != expected).sum())
    worst = float((got - expected).abs().max())
    return f"got {differing} differing voxels, the worst by {worst:.3g}, expected none"


def _kind(made: Tensor | None) -> str:
    return "no reconstruction" if made is None else "a reconstruction"


def _generator_states() -> dict[str, object]:
    states: dict[str, object] = {"torch": torch.get_rng_state().numpy().tobytes()}
    if torch.cuda.is_available():
        states["torch.cuda"] = [state.numpy().tobytes() for state in torch.cuda.get_rng_state_all()]
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return states | {"NumPy": (kind, np.asarray(keys).tobytes(), *rest), "Python": random.getstate()}


@contextmanager
def _other_generators(seed: int) -> Iterator[None]:
    """Within the block the global generators have other states."""
    python, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
        yield
    random.setstate(python)
    np.random.set_state(numpy_state)  # noqa: NPY002
