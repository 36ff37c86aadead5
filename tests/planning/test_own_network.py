"""Plans for networks of the caller."""

import json

import pytest
import torch

from overtone import planning, signals, units
from overtone.errors import InputError
from overtone.planning import Budget, Plan, ReasonCode


class Waves(torch.nn.Module):
    def __init__(self, inputs, width, omega, bound):
        super().__init__()
        self.linear, self.omega = torch.nn.Linear(inputs, width), omega
        torch.nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x):
        return torch.sin(self.omega * self.linear(x))


def siren(omega, outputs=1):
    later = Waves(24, 24, 30.0, (6 / 24) ** 0.5 / 30)
    return torch.nn.Sequential(Waves(1, 24, omega, 1.0), later, torch.nn.Linear(24, outputs))


class Then(torch.nn.Module):
    """A network with another step after it."""

    def __init__(self, network, step):
        super().__init__()
        self.network, self.step = network, step

    def forward(self, x):
        return self.step(self.network(x))


class Scaled(torch.nn.Module):
    """A network without a linear layer."""

    def __init__(self, omega):
        super().__init__()
        self.scale, self.omega = torch.nn.Parameter(torch.ones(1)), omega

    def forward(self, x):
        return torch.sin(self.omega * self.scale * x)


SHARED = torch.nn.Linear(24, 1)


def tones():
    return signals.synthetic.harmonics([2, 5], samples=96)


def test_a_sine_network_of_the_caller_gets_its_omega():
    plan = planning.plan(tones(), Budget(steps=300), network=siren, library="siren", lr=2e-3)
    assert plan.setting.library == "siren"
    assert plan.setting.domain == (-1.0, 1.0)
    cycles = plan.bandwidth[0] * tones().geometry.extent[0]
    assert plan.setting.value == pytest.approx(units.convert(cycles, "bandwidth", "siren", inputs=1))
    assert 0.5 <= cycles <= 16
    tried = [c for c in plan.candidates if c.trial_steps]
    assert 1 <= len(tried) <= 3
    # The number of this convention is the frequency of an activation.
    assert plan.reason(ReasonCode.CANDIDATES).values["multiplies_frequencies"]
    assert all(c.outlook_psnr is not None and c.outlook_psnr >= c.trial_psnr for c in tried)
    assert plan.trial_steps <= 300 / 4
    assert plan.recommended
    assert "In the convention of 'siren', with coordinates from -1 to 1" in str(
        plan.reason(ReasonCode.NETWORK_SETTING)
    )
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    with pytest.raises(InputError, match="call your factory with"):
        plan.field(tones())


class Growing(Waves):
    """FINER's layer as its authors' code has it."""

    def forward(self, x):
        z = self.linear(x)
        return torch.sin(self.omega * (z.detach().abs() + 1) * z)


class Bumps(Waves):
    def __init__(self, inputs, width, scale):
        super().__init__(inputs, width, scale, inputs**-0.5)

    def forward(self, x):
        return torch.exp(-((self.omega * self.linear(x)) ** 2))


def finer(bias, omega=30.0):
    first = Growing(1, 24, omega, 1.0)
    torch.nn.init.uniform_(first.linear.bias, -bias, bias)
    return torch.nn.Sequential(first, Growing(24, 24, 30.0, 0.5 / 30), torch.nn.Linear(24, 1))


def gauss(scale):
    return torch.nn.Sequential(Bumps(1, 24, scale), Bumps(24, 24, 1.0), torch.nn.Linear(24, 1))


@pytest.mark.parametrize(
    ("library", "network", "lowest"),
    [
        ("finer", lambda omega: finer(1.0, omega), 0.25),
        ("finer-bias", finer, 32.0),
        ("gauss", gauss, 1 / 16),
        ("gauss-width", lambda width: gauss(1 / (2**0.5 * width)), 1 / 16),
    ],
)
def test_numbers_of_other_activations_are_ranked_as_their_kind_is(library, network, lowest):
    signal = signals.synthetic.harmonics([2, 5], samples=160)
    plan = planning.plan(signal, Budget(steps=120), network=network, library=library, lr=2e-3)
    cycles = [c.bandwidth[0] * signal.geometry.extent[0] for c in plan.candidates]
    # Biases begin at the bandwidth of FINER's omega = 30, and layers of Gaussians are tried lower.
    assert min(cycles) == pytest.approx(lowest)
    values = plan.reason(ReasonCode.CANDIDATES).values
    assert values["multiplies_frequencies"] is library.startswith("finer")
    assert values["localised"] is library.startswith("gauss")
    best = plan.bandwidth[0] * signal.geometry.extent[0]
    assert plan.setting.value == pytest.approx(units.convert(best, "bandwidth", library, (0, 1), inputs=1))
    assert f"In the convention of {library!r}, with coordinates from -1 to 1" in str(
        plan.reason(ReasonCode.NETWORK_SETTING)
    )


def test_a_number_that_reaches_no_candidate_is_refused():
    with pytest.raises(InputError, match="of up to 16 cycles per extent, got that of 'finer-bias', which"):
        planning.plan(tones(), Budget(steps=120), network=finer, library="finer-bias")


