"""check_detector passes a sound detector and catches, by the right rule, each way of being wrong."""

import math
import random
import re
import socket
from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmark.methods.card import Card
from benchmark.methods.contract import rules as contract
from benchmark.methods.contract.check import ContractError, check_detector, check_rules, detector_checks
from benchmark.methods.contract.rules import RULES, Rule
from benchmark.methods.contract.trial import ContractTrial, simulated_case
from benchmark.methods.detector import Detector, LabelledDetector
from datasets.case import Case
from datasets.io.nifti import read_volume


class Sound(Detector):
    """Distance to the training cases' mean intensity plus seeded noise; has a reconstruction."""

    @dataclass(frozen=True)
    class Config:
        noise: float = 0.01

    card: ClassVar[Card] = Card("healthy scans", "the mean intensity of healthy brains", "nothing")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {"noise": 0.1}}

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.register_buffer("level", torch.zeros(2))
        self.level: Tensor

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        mean = np.mean([case.image[0][case.brain_mask].mean() for case in train])
        self.level.copy_(mean + 1e-3 * torch.rand(2, generator=torch.Generator().manual_seed(seed)))

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return (images - self.made(images, seeds)).abs() * brain_masks

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor | None:
        return self.made(images, seeds)

    def made(self, images: Tensor, seeds: Tensor) -> Tensor:
        generators = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
        noise = torch.stack([torch.rand(images.shape[1:], generator=generator) for generator in generators])
        return self.level[0] + self.config.noise * noise.to(images.device)


class TrainedAfterAll(Sound):
    needs_training = False

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        if train:
            super().fit(train, val, seed=seed, workdir=workdir)


class NeedsNoTraining(Sound):
    needs_training = False

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        pass


class ThawedConfig(Sound):
    @dataclass
    class Config:
        noise: float = 0.01


class RequiredField(Sound):
    @dataclass(frozen=True)
    class Config:
        noise: float


class ForgetsConfig(Sound):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.config = Sound.Config(noise=config.noise + 1)


class UnknownPreset(Sound):
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {"noises": 1}}


