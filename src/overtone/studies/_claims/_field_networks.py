"""Small networks from fields to fields, their training, and the powers of their predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from overtone.spectra import GridTransform, PairPower, PairSums

Loss = Callable[[Tensor, Tensor], Tensor]


class UNet(nn.Module):
    """Three resolutions of two periodic convolutions each, joined by skip connections (Ronneberger et al. 2015)."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.down = nn.ModuleList([_convolutions(inputs, width), _convolutions(width, 2 * width)])
        self.middle = _convolutions(2 * width, 2 * width)
        self.up = nn.ModuleList([_convolutions(4 * width, width), _convolutions(2 * width, width)])
        self.last = nn.Conv2d(width, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (sample, outputs, rows, columns) from fields whose sides are multiples of 4."""
        levels = []
        for block in self.down:
            levels.append(block(x))
            x = nn.functional.avg_pool2d(levels[-1], 2)
        x = self.middle(x)
        for block, level in zip(self.up, reversed(levels), strict=True):
            x = block(torch.cat([nn.functional.interpolate(x, scale_factor=2), level], 1))
        return self.last(x)


def _convolutions(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="circular"),
        nn.GELU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, padding_mode="circular"),
        nn.GELU(),
    )


class FNO(nn.Module):
    """Fourier neural operator (Li et al. 2021): layers that mix channels in each of the lowest Fourier modes.

    Args:
        inputs: Channels of the input.
        outputs: Channels of the output.
        width: Channels within.
        modes: Wavenumbers per axis, from 0 to `modes` - 1, that the layers act on.
        layers: Number of layers.
        bypass: Whether a pointwise map of the channels is added in each layer, as usual. It alone passes on the other
            modes.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, modes: int, layers: int = 4, *, bypass: bool = True
    ) -> None:
        super().__init__()
        self.modes = modes
        self.first, self.last = nn.Conv2d(inputs, width, 1), nn.Conv2d(width, 2 * width, 1)
        self.output = nn.Conv2d(2 * width, outputs, 1)
        shape = (width, width, 2 * modes - 1, modes, 2)
        self.weights = nn.ParameterList([torch.randn(shape, device="cpu") / width for _ in range(layers)])
        self.bypass = nn.ModuleList([nn.Conv2d(width, width, 1) for _ in range(layers if bypass else 0)])

    def forward(self, x: Tensor) -> Tensor:
        """Return (sample, outputs, rows, columns)."""
        x = self.first(x)
        for layer, weight in enumerate(self.weights):
            y = self._spectral(x, torch.view_as_complex(weight))
            if len(self.bypass):
                y = y + self.bypass[layer](x)
            x = nn.functional.gelu(y) if layer < len(self.weights) - 1 else y
        return self.output(nn.functional.gelu(self.last(x)))

    def _spectral(self, x: Tensor, weight: Tensor) -> Tensor:
        modes = torch.fft.rfft2(x)
        rows = torch.arange(1 - self.modes, self.modes, device=x.device)
        chosen = modes[:, :, rows, : self.modes]
        result = torch.zeros_like(modes)
        result[:, :, rows, : self.modes] = torch.einsum("bixy,ioxy->boxy", chosen, weight)
        return torch.fft.irfft2(result, s=x.shape[-2:])


def train_on_fields(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    steps: int,
    *,
    rate: float = 2e-3,
    batch: int = 16,
    loss: Loss = nn.functional.mse_loss,
    observe: Callable[[int], None] = lambda _step: None,
) -> None:
    """Train with Adam, a rate that falls as a cosine, and batches shifted at random along both periodic axes.

    Batches and shifts are drawn from torch's generator.

    Args:
        network: The network.
        inputs: (sample, channel, rows, columns) inputs.
        targets: (sample, channel, rows, columns) targets.
        steps: Number of steps.
        rate: First learning rate.
        batch: Samples per batch.
        loss: Of predictions and targets.
        observe: Called after each step with its number, from 1.
    """
    optimizer = torch.optim.Adam(network.parameters(), rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(1, steps + 1):
        chosen = torch.randint(len(inputs), (batch,), device="cpu")
        shifts = [int(s) for s in torch.randint(inputs.shape[-1], (2,), device="cpu")]
        x, y = (fields[chosen].roll(shifts, (-2, -1)) for fields in (inputs, targets))
        optimizer.zero_grad()
        loss(network(x), y).backward()
        # The amplitude's gradient is steep where a band has no power yet.
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        observe(step)


def wavenumber_bands(side: int) -> GridTransform:
    """Return the transform of periodic fields to bands of one wavenumber each, up to the highest resolved one."""
    highest = (side - 1) // 3
    return GridTransform(
        (side, side), 1 / side, periodic=True, bands=[0, *(k + 0.5 for k in range(highest + 1))]
    )


def predict(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the outputs of a network, without gradients, in parts of 64 samples."""
    with torch.no_grad():
        return torch.cat([network(part) for part in inputs.split(64)])


def compare(predictions: Tensor, targets: Tensor) -> PairPower:
    """Return the powers of (sample, channel, side, side) predictions and targets per wavenumber."""
    sums = PairSums(wavenumber_bands(targets.shape[-1]), targets.shape[1])
    sums.update(predictions, targets)
    return sums.compute()


def upper_bands(side: int) -> slice:
    """Return the bands of the upper half of the resolved wavenumbers; band k holds wavenumber k."""
    highest = (side - 1) // 3
    return slice(highest // 2 + 1, highest + 1)


def total(power: Tensor, bands: slice, channel: int = -1) -> float:
    """Return the power of a channel in several bands."""
    return float(power[bands, channel].sum())


def power_decibels(power: Tensor, reference: Tensor, bands: slice, channel: int = -1) -> float:
    """Return ten times the logarithm of the ratio of powers of a channel in several bands."""
    return 10 * float(torch.log10(power[bands, channel].sum() / reference[bands, channel].sum()))


def wavenumbers(side: int) -> Sequence[int]:
    """Return the wavenumbers that the solver resolves."""
    return range(1, (side - 1) // 3 + 1)