def test_whole_numbers_are_compared_once_each():
    made = []

    def octaves(count):
        made.append(count)
        network = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
        network[0].weight.data *= count
        return network

    plan = planning.plan(tones(), Budget(steps=60), network=octaves, library="nerf", choose="quick")
    assert all(count == int(count) for count in made)
    values = [units.convert(c.bandwidth[0] * 1.0, "bandwidth", "nerf") for c in plan.candidates]
    assert len(set(values)) == len(values)
    assert plan.trial_steps == 0


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda _: 3.0, "network: expected a factory that returns a torch.nn.Module, got float"),
        (siren(3.0), "network: expected a function that builds a network for a bandwidth, got Sequential"),
        (
            lambda omega: siren(omega, 2),
            r"expected a network that returns 1 value per sample, a tensor \(3, 1\), got \(3, 2\)",
        ),
        (lambda _: torch.nn.Linear(4, 1), r"expected a network that takes \(3, 1\) coordinates"),
        (
            lambda omega: Scaled(omega),
            "expected a network with a linear layer at its end, got one without any",
        ),
        (lambda _: siren(3.0), "whose argument sets the network's frequencies, got the same network"),
        (lambda _: SHARED, "that builds a new network at each call, got the same one again"),
        (lambda omega: torch.nn.Sequential(Waves(1, 24, omega, 1.0), SHARED), "one that shares parameters"),
        (lambda: siren(3.0), "a function of 1 argument, got one that refuses them: too many positional"),
        (lambda _: torch.nn.LazyLinear(1), "whose parameters have values, got lazy layers"),
        (lambda omega: Then(siren(omega), lambda y: y + 0j), "that returns real numbers, got complex64"),
        (lambda omega: Then(siren(omega), lambda y: (y, y)), r"a tensor \(3, 1\), got tuple"),
        (lambda omega: Then(siren(omega), lambda y: y / 0), "finite outputs of the untrained network"),
        (lambda omega: Then(siren(omega), torch.detach), "got outputs without a gradient"),
        (lambda omega: siren(omega).requires_grad_(False), "no parameter that requires a gradient"),
        (lambda omega: Then(siren(omega), lambda y: y + torch.rand(1)), "different ones at the second call"),
        (lambda omega: Then(siren(omega), lambda y: y - y.mean()), "got different ones in a batch"),
    ],
)
def test_what_is_no_factory_of_a_fitting_network_is_refused(network, message):
    with pytest.raises(InputError, match=message):
        planning.plan(tones(), Budget(steps=60), network=network, library="siren")


def test_a_factory_of_another_network_each_time_is_refused():
    drawn = torch.Generator().manual_seed(0)

    def other(_):
        network = siren(3.0)
        network[-1].bias.data.copy_(torch.rand(1, generator=drawn))
        return network

    with pytest.raises(InputError, match="the same network for the same value and seed, got two different"):
        planning.plan(tones(), Budget(steps=60), network=other, library="siren")


def test_the_global_generator_stays_and_few_samples_are_told():
    before = torch.random.get_rng_state()
    few = signals.synthetic.harmonics([2], samples=16)
    plan = planning.plan(few, Budget(steps=60), network=siren, library="siren")
    assert torch.equal(before, torch.random.get_rng_state())
    assert plan.reason(ReasonCode.TOO_FEW_SAMPLES).values["samples"] == 16
    assert plan.setting.value > 0


@pytest.mark.parametrize(("lr", "domain"), [(0.0, (-1, 1)), (float("nan"), (-1, 1)), (1e-3, (1, -1))])
def test_rates_and_ranges_that_are_none_are_refused_by_their_name(lr, domain):
    name = "domain" if domain == (1, -1) else "lr"
    with pytest.raises(InputError, match=f"^{name}: "):
        planning.plan(tones(), Budget(steps=60), network=siren, library="siren", lr=lr, domain=domain)


def test_a_network_of_localised_activations_is_tried_above_the_end_of_the_ladder():
    """Untrained copies of Gaussians do best at the lowest bandwidths, trained networks above."""

    class Bumps(torch.nn.Module):
        def __init__(self, inputs, scale):
            super().__init__()
            self.linear, self.scale = torch.nn.Linear(inputs, 24), scale

        def forward(self, x):
            return torch.exp(-((self.scale * self.linear(x)) ** 2))

    def gauss(bandwidth):
        return torch.nn.Sequential(Bumps(1, 3 * bandwidth), Bumps(24, 30.0), torch.nn.Linear(24, 1))

    plan = planning.plan(tones(), Budget(steps=240), network=gauss, lr=2e-3)
    bandwidths = [c.bandwidth[0] for c in plan.candidates]
    best = plan.reason(ReasonCode.CANDIDATES).values["best_by_regression"][0]
    tried = [c.bandwidth[0] for c in plan.candidates if c.trial_steps]
    assert best <= bandwidths[2]
    assert tried == bandwidths[:4]
