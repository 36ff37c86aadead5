"""Small real runs on data that ship with other libraries: measurements, and whether the claims hold.

`python -m benchmarks real_runs`, some minutes. Every row is shown, also where a claim does not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.stats
import skimage.data
import torch
import xarray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from torch import Tensor, nn

from benchmarks import two_tones
from overtone import spectra
from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP, CoordinateScaling, Field, encodings
from overtone.nn.activations import Activation
from overtone.probes import LogSchedule, Probe, View, views
from overtone.records import metrics
from overtone.spectra import clouds

SHARES = (0.75, 0.5, 0.25)
"""Shares of the targets' energy that the three filters keep."""
SEEDS = (0, 1, 2)
OFTEN = 0.9
Rows = list[dict[str, object]]
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Data:
    """Inputs (N, ...), targets (labels or values), and the loss that they are learned with."""

    inputs: Tensor
    targets: Tensor
    loss: Loss

    @property
    def values(self) -> Tensor:
        """(N, C) float64 targets."""
        if self.targets.is_floating_point():
            return self.targets.double()
        return nn.functional.one_hot(self.targets).double()

    def shuffled(self, seed: int) -> Data:
        """Each input with the target of another."""
        order = torch.from_numpy(numpy_generator(seed, "shuffled").permutation(len(self.targets)))
        return Data(self.inputs, self.targets[order], self.loss)


def digits() -> Data:
    """1,797 pictures of 8 x 8 pixels and their 10 classes."""
    bunch = load_digits()
    pictures = torch.tensor(bunch.images / 16, dtype=torch.float32)[:, None]
    return Data(pictures, torch.tensor(bunch.target), nn.functional.cross_entropy)


def cancer() -> Data:
    """569 rows of 30 measurements of cell nuclei, of no mean and unit variance; benign or malignant."""
    x, y = load_breast_cancer(return_X_y=True)
    return Data(_standardised(x), torch.tensor(y), nn.functional.cross_entropy)


def diabetes() -> Data:
    """442 rows of 10 measurements, of no mean and unit variance; the disease's progress, likewise."""
    x, y = load_diabetes(return_X_y=True)
    return Data(_standardised(x), _standardised(y[:, None]), nn.functional.mse_loss)


def _standardised(table: np.ndarray) -> Tensor:
    return torch.tensor((table - table.mean(0)) / table.std(0), dtype=torch.float32)


def mlp(inputs: int, outputs: int) -> nn.Module:
    """One hidden layer of 200 tanh units."""
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 200), nn.Tanh(), nn.Linear(200, outputs))


