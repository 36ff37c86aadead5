"""Views of layers, paths, sensitivity, gradients and samples: a probe's rows are what the estimators say themselves."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from overtone import signals
from overtone.errors import InputError
from overtone.probes import EveryN, Observer, Probe, ProbeWarning, views
from overtone.spectra import generated as samples
from overtone.spectra import paths
from overtone.spectra.linear_readout import FeatureBudget, read_out
from overtone.spectra.sensitivity import InputNormalisation, ScoreGradient, gradient_spectrum, heat_map
from tests.probes.test_views import normal, uniform

SINGLE, DOUBLE = np.finfo(np.float32).eps, np.finfo(np.float64).eps


def seeded(make, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def classifier(dtype=torch.float64):
    def body():
        head = nn.Linear(4 * 6 * 6, 3)
        return nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Dropout(0.5), head)

    return seeded(body).to(dtype)


def pictures(count=12):
    return uniform(count, 2, 6, 6), torch.arange(count) % 3


def one_row(view, network, tmp_path, **options):
    with Probe(view, network, tmp_path, **options) as probe:
        probe(0)
    assert probe.faults == []
    return probe.record.isel(step=0)


def test_layers_are_read_out_as_by_hand(tmp_path):
    """Twin: activations of a forward pass by hand, projected by hand. Both fit the same float64 numbers; what differs
    is the zeros that fill up narrow layers, rounding of about 60 x eps in the singular values, square in the power."""
    x, y = normal(40, 5), normal(40, 2, seed=1)
    network = seeded(lambda: nn.Sequential(nn.Linear(5, 9), nn.Tanh(), nn.Linear(9, 2))).double()
    graph = views.graph(x, y, modes=12)
    width = FeatureBudget.projected(6, seed=3)
    row = one_row(views.layers(graph, ["0", "1", "2"], width=width), network, tmp_path)
    given = {"0": network[0](x), "1": network[:2](x), "2": network(x)}
    narrow = {
        name: a.detach() @ width.matrix(9).float().double() if a.shape[1] > 6 else a.detach()
        for name, a in given.items()
    }
    expected = read_out(narrow, y, graph.transform, width=FeatureBudget.full())
    assert list(row.channel.values) == ["0", "1", "2"]
    np.testing.assert_allclose(row.residual_power.T, expected.residual_power.sum(2), rtol=1e5 * DOUBLE)
    np.testing.assert_allclose(row.target_power[:, 1], expected.target_power.sum(1), rtol=1e-12)
    assert np.isnan(row.cross_power).all()


def test_layers_hold_what_they_are_made_to_hold(tmp_path):
    """A layer of a low and one of a high wave: each reads out its own and not the other, which is noise to its fit."""

    class Waves(nn.Module):
        def __init__(self):
            super().__init__()
            self.low, self.high = nn.Identity(), nn.Identity()

        def forward(self, x):
            angle = 2 * math.pi * (x + 1 / 128)
            return self.low((2 * angle).cos()) + self.high((9 * angle).cos())

    angle = 2 * math.pi * (torch.arange(64, dtype=torch.float64) + 0.5) / 64
    signal = signals.array((2 * angle).cos() + (9 * angle).cos())
    view = views.layers(views.GridView(signal), ["low", "high"])
    row = one_row(view, Waves(), tmp_path)
    band = [int(np.searchsorted(row.band_high, f, side="right")) for f in (2, 9)]
    share = (row.residual_power / row.target_power).values[band]
    assert share[0, 0] < 1e-2
    assert share[1, 1] < 1e-2
    assert share[1, 0] > 0.5
    assert share[0, 1] > 0.5


@pytest.mark.parametrize("body", [nn.GRU, nn.LSTM])
def test_layers_of_sequences_are_read_out_moment_by_moment(body, tmp_path):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.out = body(1, 5, batch_first=True), nn.Linear(5, 1)

        def forward(self, u):
            return self.out(self.body(u)[0])

    network = seeded(Recurrent).double()
    u, y = normal(6, 20, 1), normal(6, 20, 1, seed=1)
    sequence = views.sequence(u, y)
    row = one_row(views.layers(sequence, ["body"]), network, tmp_path)
    hidden = network.body(u)[0].detach().reshape(120, 5)
    expected = read_out({"body": hidden}, y.reshape(120, 1), sequence.transform, width=FeatureBudget.full())
    np.testing.assert_allclose(row.residual_power[:, 0], expected.residual_power[0, :, 0], rtol=1e5 * DOUBLE)


def test_a_dead_layer_reads_out_the_mean_and_leaves_the_others_their_row(tmp_path):
    x = normal(40, 5)
    network = seeded(lambda: nn.Sequential(nn.Linear(5, 9), nn.ReLU(), nn.Linear(9, 2))).double()
    with torch.no_grad():
        network[0].bias.fill_(-100)
    row = one_row(views.layers(views.graph(x, x[:, :2], modes=12), ["0", "1"]), network, tmp_path)
    assert np.isfinite(row.residual_power).all()
    varying = row.residual_power[1:].sum("band") / row.target_power[1:].sum("band")
    assert float(varying[1]) == pytest.approx(1, rel=0.1)
    assert float(varying[0]) < 1e-6


def test_paths_are_measured_as_by_hand(tmp_path):
    """The probe evaluates in chunks of its own, which changes the order of float64 sums: some eps of the largest."""
    x, labels = normal(30, 4), torch.arange(30) % 3
    network = seeded(lambda: nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))).double()
    for number, along in enumerate(
        (paths.Paths.between_classes(x, labels, 7), paths.Paths.through(x[None], True))
    ):
        row = one_row(views.paths(along, samples=16), network, tmp_path / str(number))
        expected = paths.path_spectrum(network, along, 16)
        bounds = {"rtol": 1e-9, "atol": 1e3 * DOUBLE * float(expected.power.max())}
        np.testing.assert_allclose(row.residual_power[:, 0], expected.spectrum.power.sum(1), **bounds)
        np.testing.assert_allclose(row.band_high, expected.bands.high)
        assert not row.target_power.any()


def test_paths_with_a_teacher_compare_with_it(tmp_path):
    x, labels = normal(30, 4), torch.arange(30) % 3
    along = paths.Paths.within_classes(x, labels, 5)
    teacher, student = (seeded(lambda: nn.Linear(4, 2).double(), seed) for seed in (0, 1))
    with torch.no_grad():
        row = one_row(views.paths(along, teacher, samples=12), student, tmp_path / "a")
        expected = paths.path_spectrum(lambda v: teacher(v) - student(v), along, 12).spectrum.power
        np.testing.assert_allclose(row.residual_power, expected, rtol=1e-9, atol=1e-14)
        assert float(row.residual_power.sum("band").mean()) == pytest.approx(
            float(row.train_error), rel=1e-12
        )
        own = one_row(views.paths(along, teacher, samples=12), teacher, tmp_path / "b")
    np.testing.assert_allclose(own.residual_power, 0, atol=1e-28)
    np.testing.assert_allclose(own.cross_power, own.target_power, rtol=1e-9, atol=1e-14)


def test_error_rates_are_those_of_the_heat_map(tmp_path):
    """With all modes of every band and the same seed, the view is the heat map's radial mean, exactly."""
    pixels, labels = pictures()
    network = classifier().eval()
    normalise = InputNormalisation.standardise([0.4, 0.6], [0.2, 0.3])
    view = views.sensitivity(pixels, labels, 3.0, normalise=normalise, modes=100, seed=5)
    row = one_row(view, network, tmp_path)
    whole = heat_map(network, pixels, labels, 3.0, normalise=normalise, seed=5)
    found = whole.radial(view.metric.bands)
    np.testing.assert_allclose(row.residual_power[:, 0], found.rate.mean, rtol=1e-12)
    assert float(row.clean_error) == pytest.approx(whole.clean_error)
    assert found.rate.mean.std() > 0
    other = views.sensitivity(pixels, labels, 3.0, normalise=InputNormalisation.none(), modes=100, seed=5)
    assert not np.allclose(one_row(other, network, tmp_path / "b").residual_power, row.residual_power)