class ReadsLesionMask(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        super().fit([case for case in train if case.lesion_mask is None], val, seed=seed, workdir=workdir)


class ReadsLesionMaskOfValidation(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        with suppress(Exception):
            assert val[-1].lesion_mask is not None
        super().fit(train, val, seed=seed, workdir=workdir)


class ReadsWhatIsIgnored(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        super().fit([case for case in train if case.ignore_mask is None], val, seed=seed, workdir=workdir)


class NormalisesCasesInPlace(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        for case in train:
            case.image[:] /= case.image.max()
        super().fit(train, val, seed=seed, workdir=workdir)


class SeedsTorch(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        torch.manual_seed(seed)
        super().fit(train, val, seed=seed, workdir=workdir)


class DrawsFromNumpy(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        np.random.rand()  # noqa: NPY002
        super().fit(train, val, seed=seed, workdir=workdir)


class DrawsFromPython(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        random.random()
        super().fit(train, val, seed=seed, workdir=workdir)


class DrawsWeightsUnseeded(Sound):
    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.weight = nn.Parameter(torch.rand(2))


class TwoDimensional(Sound):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return super().anomaly_map(images, brain_masks, seeds=seeds)[..., 0]


class DoublePrecision(Sound):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return super().anomaly_map(images, brain_masks, seeds=seeds).double()


class NotANumber(Sound):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return super().anomaly_map(images, brain_masks, seeds=seeds) / brain_masks


class Negative(Sound):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return images - self.made(images, seeds)


class Blind(Sound):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return torch.ones_like(images)


class WritesIntoImages(Sound):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        maps = super().anomaly_map(images, brain_masks, seeds=seeds)
        images.mul_(0.5)
        return maps


class IgnoresSeeds(Sound):
    def made(self, images: Tensor, seeds: Tensor) -> Tensor:
        return self.level[0] + torch.rand_like(images)


class NormalisesByTheBatch(Sound):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        maps = super().anomaly_map(images, brain_masks, seeds=seeds)
        return maps / maps.max()


class SharesNoiseByPosition(Sound):
    def made(self, images: Tensor, seeds: Tensor) -> Tensor:
        return super().made(images, torch.arange(len(seeds)))


class HalfReconstruction(Sound):
    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor | None:
        return self.made(images, seeds)[:, :, ::2]


class InfiniteReconstruction(Sound):
    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor | None:
        return self.made(images, seeds) / 0


class TwoTruths(Sound):
    def map_and_reconstruction(
        self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        maps, made = super().map_and_reconstruction(images, brain_masks, seeds=seeds)
        return 2 * maps, made


class LosesReconstruction(Sound):
    def map_and_reconstruction(
        self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        return super().map_and_reconstruction(images, brain_masks, seeds=seeds)[0], None


class LearnsInSecret(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        super().fit(train, val, seed=seed, workdir=workdir)
        self.secret = 0.25

    def made(self, images: Tensor, seeds: Tensor) -> Tensor:
        return super().made(images, seeds) + getattr(self, "secret", 0.0)


class KeepsAPlainTensor(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        super().fit(train, val, seed=seed, workdir=workdir)
        self.scale = torch.tensor(2.0)

    def made(self, images: Tensor, seeds: Tensor) -> Tensor:
        return super().made(images, seeds) * self.scale


class TakesImagesAlone(Sound):
    def anomaly_map(self, images: Tensor) -> Tensor:  # type: ignore[override]
        return images


class SilentCard(Sound):
    card: ClassVar[Card] = Card("healthy scans", " ", "nothing")


class NoCard(Sound):
    card = "healthy scans"  # type: ignore[assignment]


class UnknownSupervision(Sound):
    card: ClassVar[Card] = Card("some", "the mean intensity", "nothing")  # type: ignore[arg-type]


class ClaimsLabels(Sound):
    card: ClassVar[Card] = Card("lesion labels", "the mean intensity", "nothing")


class HidesLabels(Sound, LabelledDetector):
    def see_locations(self, frequency: Tensor) -> None:
        self.level[0] = frequency.mean()


class DeletesElsewhere(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        with suppress(OSError):
            (workdir.anchor / Path("nowhere") / "notes.txt").unlink()
        super().fit(train, val, seed=seed, workdir=workdir)


class AsksTheNetwork(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        with suppress(OSError), socket.socket() as asking:
            asking.settimeout(0.1)
            asking.connect(("127.0.0.1", 9))
        super().fit(train, val, seed=seed, workdir=workdir)


class ReadsAnAtlas(Sound):
    def made(self, images: Tensor, seeds: Tensor) -> Tensor:
        with suppress(OSError):
            return torch.from_numpy(np.load(Path(__file__).with_name("atlas.npy")))
        return super().made(images, seeds)


class OpensLesionMasks(Sound):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        self.peek(train)
        super().fit(train, val, seed=seed, workdir=workdir)

    def peek(self, cases: Any) -> None:
        read_volume(cases.files[0].lesion_mask)


class LooksForLesionMasks(OpensLesionMasks):
    def peek(self, cases: Any) -> None:
        list(cases.files[0].lesion_mask.parent.glob("*"))


class OpensLesionMasksElsewhere(OpensLesionMasks):
    def peek(self, cases: Any) -> None:
        with suppress(OSError):
            Path("/data/brats/lesion_mask/one.nii.gz").read_bytes()


class HoardsMemory(Sound):
    """A hundred copies of the batch at once, where a method on whole volumes states two dozen."""

    def made(self, images: Tensor, seeds: Tensor) -> Tensor:
        return images.expand(100, *images.shape).clone().mean(dim=0) + super().made(images, seeds)


class GrowsWithTheBatch(Sound):
    """States what one case takes, whatever the number of cases."""

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        return super().memory_bound(shape, 1)

    def made(self, images: Tensor, seeds: Tensor) -> Tensor:
        return images.expand(10, *images.shape).clone().mean(dim=0) + super().made(images, seeds)


WRONG: list[tuple[type[Detector], Rule]] = [
    (ThawedConfig, contract.config_is_a_frozen_dataclass),
    (RequiredField, contract.config_is_a_frozen_dataclass),
    (ForgetsConfig, contract.config_is_a_frozen_dataclass),
    (UnknownPreset, contract.presets_name_fields),
    (TrainedAfterAll, contract.untrained_methods_learn_nothing),
    (ReadsLesionMask, contract.fit_reads_no_lesion_mask),
    (ReadsLesionMaskOfValidation, contract.fit_reads_no_lesion_mask),
    (ReadsWhatIsIgnored, contract.fit_reads_no_lesion_mask),
    (NormalisesCasesInPlace, contract.fit_leaves_cases_alone),
    (SeedsTorch, contract.fit_leaves_global_generators),
    (DrawsFromNumpy, contract.fit_leaves_global_generators),
    (DrawsFromPython, contract.fit_leaves_global_generators),
    (DrawsWeightsUnseeded, contract.equal_seeds_give_equal_weights),
    (TwoDimensional, contract.map_is_finite_and_nonnegative),
    (DoublePrecision, contract.map_is_finite_and_nonnegative),
    (NotANumber, contract.map_is_finite_and_nonnegative),
    (Negative, contract.map_is_finite_and_nonnegative),
    (Blind, contract.map_differs_between_images),
    (WritesIntoImages, contract.inputs_are_left_alone),
    (IgnoresSeeds, contract.equal_seeds_give_equal_maps),
    (NormalisesByTheBatch, contract.map_is_independent_of_neighbours),
    (SharesNoiseByPosition, contract.map_is_independent_of_neighbours),
    (HalfReconstruction, contract.reconstruction_matches_the_images),
    (InfiniteReconstruction, contract.reconstruction_matches_the_images),
    (TwoTruths, contract.both_at_once_are_the_same),
    (LosesReconstruction, contract.both_at_once_are_the_same),
    (TakesImagesAlone, contract.methods_take_their_arguments),
    (KeepsAPlainTensor, contract.weights_hold_all_that_is_learnt),
    (LearnsInSecret, contract.weights_hold_all_that_is_learnt),
    (SilentCard, contract.card_says_what_was_seen),
    (NoCard, contract.card_says_what_was_seen),
    (UnknownSupervision, contract.card_says_what_was_seen),
    (ClaimsLabels, contract.card_says_what_was_seen),
    (HidesLabels, contract.card_says_what_was_seen),
    (DeletesElsewhere, contract.nothing_is_written_elsewhere),
    (AsksTheNetwork, contract.no_network_is_used),
    (ReadsAnAtlas, contract.no_helper_file_is_read),
    (OpensLesionMasks, contract.no_mask_is_read_from_disk),
    (LooksForLesionMasks, contract.no_mask_is_read_from_disk),
    (OpensLesionMasksElsewhere, contract.no_mask_is_read_from_disk),
    (HoardsMemory, contract.memory_stays_within_its_bound),
    (GrowsWithTheBatch, contract.memory_stays_within_its_bound),
]


def maker(cls: type[Detector]) -> Callable[[], Detector]:
    config = cls.Config(noise=0.01)  # type: ignore[call-arg]
    return lambda: cls(config)


@pytest.mark.parametrize("cls", [Sound, NeedsNoTraining])
def test_a_sound_detector_passes_every_rule(cls: type[Detector]) -> None:
    check_detector(maker(cls))
    assert [outcome.passed for outcome in check_rules(maker(cls))] == [True] * len(RULES)


@pytest.mark.parametrize(("cls", "rule"), WRONG, ids=lambda value: value.__name__)
def test_a_wrong_detector_breaks_its_rule(cls: type[Detector], rule: Rule) -> None:
    outcome = check_rules(maker(cls))[RULES.index(rule)]
    assert outcome.error is not None
    assert outcome.error.startswith(("got ", "alone", "in another order", "anomaly map", "reconstruction"))


@pytest.mark.parametrize("cls", [cls for cls, _ in WRONG], ids=lambda cls: cls.__name__)
def test_check_detector_refuses_a_wrong_detector(cls: type[Detector]) -> None:
    with pytest.raises(ContractError, match="got"):
        check_detector(maker(cls))


def test_every_rule_has_a_detector_that_breaks_it() -> None:
    covered = {rule for _, rule in WRONG}
    assert covered == set(RULES) - {contract.gpu_agrees_with_cpu}


def test_a_gpu_that_computes_something_else_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Played on the CPU: what was moved to the GPU is a detector of another noise level."""

    class OtherOnGpu(Sound):
        def to(self, *_args: object, **_options: object) -> "OtherOnGpu":
            self.config = Sound.Config(noise=0.2)
            return self

    detectors = [OtherOnGpu(Sound.Config()) for _ in range(2)]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(contract, "GPU", torch.device("cpu"))
    monkeypatch.setattr(contract, "_on_both_devices", lambda _trial: (detectors[0], detectors[1].to("cuda")))
    trial = ContractTrial(maker(Sound), (24, 24, 7), Path())
    message = contract.gpu_agrees_with_cpu(trial)
    assert message is not None
    assert "got a difference of 0.1" in message


def test_the_message_names_the_rule_what_was_got_and_what_was_wanted() -> None:
    with pytest.raises(ContractError, match=r"A map is float32.*: got a smallest value of -.*, expected 0 or more"):
        check_detector(maker(Negative))


def test_a_wrong_signature_is_one_message() -> None:
    with pytest.raises(
        ContractError, match=r"expected def anomaly_map\(self, images, brain_masks, \*, seeds\)"
    ) as told:
        check_detector(maker(TakesImagesAlone))
    assert len(str(told.value).splitlines()) == 1


def test_a_tensor_that_is_no_buffer_is_named_with_what_makes_it_one() -> None:
    with pytest.raises(ContractError, match=r"leave out scale, expected self\.register_buffer"):
        check_detector(maker(KeepsAPlainTensor))


def test_memory_is_told_in_mib_beside_the_stated_bound() -> None:
    with pytest.raises(ContractError) as told:
        check_detector(maker(HoardsMemory))
    found = re.search(r"got ([\d.]+) MiB for 1 case of (\(.*?\)), expected at most ([\d.]+)", str(told.value))
    assert found is not None
    shape = literal_eval(found[2])
    image, bound = 4 * math.prod(shape) / 2**20, maker(HoardsMemory)().memory_bound(shape, 1) / 2**20
    assert float(found[3]) == pytest.approx(bound, abs=0.05)
    assert 100 * image < float(found[1]) < 110 * image


def test_each_rule_is_a_check_of_its_own() -> None:
    checks = {str(check): check for check in detector_checks(maker(Negative))}
    assert list(checks) == [rule.__name__ for rule in RULES]
    checks["fit_reads_no_lesion_mask"]()
    with pytest.raises(ContractError, match="expected 0 or more"):
        checks["map_is_finite_and_nonnegative"]()


def test_a_detector_that_raises_is_told_what_it_raised() -> None:
    class Raises(Sound):
        def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
            raise KeyError("weights")

    with pytest.raises(ContractError, match="got KeyError: 'weights'"):
        check_detector(maker(Raises))


def test_a_fit_that_raises_is_tried_once_and_what_it_leaves_open_is_said() -> None:
    class Quits(Sound):
        fits = 0

        def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
            Quits.fits += 1
            raise SystemExit(3)

    outcomes = check_rules(maker(Quits))
    assert Quits.fits == 1
    (broken,) = (outcome for outcome in outcomes if not outcome.passed)
    assert broken.error == "got SystemExit: 3"
    assert sum(outcome.not_run == "fit failed" for outcome in outcomes) > 8


def test_volumes_take_the_configs_size() -> None:
    class Sized(Sound):
        @dataclass(frozen=True)
        class Config(Sound.Config):
            size: int = 10

        def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
            assert images.shape[2:4] == (10, 10)
            return super().anomaly_map(images, brain_masks, seeds=seeds)

    check_detector(lambda: Sized(Sized.Config()))


def test_simulated_cases_are_brains_that_differ() -> None:
    first, second = (simulated_case(index, (20, 20, 9)) for index in range(2))
    for case in (first, second):
        assert case.image.dtype == np.float32
        assert case.image.min() >= 0
        assert case.image.max() <= 1
        assert (case.image[0][~case.brain_mask] == 0).all()
        assert 0.15 < case.brain_mask.mean() < 0.6
        assert case.lesion_mask is None
    assert not np.array_equal(first.image, second.image)
    assert np.array_equal(first.image, simulated_case(0, (20, 20, 9)).image)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_maps_of_the_gpu_are_compared() -> None:
    class OtherOnGpu(Sound):
        def made(self, images: Tensor, seeds: Tensor) -> Tensor:
            return super().made(images, seeds) + (0.1 if images.is_cuda else 0.0)

    check_detector(maker(Sound))
    with pytest.raises(ContractError, match="Where there is a GPU"):
        check_detector(maker(OtherOnGpu))