def cnn() -> nn.Module:
    """Two convolutions with pooling between, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


def train(
    data: Data, build: Callable[[], nn.Module], seed: int, probe_views: list[View]
) -> list[xarray.Dataset]:
    """Records of 600 steps of Adam, 1e-3, on batches of 128, a record for each view."""
    source = torch.Generator().manual_seed(derive_seed(seed, "batches"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    with Probe(probe_views, network) as probe:
        for step in range(601):
            batch = torch.randint(len(data.targets), (128,), generator=source)
            loss = data.loss(network(data.inputs[batch]), data.targets[batch])
            probe(step, loss.detach(), force=step == 600)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return [probe.records[view.name].load() for view in probe_views]


def filters(data: Data, widths: Tensor) -> list[View]:
    """A view for each width: its bands are the mean, the low and the high part."""
    return [
        views.filters(data.inputs, data.targets, widths=[width], name=f"width-{i}")
        for i, width in enumerate(widths.tolist())
    ]


def low_and_high(records: list[xarray.Dataset]) -> tuple[np.ndarray, np.ndarray]:
    """(width, step) relative errors of low and high parts."""
    errors = [
        metrics.relative_error(metrics.combine_channels(r)).transpose("step", "band").values for r in records
    ]
    return np.stack([e[:, 1] for e in errors]), np.stack([e[:, -1] for e in errors])


def filtered(name: str, data: Data, build: Callable[[], nn.Module]) -> Rows:
    """Low and high parts of the targets at three widths, as they are and shuffled."""
    widths = clouds.GaussianFilter.widths_for(data.inputs.flatten(1), data.values, SHARES, at_most=2000)
    first, gaps = [], []
    for seed in SEEDS:
        both = []
        for variant in (data, data.shuffled(seed)):
            low, high = low_and_high(train(variant, build, seed, filters(variant, widths)))
            both.append((high - low).mean(1))
            if variant is data:
                first.append((low < high).mean(1))
        gaps.append(both)
    share, (true, shuffled) = np.min(first, 0), np.mean(gaps, 0)
    note = f"widths {', '.join(f'{w:.2f}' for w in widths)}; least of {len(SEEDS)} seeds"
    smaller = np.array([pair[1] < pair[0] for pair in gaps]).all()
    return [
        row(
            name,
            f"e_low < e_high at >= {OFTEN:.0%} of the recorded steps",
            _each(share, "{:.0%}"),
            bool(share.min() >= OFTEN),
            note,
        ),
        row(
            name,
            "shuffled targets have the smaller gap",
            f"{_each(true)} against {_each(shuffled)}",
            bool(smaller),
            "mean of e_high - e_low over the steps, per width",
        ),
    ]


def on_graph(name: str, data: Data, build: Callable[[], nn.Module]) -> Rows:
    """Compare how well both halves of the targets' power on the graph of nearest rows are learned."""
    bias, held = [], []
    for seed in SEEDS:
        (record,) = train(data, build, seed, [views.graph(data.inputs, data.targets, modes=64)])
        index = metrics.spectral_bias_index(record).values
        bias.append(np.nanmean(index))
        held.append(np.nanmean(index > 0))
    claim = f"the low half of the power is learned better at >= {OFTEN:.0%} of the recorded steps"
    note = f"spectral bias index, mean over the steps, {_each(bias)} by seed; graph of 64 modes and the rest"
    return [row(name, claim, _each(held, "{:.0%}") + " by seed", bool(min(held) >= OFTEN), note)]


def sequences() -> Rows:
    """Compare when recurrent, convolutional and attention networks learn two tones."""
    return [
        row(
            str(result["name"]),
            "the low tone is learned first",
            str(result["low first"]),
            str(result["low first"]).startswith(f"{len(two_tones.SEEDS)} of"),
            f"low at step {result['low learned at step']}; high at {result['high learned at step']}; "
            f"later by a factor {result['high later by (median)']}",
        )
        for result in two_tones.main()
    ]