def test_few_modes_stand_for_their_band():
    pixels, labels = pictures()
    view = views.sensitivity(pixels, labels, 1.0, normalise=InputNormalisation.none(), modes=2)
    radius = (view.metric._mode_numbers.double() / 6).norm(dim=1)
    band = view.metric.bands.index(radius)
    modes = (
        heat_map(classifier().eval(), pixels, labels, 1.0, normalise=InputNormalisation.none())
        .radial(view.metric.bands)
        .modes
    )
    assert torch.equal(torch.bincount(band, minlength=view.metric.bands.count), modes.clamp(max=2))
    again = views.sensitivity(pixels, labels, 1.0, normalise=InputNormalisation.none(), modes=2)
    other = views.sensitivity(pixels, labels, 1.0, normalise=InputNormalisation.none(), modes=2, seed=1)
    assert torch.equal(view.metric._mode_numbers, again.metric._mode_numbers)
    assert not torch.equal(view.metric._mode_numbers, other.metric._mode_numbers)


def test_gradients_are_those_of_the_network_in_eval_mode_and_it_gets_none(tmp_path):
    """Twin: `gradient_spectrum` by hand. Float64, a few hundred operations: far below 1e-10."""
    pixels, labels = pictures()
    network = classifier()
    normalise = InputNormalisation.standardise(0.5, 0.25)
    row = one_row(
        views.gradients(pixels, labels, normalise=normalise, score=ScoreGradient.of_logit), network, tmp_path
    )
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    expected = gradient_spectrum(ScoreGradient.of_logit(network.eval(), normalise), pixels, labels).spectrum
    np.testing.assert_allclose(row.residual_power, expected.power, rtol=1e-10)
    assert not row.target_power.any()


