"""What a prediction is about: samples, targets, and the ledger that its rows go to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, final

from torch import Tensor, nn

from overtone.nn import Field
from overtone.signals import Signal
from overtone.spectra import Bands, NoiseFloor
from overtone.theory.dynamics.linear import Moment
from overtone.theory.dynamics.pilot import Pilot
from overtone.theory.dynamics.record import Ledger

if TYPE_CHECKING:
    import xarray


@final
class Normalised(nn.Module):
    """A field's outputs as the training loss sees them."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.field = field

    def forward(self, coords: Tensor) -> Tensor:
        """(N, C) normalised values at (N, d) physical coordinates."""
        return self.field.normalised(coords)


@final
@dataclass(frozen=True)
class Scene:
    """Samples to predict.

    Attributes:
        ledger: Turns outputs into rows.
        x: (N, d) coordinates.
        y: (N, C) targets as the loss sees them.
        train: (n,) rows that are trained on.
        rate: Learning rate per step.
    """

    ledger: Ledger
    x: Tensor
    y: Tensor
    train: Tensor
    rate: Callable[[int], float]

    @staticmethod
    def of(
        signal: Signal,
        part: Signal,
        network: Field,
        rate: Callable[[int], float],
        bands: Bands | None,
        noise: NoiseFloor | None,
    ) -> Scene:
        """The scene of a part of a signal, in the normalisation of the whole.

        Args:
            signal: What is trained on.
            part: What is predicted.
            network: The field; its device and precision are used.
            rate: Learning rate per step.
            bands: Bands of the record, or None for the default ones.
            noise: The noise floor, if known.
        """
        device = next(network.parameters()).device
        return Scene(
            Ledger(replace(part, normalisation=signal.normalisation), bands, noise),
            part.coords.to(device),
            signal.normalisation.apply(part.values).to(device, network.dtype),
            part.train_index.to(device),
            rate,
        )

    def walk(self, copy: Pilot, rows: Sequence[int], pilot: int) -> tuple[int, Tensor] | None:
        """Take the pilot and note rows on the way.

        Returns:
            Step and kernel of the trained outputs half way; None if there is no half way.
        """
        middle, kernel = pilot // 2, None
        for step in sorted({step for step in rows if step < pilot} | {middle, pilot}):
            copy.advance(step - copy.step)
            if step in rows and step < pilot:
                outputs = copy.outputs(self.x)
                loss = float((outputs - self.y)[self.train].square().mean())
                self.ledger.add(step, outputs.cpu(), loss, self.rate(step))
            if 1 <= step == middle < pilot:
                kernel = (step, copy.kernel(self.x[self.train]))
        return kernel

    def record(self, moments: Sequence[Moment], attrs: dict[str, Any]) -> xarray.Dataset:
        """The record of what was noted on the way and of these moments.

        Args:
            moments: Of the same steps at every call, or of the first of them.
            attrs: Attributes of the record.
        """
        for moment in moments:
            self.ledger.add(moment.step, moment.outputs.cpu(), moment.loss, self.rate(moment.step))
        return self.ledger.record(attrs).sel(step=slice(None, moments[-1].step))