@dataclass(frozen=True)
class Scattered:
    """The photographer, 128 x 128 means of 4 x 4 pixels, at 4,000 random pixels and at 4,000 others."""

    picture: Tensor
    places: Tensor
    others: Tensor

    @staticmethod
    def draw(seed: int = 0) -> Scattered:
        """The picture, and places in picture heights."""
        picture = torch.from_numpy(skimage.data.camera() / 255.0).reshape(128, 4, 128, 4).mean((1, 3)).float()
        chosen = torch.from_numpy(numpy_generator(seed, "places").permutation(picture.numel())[:8000])
        places = (torch.stack([chosen // 128, chosen % 128], 1).double() + 0.5) / 128
        return Scattered(picture, places[:4000], places[4000:])

    def at(self, places: Tensor) -> Tensor:
        """(N, 1) values at pixels' centres."""
        row, column = (places * 128).long().unbind(1)
        return self.picture[row, column][:, None]


def fit_scattered(
    data: Scattered, encoding: encodings.Encoding
) -> tuple[list[xarray.Dataset], list[np.ndarray], Field]:
    """A coordinate network of 2 x 128 units, watched at the places that it learns and at others.

    Returns:
        A record for each, the power that white noise of variance 1 adds to their bands, and the network.
    """
    body = MLP(encoding.out_features, 1, 128, 2, Activation.RELU, seed=0)
    frame = CoordinateScaling.of((0.0, 0.0), (1.0, 1.0), ("picture height",) * 2, encoding.domain)
    field, target = Field(encoding, body, frame), data.at(data.places)
    probe_views = [
        views.points(coords, data.at(coords), domain=(0, 1), unit="picture height", name=name)
        for name, coords in (("places", data.places), ("others", data.others))
    ]
    optimizer = torch.optim.Adam(field.parameters(), 2e-3)
    with Probe(probe_views, field, schedule=LogSchedule(1.3)) as probe:
        for step in range(601):
            loss = (field(data.places) - target).square().mean()
            probe(step, loss.detach(), force=step == 600)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        records = [probe.records[view.name].load() for view in probe_views]
    noise = [
        view.transform.noise_power().numpy()
        for view in probe_views
        if isinstance(view.transform, spectra.PointsTransform)
    ]
    return records, noise, field


def scattered() -> Rows:
    """Scattered samples of a picture and a network of coordinates, without and with Fourier features."""
    data, table = Scattered.draw(), []
    for name, encoding in (
        ("plain network", encodings.Identity(2)),
        ("Fourier features, sigma 5", encodings.Gaussian(2, 128, 5.0, seed=0)),
    ):
        records, noise, field = fit_scattered(data, encoding)
        what, record = f"camera at 4,000 places, {name}", metrics.combine_channels(records[0])
        supported = record.attrs["nyquist"][0]
        trusted = (record.band_high.values <= supported * (1 + 1e-9)) & (record.band_low.values > 0)
        learned = metrics.learning_step(record).values[trusted]
        done = np.isfinite(learned)
        rank = float(scipy.stats.spearmanr(record.band.values[trusted][done], learned[done]).statistic)
        highest = float(metrics.highest_learned(record, int(record.step[-1])))
        claim = "of the bands learned the higher are later: rank correlation >= 0.9"
        note = f"{int(done.sum())} of {len(learned)} bands learned in 600 steps, without a gap up to "
        note += f"{highest:.3g} of the {supported:.3g} cycles per picture height that the places support"
        table.append(row(what, claim, f"{rank:.2f}", bool(rank >= 0.9), note))
        table.append(_against_all(what, data, records, noise, field))
    return table


def _against_all(
    what: str, data: Scattered, records: list[xarray.Dataset], noise: list[np.ndarray], field: Field
) -> dict[str, object]:
    """Compare the residual's power estimated at scattered places with that on every pixel of the picture."""
    everywhere = (torch.cartesian_prod(torch.arange(128.0), torch.arange(128.0)).double() + 0.5) / 128
    with torch.no_grad():
        residual = data.picture - field(everywhere).reshape(128, 128)
    off, plain = [], []
    for record, adds in zip(records, noise, strict=True):
        bands = spectra.Bands((*record.band_low.values.tolist(), float(record.band_high[-1])))
        power = spectra.grid(residual, bands=bands).power[:, 0].numpy()
        whole, outside = power[1 : len(adds)], power[len(adds) :].sum()
        estimate = record.residual_power.isel(step=-1, channel=0).values[1:]
        plain.append(np.median(10 * np.log10(estimate / whole)))
        off.append(np.median(10 * np.log10(estimate / (whole + adds[1:] * outside))))
    claim = (
        "the residual's power at 4,000 other places is the whole picture's with the predicted bias to 3 dB"
    )
    note = f"median band; {plain[1]:+.1f} dB without the bias; from the places that it was trained on {off[0]:+.1f} dB"
    return row(what, claim, f"{off[1]:+.1f} dB", bool(abs(off[1]) <= 3), note)


def row(name: str, claim: str, measured: str, holds: bool, note: str) -> dict[str, object]:
    return {
        "name": name,
        "claim": claim,
        "measured": measured,
        "holds": "yes" if holds else "no",
        "note": note,
    }


def _each(values: object, form: str = "{:.2f}") -> str:
    return ", ".join(form.format(v) for v in np.asarray(values))


RUNS: dict[str, Callable[[], Rows]] = {
    "digits, MLP": lambda: filtered("digits, MLP 64-200-10", digits(), partial(mlp, 64, 10)),
    "digits, CNN": lambda: filtered("digits, CNN", digits(), cnn),
    "cancer, filters": lambda: filtered("breast cancer, MLP 30-200-2", cancer(), partial(mlp, 30, 2)),
    "cancer, graph": lambda: on_graph("breast cancer, MLP 30-200-2", cancer(), partial(mlp, 30, 2)),
    "diabetes, filters": lambda: filtered("diabetes, MLP 10-200-1", diabetes(), partial(mlp, 10, 1)),
    "diabetes, graph": lambda: on_graph("diabetes, MLP 10-200-1", diabetes(), partial(mlp, 10, 1)),
    "camera": scattered,
    "two tones": sequences,
}


def main() -> Rows:
    """All runs, a row for each claim."""
    return [line for run in RUNS.values() for line in run()]
