"""Two-dimensional turbulence in a periodic box: one spectral solver, and pairs of states for networks to learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import final

import torch
from torch import Tensor

from overtone._utils.seeding import derive_seed
from overtone.studies._claims._shared import torch_seed


@final
@dataclass(frozen=True)
class VorticityModel:
    """The barotropic vorticity equation in a periodic box of side 2 pi, by Fourier modes.

        d omega / dt + u . grad omega = -nu (-laplace)^order omega,  u = curl psi,  laplace psi = omega.

    The advection is computed in physical space, and modes above a third of the samples per axis are set to 0, so that
    no mode is aliased (Orszag 1971). The steps are Runge and Kutta's of fourth order, whose error is all that changes
    energy and enstrophy without viscosity. The viscosity is integrated exactly.

    Attributes:
        side: Samples per axis.
        viscosity: nu, in units of the box and of time.
        order: Order of the viscosity; 1 is Newton's.
        step: Time step.
    """

    side: int
    viscosity: float
    order: int = 4
    step: float = 0.05

    def _wavenumbers(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Return the (side, 1) and (1, side // 2 + 1) wavenumbers in the precision of a field."""
        options = {"dtype": like.real.dtype, "device": like.device}
        rows = torch.fft.fftfreq(self.side, 1 / self.side, **options)
        columns = torch.fft.rfftfreq(self.side, 1 / self.side, **options)
        return rows[:, None], columns[None]

    def resolved(self, values: Tensor) -> Tensor:
        """Return (..., side, side) fields without their mean and the modes that the model does not resolve."""
        modes = torch.fft.rfft2(values)
        return torch.fft.irfft2(modes * self._mask(modes), s=values.shape[-2:])

    def _mask(self, modes: Tensor) -> Tensor:
        rows, columns = self._wavenumbers(modes)
        mask = (rows.abs() < self.side / 3) & (columns < self.side / 3)
        mask[0, 0] = False
        return mask

    def run(self, vorticity: Tensor, time: float) -> Tensor:
        """Return the vorticity after a time.

        Args:
            vorticity: (..., side, side) fields.
            time: The time, rounded to whole steps.
        """
        modes = torch.fft.rfft2(vorticity)
        rows, columns = self._wavenumbers(modes)
        square = rows.square() + columns.square()
        mask = self._mask(modes)
        half = torch.exp(-self.viscosity * square**self.order * self.step / 2) * mask
        inverse = mask / square.clamp(min=1)
        # u = -d psi / dy, v = d psi / dx with psi = -omega / k^2; rows are y.
        to_u, to_v = 1j * rows * inverse, -1j * columns * inverse
        back_u, back_v = -1j * columns * mask, -1j * rows * mask

        def advection(state: Tensor) -> Tensor:
            u, v, omega = torch.fft.irfft2(
                torch.stack([to_u * state, to_v * state, state]), s=vorticity.shape[-2:]
            )
            flux_x, flux_y = torch.fft.rfft2(torch.stack([u * omega, v * omega]))
            return back_u * flux_x + back_v * flux_y

        state = modes * mask
        for _ in range(round(time / self.step)):
            # Runge and Kutta's steps in the variable exp(nu k^2p t) omega, in which viscosity is no term.
            first = advection(state)
            second = advection(half * (state + self.step / 2 * first))
            third = advection(half * state + self.step / 2 * second)
            fourth = advection(half * (half * state + self.step * third))
            decayed = half * (half * (state + self.step / 6 * first) + self.step / 3 * (second + third))
            state = decayed + self.step / 6 * fourth
        return torch.fft.irfft2(state, s=vorticity.shape[-2:])

    def energy(self, vorticity: Tensor) -> Tensor:
        """Return the (...) kinetic energy per area, half the mean square of the velocity."""
        modes = torch.fft.rfft2(vorticity, norm="forward")
        rows, columns = self._wavenumbers(modes)
        square = rows.square() + columns.square()
        twice = torch.where((columns == 0) | (columns == self.side / 2), 1, 2)
        return (modes.abs().square() * twice / square.clamp(min=1) * (square > 0)).sum((-2, -1)) / 2


def random_vorticity(model: VorticityModel, samples: int, peak: float = 3.0) -> Tensor:
    """Return (sample, side, side) Gaussian fields of wavenumbers about a peak, with a velocity of mean square 1.

    They are drawn from torch's generator.

    Args:
        model: The model that is to run from them.
        samples: Number of fields.
        peak: Wavenumber about which the energy lies.
    """
    modes = torch.fft.rfft2(torch.randn(samples, model.side, model.side, device="cpu"))
    rows, columns = model._wavenumbers(modes)
    k = (rows.square() + columns.square()).sqrt()
    fields = model.resolved(
        torch.fft.irfft2(modes * k**2 * torch.exp(-((k / peak) ** 2)), s=(model.side,) * 2)
    )
    return fields / (2 * model.energy(fields)).sqrt()[:, None, None]