def test_generated_samples_are_compared_with_data(tmp_path):
    """Twin: the profiles by hand. Then gains: half the amplitude of the data is a learned fraction of a half."""
    data = uniform(20, 3, 8, 8)
    latents = data[:6]
    view = views.generated(latents, data)

    class Generator(nn.Module):
        def __init__(self, gain):
            super().__init__()
            self.gain = nn.Parameter(torch.tensor(gain, dtype=torch.float64))

        def forward(self, z):
            return self.gain * z

    row = one_row(view, Generator(0.7), tmp_path / "a")
    wanted, drawn = (samples.profiles(p.movedim(1, -1)).mean for p in (data, 0.7 * latents))
    np.testing.assert_allclose(row.target_power, wanted, rtol=1e-10)
    np.testing.assert_allclose(row.residual_power, (wanted.sqrt() - drawn.sqrt()) ** 2, rtol=1e-8, atol=1e-16)
    half = one_row(views.generated(data, data), Generator(0.5), tmp_path / "b")
    np.testing.assert_allclose(half.cross_power / half.target_power, 0.5, rtol=1e-10)
    np.testing.assert_allclose(half.residual_power / half.target_power, 0.25, rtol=1e-10)


def watched():
    pixels, labels = pictures()
    graph = views.graph(pixels, labels, modes=6)
    return [
        graph,
        views.layers(graph, ["0", "4"], width=FeatureBudget.projected(4)),
        views.paths(paths.Paths.between_classes(pixels, labels, 4), samples=8),
        views.sensitivity(pixels, labels, 1.0, normalise=InputNormalisation.none(), modes=1),
        views.gradients(pixels, labels, normalise=InputNormalisation.none()),
    ]


