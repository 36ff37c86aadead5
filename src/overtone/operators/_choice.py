"""`Choice`: the bandwidth for a network on a measured field, with everything it was chosen by."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import final

from overtone import units
from overtone._utils.display import Displayed
from overtone.operators._advice import Advice
from overtone.operators._evidence import is_measurement
from overtone.operators._kernel import KernelSolution
from overtone.operators._least_squares import Solution
from overtone.operators._linear_part import Check
from overtone.signals import Measured

UNCERTAIN = 0.1**0.5
"""Error of the best candidate, or root of its loss, above which least squares does not rank reliably."""


class ChoiceVerdict(Enum):
    """Basis and reliability of the choice; the value is its name in JSON."""

    RANKED = "ranked"
    RACED = "raced"
    PILOT = "pilot"
    CANNOT_TELL = "cannot tell"


@final
@dataclass(frozen=True)
class TriedBandwidth:
    """A bandwidth that was tried.

    Attributes:
        cycles: Standard deviation of Gaussian frequencies, in cycles per domain.
        sigma: Per axis, in cycles per unit.
        losses: At each of the ridges the held-out loss of an equation, over that of the zero field; of measurements of
            samples the mean square error of predicting each from those before it, over that of zero.
        trained: After a short training, relative error to the kernel solution where that is trusted, else the root of
            the held-out loss over that of the zero field; None if it did not take part.
        converged: Whether the Gauss-Newton steps converged.
        errors: At each of the ridges the relative error to the kernel solution, of linear equations that this solves;
            empty otherwise.
    """

    cycles: float
    sigma: tuple[float, ...]
    losses: tuple[float, ...]
    trained: float | None = None
    converged: bool = True
    errors: tuple[float, ...] = ()

    @property
    def loss(self) -> float:
        """Geometric mean of the losses over the ridges."""
        return _mean(self.losses)

    @property
    def score(self) -> float:
        """Score by which candidates are ranked: geometric mean of the errors over the ridges, or root of the loss."""
        return _mean(self.errors) if self.errors else math.sqrt(self.loss)


def _mean(values: tuple[float, ...]) -> float:
    return math.exp(sum(math.log(max(x, 1e-300)) for x in values) / len(values))


@final
@dataclass(frozen=True, eq=False, repr=False)
class Choice(Displayed):
    """The bandwidth chosen for a network on a measured field, with the results that it was chosen by.

    Attributes:
        problem: The measured field.
        verdict: RANKED by least squares alone; RACED where a short training decided between the best; PILOT by short
            trainings of all candidates; CANNOT_TELL for equations with several stable states, and for measurements
            that no bandwidth explains better than noise does.
        best: The chosen candidate.
        candidates: All of them, lowest first.
        steps: Steps of the training that the choice is for.
        kernel: The kernel solution.
        checks: Measured properties of each term's operator, such as whether it is linear.
        network: Random-feature solution of the network at the chosen bandwidth, at the ridge of training.
        advice: Waves, layers, points, scales, precision and weights.
        skipped: Cycles per domain that were not compared because the time limit was reached.
        balanced: Whether terms of weight 1 got the weights of `problem`, since a training would not see the smallest.
    """

    problem: Measured
    verdict: ChoiceVerdict
    best: TriedBandwidth
    candidates: tuple[TriedBandwidth, ...]
    steps: int
    kernel: KernelSolution
    checks: tuple[Check, ...]
    network: Solution
    advice: Advice
    skipped: tuple[float, ...] = ()
    balanced: bool = False

    _display = "choice_display"

    @property
    def sigma(self) -> tuple[float, ...]:
        """Standard deviation of Gaussian frequencies per axis, in cycles per unit."""
        return self.best.sigma

    @property
    def bandwidth(self) -> tuple[float, ...]:
        """Bandwidth per axis, the frequency below which 90 % of the power lies, in cycles per unit."""
        return tuple(units.gaussian_bandwidth(s) for s in self.sigma)

    @property
    def uncertain(self) -> bool:
        """Whether the ranking is weak, because least squares at the ridges of training leaves much of the data."""
        return self.best.score > UNCERTAIN and not is_measurement(self.problem)

    @property
    def kernel_is_better(self) -> bool:
        """Whether the kernel solution can be trusted and leaves smaller held-out residuals than the network's."""
        return self.kernel.trusted and self.kernel.relative_residual**2 < min(self.best.losses)

    def setting(self, library: str, features: int = 64) -> tuple[float, ...]:
        """Return the value for a library's own parameter, one per axis, on coordinates in physical units.

        Args:
            library: A key of `units.CONVENTIONS`: "deepxde" for `sigmas` of MsFFN and STMsFFN, "jaxpi" for
                `embed_scale`, "tancik" for normally distributed frequencies with 2 pi, "siren" for omega_0; or "pina"
                for `sigma` of FourierFeatureEmbedding, which draws evenly between 0 and sigma. The highest frequency
                of the even draw is then that of a normal one, instead of the bandwidth.
            features: Frequencies of PINA's embedding, half of its `output_dimension`.

        Raises:
            InputError: If the name is unknown.
        """
        if library == "pina":
            return tuple(units.gaussian_highest(s, features) for s in self.sigma)
        return tuple(
            units.convert(b, "bandwidth", library, (0.0, 1.0), (0.0, 1.0), inputs=len(self.sigma))
            for b in self.bandwidth
        )

    def __repr__(self) -> str:
        sigma = " x ".join(f"{s:.3g}" for s in self.sigma)
        return f"<Choice: sigma {sigma} {self.problem.geometry.frequency_unit}, {self.verdict.value}>"

    def __str__(self) -> str:
        """The choice in sentences."""
        from overtone.operators._wording import choice_sentences

        return choice_sentences(self)