@final
@dataclass(frozen=True)
class Forecasts:
    """Analyses of developed turbulence and the states that follow; all in units of vorticity of `UNIT`.

    Attributes:
        analysis: (sample, 1, side, side) initial states with errors.
        initial: (sample, 1, side, side) initial states.
        states: (sample, lead, side, side) states after each lead time.
        leads: Lead times.
    """

    analysis: Tensor
    initial: Tensor
    states: Tensor
    leads: tuple[float, ...]

    def split(self, samples: int) -> tuple[Forecasts, Forecasts]:
        """Return the first samples and the others."""
        first, second = (
            Forecasts(self.analysis[part], self.initial[part], self.states[part], self.leads)
            for part in (slice(samples), slice(samples, None))
        )
        return first, second


UNIT = 3.0
"""Vorticity in units of which fields are passed to networks; near its standard deviation."""

_SPIN_UP = 3.0
"""Time after which the random fields have filaments, and a spectrum that changes little."""


def model_of(side: int) -> VorticityModel:
    """Return the model of the studies: viscosity acts on the last octave of the resolved wavenumbers."""
    return VorticityModel(side, 2.0 / (side / 3) ** 8, order=4, step=1.6 / side)


@lru_cache(maxsize=1)
def forecasts(seed: int, side: int, samples: int, leads: tuple[float, ...], error: float) -> Forecasts:
    """Return analyses and the states that follow, from independent runs of decaying turbulence.

    The analysis is the initial state plus white noise in vorticity, which in each mode has at most the power of the
    states. So large scales are known and small ones are not, as in real analyses.

    Args:
        seed: The seed.
        side: Samples per axis.
        samples: Number of runs.
        leads: Ascending lead times.
        error: Standard deviation of the white error, in the units of the states; 0 for none.
    """
    model = model_of(side)
    with torch_seed(derive_seed(seed, "turbulence"), "states"):
        state = model.run(random_vorticity(model, samples), _SPIN_UP) / UNIT
        analysis = state + analysis_error(model, state, error) if error else state
        states = run_leads(model, state, leads)
    return Forecasts(analysis[:, None], state[:, None], states, leads)


def run_leads(model: VorticityModel, states: Tensor, leads: Sequence[float]) -> Tensor:
    """Return the (sample, lead, side, side) states after each lead time, in the units of `Forecasts`.

    Args:
        model: The model.
        states: (sample, side, side) initial states.
        leads: Ascending lead times.
    """
    results, time = [], 0.0
    for lead in leads:
        states, time = model.run(states * UNIT, lead - time) / UNIT, lead
        results.append(states)
    return torch.stack(results, 1)


def analysis_error(model: VorticityModel, states: Tensor, error: float) -> Tensor:
    """Return (sample, side, side) errors of analyses, from torch's generator.

    Args:
        model: The model.
        states: (sample, side, side) states, whose mean power bounds that of the errors.
        error: Standard deviation of the white noise.
    """
    power = torch.fft.rfft2(states).abs().square().mean(0)
    noise = torch.fft.rfft2(error * torch.randn(states.shape, device="cpu"))
    limit = (power / (error * model.side) ** 2).clamp(max=1).sqrt()
    return torch.fft.irfft2(noise * limit, s=states.shape[-2:])


def posterior(states: Tensor, analysis: Tensor, error: float, members: int) -> Tensor:
    """Return (member, sample, side, side) initial states that an analysis allows, from torch's generator.

    States and errors are taken as Gaussian with independent modes. With Ps and Pe their power, a state is the analysis
    times Ps / (Ps + Pe), plus noise of power Ps Pe / (Ps + Pe): its power is Ps again.

    Args:
        states: (sample, side, side) states, whose mean power is Ps.
        analysis: (sample, side, side) analyses.
        error: Standard deviation of the white error that `forecasts` adds.
        members: States per analysis.
    """
    side = states.shape[-1]
    power = torch.fft.rfft2(states).abs().square().mean(0)
    noise = power.clamp(max=(error * side) ** 2)
    gain = torch.where(power > 0, power / (power + noise), 0.0)
    white = torch.fft.rfft2(torch.randn(members, *analysis.shape, device="cpu"))
    modes = gain * torch.fft.rfft2(analysis) + white * (gain * noise).sqrt() / side
    return torch.fft.irfft2(modes, s=(side, side))