def trained(tmp_path, seen):
    """Parameters and generator after some steps with dropout."""
    pixels, labels = pictures()
    network = classifier(torch.float32)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        probe = Probe(seen, network, tmp_path, schedule=EveryN()) if seen else None
        for step in range(6):
            if probe:
                probe(step)
            loss = nn.functional.cross_entropy(network(pixels.float()), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        state = torch.get_rng_state()
    if probe:
        assert probe.faults == []
        assert all(np.isfinite(record.residual_power).all() for record in probe.records.values())
        probe.close()
    return [p.detach().clone() for p in network.parameters()], state


def test_a_run_watched_by_all_views_is_bit_identical_to_one_without(tmp_path):
    alone, state = trained(tmp_path, None)
    seen, state_seen = trained(tmp_path / "run", watched())
    assert all(torch.equal(a, b) for a, b in zip(alone, seen, strict=True))
    assert torch.equal(state, state_seen)


def test_chunks_do_not_matter(tmp_path):
    """Float32 sums in another order: hundreds of terms, so some hundred eps of the largest power."""
    rows = []
    for number, memory in enumerate((1.0, 1e-9)):
        with Probe(watched(), classifier(torch.float32), tmp_path / str(number), memory=memory) as probe:
            probe(0)
        assert probe.faults == []
        rows.append({name: record.residual_power.values for name, record in probe.records.items()})
    for name, power in rows[0].items():
        np.testing.assert_allclose(
            rows[1][name], power, rtol=1e-3, atol=1e3 * SINGLE * power.max(), err_msg=name
        )


def test_trouble_in_one_view_marks_its_row_alone(tmp_path):
    pixels, labels = pictures()

    class Detached(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.ails = classifier(), False

        def forward(self, x):
            return self.body(x).detach() if self.ails else self.body(x)

    network = Detached()
    seen = [
        views.graph(pixels, labels, modes=6),
        views.gradients(pixels, labels, normalise=InputNormalisation.none()),
    ]
    with Probe(seen, network, tmp_path, schedule=EveryN()) as probe:
        probe(0)
        network.ails = True
        with pytest.warns(ProbeWarning, match="logits that PyTorch can differentiate"):
            probe(1)
        network.ails = False
        probe(2)
    lost = {
        name: list(np.isnan(record.residual_power).all(("band", "channel")).values)
        for name, record in probe.records.items()
    }
    assert lost == {"graph": [False, False, False], "gradients": [False, True, False]}
    assert [fault["view"] for fault in probe.faults] == ["gradients"]


def test_outputs_that_are_not_finite_are_told(tmp_path):
    pixels, labels = pictures()
    network = classifier()
    view = views.paths(paths.Paths.between_classes(pixels, labels, 4), samples=8)
    with Probe(view, network, tmp_path) as probe:
        with torch.no_grad():
            network[4].bias.fill_(math.nan)
        with pytest.warns(ProbeWarning, match="outputs are not finite"):
            probe(0)
    assert np.isnan(probe.record.residual_power).all()


def test_an_observer_sees_paths_and_perturbed_pictures_and_no_layers(tmp_path):
    pixels, labels = pictures()
    network = classifier().eval()
    seen = views.sensitivity(pixels, labels, 1.0, normalise=InputNormalisation.none(), modes=1)
    with Observer(seen, tmp_path / "a") as observer, torch.no_grad():
        assert observer.observe(0, network(torch.from_numpy(observer.inputs)).numpy())
    expected = one_row(seen, network, tmp_path / "b")
    np.testing.assert_allclose(observer.record.residual_power[0], expected.residual_power, rtol=1e-12)
    graph = views.graph(pixels, labels, modes=6)
    with (
        Observer(views.layers(graph, ["0"]), tmp_path / "c") as blind,
        pytest.raises(InputError, match="a network whose layers are accessible, got predictions alone"),
    ):
        blind.observe(0, blind.inputs)


def layered(*names, **options):
    pixels, labels = pictures()
    return views.layers(views.graph(pixels, labels, modes=6), list(names), **options)


REFUSED = {
    "unknown layers": (
        lambda: layered("conv"),
        r"layers: expected layers among '0', '1', '2', '3', '4', got 'conv'; pass names as",
    ),
    "no layers": (layered, "distinct names of layers"),
    "a layer twice": (lambda: layered("0", "0"), "distinct names of layers"),
    "no features": (
        lambda: layered("0", width=FeatureBudget.projected(0)),
        "width: expected at least 1 feature, got 0",
    ),
    "classes that have no score": (
        lambda: views.sensitivity(pictures()[0], torch.arange(12), 1.0, normalise=InputNormalisation.none()),
        r"scores of shape .samples, classes., with 12 classes or more, got shape .2, 3.",
    ),
    "labels that have no logit": (
        lambda: views.gradients(pictures()[0], torch.arange(12) + 3, normalise=InputNormalisation.none()),
        "labels: expected whole labels from 0 to 2, got 3 for sample 0",
    ),
    "vectors for pictures": (
        lambda: views.generated(pictures()[0], uniform(9, 1, 8, 8)),
        r"pictures of shape .samples, 1, 8, 8., like the data, got shape .2, 3.",
    ),
    "norm": (
        lambda: views.sensitivity(*pictures(), 0.0, normalise=InputNormalisation.none()),
        "norm: expected a positive norm, got 0.0",
    ),
    "modes": (
        lambda: views.sensitivity(*pictures(), 1.0, normalise=InputNormalisation.none(), modes=0),
        "modes: expected at least one mode per band, got 0",
    ),
    "layers of a view without targets": (
        lambda: views.layers(views.gradients(*pictures(), normalise=InputNormalisation.none()), ["0"]),
        "watched: expected a view of outputs with targets, got MetricView; pass for instance views.graph",
    ),
    "no paths": (lambda: views.paths(pictures()[0]), "along: expected paths, got Tensor; make paths"),
    "one position": (
        lambda: views.paths(paths.Paths.between_classes(*pictures(), 2), samples=1),
        "samples: expected at least two samples per path, got 1",
    ),
    "text for labels": (
        lambda: views.gradients(pictures()[0], ["cat"] * 12, normalise=InputNormalisation.none()),
        "labels: expected labels that are numbers from 0",
    ),
}


@pytest.mark.parametrize(("make", "text"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_with_one_sentence(make, text, tmp_path):
    with pytest.raises(InputError, match=text):
        Probe(make(), classifier(), tmp_path)


class Spoken(nn.Module):
    """Takes named inputs and returns a tuple; its layer is channels first."""

    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv1d(3, 4, 3, padding=1), nn.Linear(4, 1)

    def forward(self, *, sound, level):
        hidden = self.conv(sound.mT * level[:, None, None])
        return self.out(hidden.mT), hidden


def test_layers_of_networks_with_named_inputs_that_return_tuples(tmp_path):
    sound, level, y = normal(12, 9, 3), uniform(12), normal(12, 9, 1, seed=1)
    network = seeded(Spoken).double()
    graph = views.graph({"sound": sound, "level": level}, y[:, 0], features=sound.flatten(1), modes=6)
    row = one_row(views.layers(graph, ["conv"]), network, tmp_path / "a")
    hidden = network.conv(sound.mT * level[:, None, None]).detach().flatten(1)
    expected = read_out({"conv": hidden}, y[:, 0], graph.transform, width=FeatureBudget.full())
    np.testing.assert_allclose(row.residual_power[:, 0], expected.residual_power[0, :, 0], rtol=1e5 * DOUBLE)
    in_time = views.sequence({"sound": sound, "level": level}, y)
    with pytest.raises(
        InputError, match=r"layer 'conv': expected activations of shape .2, 9, .* got shape .2, 4, 9."
    ):
        Probe(views.layers(in_time, ["conv"]), network, tmp_path / "b")
    with pytest.raises(InputError, match=r"layer 'lazy': expected activations .* got NoneType"):
        network.add_module("lazy", nn.Identity())
        Probe(views.layers(graph, ["lazy"]), network, tmp_path / "c")
