"""SVAE: a VAE that encodes each slice in the context of its neighbours, and the windows that cover a volume."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from baselines.autoencoders.ae import AE, LATENT, Decoder, Encoder, values_per_pixel
from baselines.autoencoders.vae import VAE, Posterior, ToPosterior, negative_elbo
from baselines.reconstruction import SliceReconstruction
from benchmark.methods import Card
from benchmark.methods.brain_slices import holds_brain
from benchmark.methods.detector import FLOAT32
from datasets.errors import BadValue

HEADS = 4


class SliceAttention(nn.Module):
    """One pre-norm transformer layer over `(B, sequence, LATENT)` codes with learnt positions.

    References:
        Vaswani et al.: SliceAttention is all you need. NeurIPS 2017, eq. 1, with the normalisation before each
        part: Xiong et al., ICML 2020.
    """

    def __init__(self, sequence: int) -> None:
        super().__init__()
        self.positions = nn.Parameter(0.02 * torch.randn(sequence, LATENT))
        self.layer = nn.TransformerEncoderLayer(LATENT, HEADS, 2 * LATENT, 0.0, batch_first=True, norm_first=True)

    def forward(self, codes: Tensor) -> Tensor:
        return self.layer(codes + self.positions)


class Recurrence(nn.Module):
    """The outputs of a bidirectional GRU along the slices, added to `(B, S, LATENT)` codes.

    References:
        Cho et al.: Learning phrase representations using RNN encoder-decoder. EMNLP 2014, eqs. 5-8.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(LATENT, LATENT // 2, batch_first=True, bidirectional=True)

    def forward(self, codes: Tensor) -> Tensor:
        # The CPU's GRU has no mixed precision, and cuDNN's adds gradients in no fixed order. In a batch on the CPU bits
        # depend on a sequence's place, so that a map takes one sequence after the other.
        one_by_one = codes.device.type == "cpu" and not self.training
        with torch.autocast(codes.device.type, enabled=False), torch.backends.cudnn.flags(enabled=False):
            parts = codes.float().split(1) if one_by_one else [codes.float()]
            return torch.cat([part + self.gru(part)[0] for part in parts])


@dataclass(frozen=True)
class SliceWindow:
    """Neighbouring slices of one volume that are reconstructed together.

    Attributes:
        case: index of the volume in its batch.
        start: the first slice's index along Z.
        taken: indices along Z of those slices whose reconstruction is taken from here, ascending.
    """

    case: int
    start: int
    taken: tuple[int, ...]

    def cut(self, volumes: Tensor, length: int) -> Tensor:
        """Its slices `(length, X, Y)` out of `(N, 1, X, Y, Z)`."""
        return volumes[self.case, 0, :, :, self.start : self.start + length].movedim(-1, 0)

    def paste(self, slices: Tensor, volumes: Tensor) -> None:
        """Write those of its `(length, X, Y)` slices that are taken to their places in `(N, 1, X, Y, Z)`."""
        for z in self.taken:
            volumes[self.case, 0, :, :, z] = slices[z - self.start]


class SVAE(SliceReconstruction):
    """A VAE over sequences of neighbouring slices, with about as many weights as the VAE.

    Every slice passes the VAE's encoder and decoder by itself; in between, self-attention or a recurrent
    network relates the codes of a sequence. No more than this and the beta is published; chosen here are
    the length of the sequences, one layer of either kind, its place before the posterior, and the windows
    of the test.

    At test time windows of the same length overlap by half, from a volume's first slice with brain to its
    last; a slice is taken from the window whose middle is nearest, so that it has neighbours on both sides.

    References:
        Behrendt et al.: Capturing inter-slice dependencies of 3D brain MRI-scans for unsupervised anomaly
        detection. MIDL 2022, short papers. openreview.net/forum?id=db8wDgKH4p4.
    """

    @dataclass(frozen=True)
    class Config(VAE.Config):
        """The hyper-parameters of a VAE, and of the sequence of slices.

        Attributes:
            sequence: slices that are related to each other; eight of 2 mm are 16 mm.
            context: what relates them.
        """

        sequence: int = 8
        context: Literal["attention", "recurrence"] = "attention"

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.sequence < 1:
                raise BadValue(f"Got sequence {self.sequence}, expected 1 or more slices.")

    card: ClassVar[Card] = Card(
        printed_name="sVAE",
        supervision="healthy scans",
        trained_on="Network weights, from sequences of neighbouring axial slices of healthy scans.",
        tuned_on="beta and budget: the reference study, on which scans is not known. sequence and context: no data.",
        references=(
            "Behrendt et al. 2022, MIDL short papers, openreview.net/forum?id=db8wDgKH4p4",
            "Kingma, Welling 2014, arXiv 1312.6114, eqs. 7 and 10, appendix B",
            "Baur et al. 2021, arXiv 2004.03271",
        ),
        departures=(
            "Length of sequences, kind, depth and place of the context are not published: chosen here "
            "(sequence, context).",
            *VAE.card.departures,
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {**AE.presets["quick"], "sequence": 4},  # 16 mm in slices of 4 mm
        "small": AE.presets["small"],
    }
    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = Encoder(config.size, config.width)
        self.to_code = nn.Linear(self.encoder.features, LATENT)
        self.context = SliceAttention(config.sequence) if config.context == "attention" else Recurrence()
        self.to_posterior = ToPosterior(LATENT)
        self.decoder = Decoder(config.size, config.width)

    @property
    def stack(self) -> int:
        return self.config.sequence

    def loss(self, slices: Tensor) -> Tensor:
        posterior = self.posterior(slices)
        decoded = self.decoder(posterior.sample()).reshape(slices.shape)  # (B S, 1, X, Y) to (B, S, X, Y)
        return negative_elbo(slices, decoded, posterior, beta=self.config.beta)

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        """From the posteriors' means, `(B, S, size, size)`; `seeds` are not used."""
        return self.decoder(self.posterior(slices).mean).reshape(slices.shape)

    def posterior(self, slices: Tensor) -> Posterior:
        """Of `(B, S, size, size)` slices one after the other, `(B S, LATENT)`."""
        features = self.encoder(slices.flatten(0, 1)[:, None])  # (B S, features)
        codes = self.to_code(features).unflatten(0, slices.shape[:2])  # (B, S, LATENT)
        return self.to_posterior(self.context(codes).flatten(0, 1))

    def reconstruct_volumes(self, images: Tensor, brain_masks: Tensor, seeds: Tensor) -> Tensor:
        """SliceWindow by window, in batches of a fixed number of them, the last one padded.

        Raises:
            BadValue: the volumes have fewer slices than a sequence.
        """
        if images.shape[-1] < self.stack:
            got = f"Got volumes of {images.shape[-1]} slices"
            raise BadValue(f"{got}, expected at least the {self.stack} of a sequence (config.sequence).")
        windows = self._windows(brain_masks)
        result = torch.zeros_like(images, dtype=torch.float32)
        for start in range(0, len(windows), self.windows_at_once):
            batch = windows[start : start + self.windows_at_once]
            for window, slices in zip(batch, self._reconstructed(batch, images, seeds), strict=False):
                window.paste(slices, result)
        return result

    def _windows(self, brain_masks: Tensor) -> list[SliceWindow]:
        """The windows of all volumes, one volume after the other."""
        rows = enumerate(holds_brain(brain_masks))
        return [window for case, row in rows for window in windows_of(row, self.stack, case=case)]

    def _reconstructed(self, batch: list[SliceWindow], images: Tensor, seeds: Tensor) -> Tensor:
        """`(windows_at_once, S, X, Y)` float32: the batch's, then repetitions of its last."""
        padded = batch + batch[-1:] * (self.windows_at_once - len(batch))
        slices = torch.stack([window.cut(images, self.stack) for window in padded])
        return self.reconstruct(slices, seeds=torch.stack([seeds[window.case] for window in padded])).float()

    @property
    def windows_at_once(self) -> int:
        """As many as fit in `slice_batch` slices, and at least one."""
        return max(self.slice_batch // self.stack, 1)

    @property
    def values_per_pixel(self) -> int:
        return values_per_pixel(self.config.width)

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        """The bound for the windows processed at once, plus a dozen volumes a case."""
        pixels = shape[0] * shape[1] * self.windows_at_once * self.stack
        return FLOAT32 * (pixels * self.values_per_pixel + 12 * volumes * prod(shape))


def windows_of(row: Tensor, length: int, *, case: int = 0) -> list[SliceWindow]:
    """Windows that overlap by half and cover a volume from its first slice with brain to its last.

    Every slice with brain is taken once, from the window whose middle is nearest, the first of two. Where
    the brain spans fewer slices than a window, the only one begins with the brain, or is the volume's last.

    Args:
        row: `(Z,)` bool, which slices hold brain.
        length: slices of a window, at most Z.
    """
    with_brain = row.nonzero()[:, 0]
    if len(with_brain) == 0:
        return []
    first = min(int(with_brain[0]), len(row) - length)
    final = max(int(with_brain[-1]) - length + 1, first)
    starts = [*range(first, final, max(length // 2, 1)), final]
    distances = with_brain[:, None] - (torch.tensor(starts) + (length - 1) / 2)  # (slices, windows)
    nearest = distances.abs().argmin(dim=1)
    taken = [tuple(with_brain[nearest == window].tolist()) for window in range(len(starts))]
    return [SliceWindow(case, start, slices) for start, slices in zip(starts, taken, strict=True) if slices]
