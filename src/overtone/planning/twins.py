"""Kernel twins of scattered samples, followed for as long as the run will last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import derive, generator
from overtone.nn import Frame
from overtone.nn.encodings import Fourier
from overtone.planning.family import Family
from overtone.planning.size import Size
from overtone.signals import Points, Signal
from overtone.theory import kernel_regression as twin
from overtone.theory.kernel_regression.fit import schedule
from overtone.theory.ntk import infinite
from overtone.theory.ntk.infinite import Dense

SAMPLES = 4096
"""Samples in use that a twin is judged on."""

SHARE, FEWEST, MOST = 1 / 4, 256, 512
"""Landmarks that a twin's kernel is taken through: part of the training samples, at the least and at the most."""

STABLE = 2.0
"""Largest learning rate at which gradient descent is stable, in units of 1 / the kernel's largest eigenvalue."""


@final
@dataclass(frozen=True)
class Twins:
    """Held-out errors of the kernel twins of some encodings.

    A twin with all the time in the world learns with hardly any bandwidth what a run of some steps does not reach. So
    it is followed no further than gradient descent gets in the run's steps at the largest rate at which it is stable:
    to the time 2 steps / lambda, lambda being the largest eigenvalue of the twin's kernel between the training samples.

    Attributes:
        signal: At most 4,096 samples in use, some of them held out; see `of`.
        room: The network and the run.
        seed: Seeds frequencies and landmarks.
    """

    signal: Signal[Points]
    room: Size
    seed: int

    @staticmethod
    def of(signal: Signal[Points], room: Size, seed: int) -> Twins:
        """Twins on as many of a signal's samples as are needed.

        Args:
            signal: With samples held out.
            room: The network and the run.
            seed: Seeds the draw, frequencies and landmarks.
        """
        train, held = signal.train_index, signal.held_out_index
        share = min(1.0, SAMPLES / (len(train) + len(held)))
        masks: list[Tensor] = []
        for name, index in (("train", train), ("held out", held)):
            count = max(1, round(share * len(index)))
            drawn = generator(seed, "choose", name).permutation(len(index))[:count]
            mask = torch.zeros(len(signal.values), dtype=torch.bool, device="cpu")
            mask[index[torch.from_numpy(drawn)]] = True
            masks.append(mask)
        return Twins(signal.with_split(*masks), room, seed)

    @property
    def samples(self) -> int:
        """Samples in use."""
        return len(self.signal.train_index) + len(self.signal.held_out_index)

    @property
    def held_out(self) -> int:
        """Values that the errors are means of."""
        return len(self.signal.held_out_index) * self.signal.values.shape[1]

    @property
    def baseline(self) -> float:
        """Mean squared held-out error of the training mean, in value units squared."""
        values = self.signal.values.double()
        mean = values[self.signal.train_index].mean(0)
        return float((values[self.signal.held_out_index] - mean).square().mean())

    def error(self, family: Family, bandwidth: tuple[float, ...]) -> float:
        """Least mean squared held-out error within the run's time.

        Args:
            family: An encoding that has a twin.
            bandwidth: Its reach per axis, in cycles per unit.

        Returns:
            The error in value units squared, the mean over channels.
        """
        signal, places = self.signal, self.signal.geometry
        encoding = family.build(places, self.room.features, bandwidth, derive(self.seed, "encoding"))
        frame = Frame.of(places.origin, places.extent, places.units, encoding.domain)
        used = torch.cat([signal.train_index, signal.held_out_index])
        held = torch.arange(len(used), device="cpu") >= len(signal.train_index)
        inputs = (
            infinite.Fourier(encoding.frequencies, encoding.gain) if isinstance(encoding, Fourier) else None
        )
        layers = [Dense.ntk(sigma_b=0.0 if inputs else 1.0)] * (self.room.depth + 1)
        wide = infinite.fully_connected(layers, infinite.relu(), inputs)
        values = signal.normalisation.apply(signal.values.double())[used]
        coords = frame(places.coords(used))
        count = min(MOST, max(FEWEST, round(SHARE * len(signal.train_index))))
        found = twin.points(wide, coords, values, held, coords[:1], landmarks=count, seed=self.seed)
        unit = found.times[0] / schedule(1.0)[0]
        within = found.times <= STABLE * self.room.steps * unit
        scale = signal.normalisation.scale.to(found.error).square()
        return float((found.error * scale).mean(1)[within].min())
