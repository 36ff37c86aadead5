from __future__ import annotations

import numpy as np
import pytest
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone.errors import InputError
from overtone.spectra.sequence import Derivative, response

few = settings(max_examples=10, deadline=None)
WAYS = [Derivative.differences(), Derivative.double_backward()]
FREQUENCIES = [0.0, 0.01, 0.07, 0.123, 0.3, 0.5]
DOUBLE = torch.float64


def filtered(b, a):
    """A digital filter along time as a map of sequences, its feedback written as a loop."""

    def apply(u):
        y = []
        for t in range(u.shape[1]):
            now = sum(b[k] * u[:, t - k] for k in range(min(len(b), t + 1)))
            now = now - sum(a[k] * y[t - k] for k in range(1, min(len(a), t + 1)))
            y.append(now)
        return torch.stack(y, 1)

    return apply


def recurrent(kind, seed, features=2, dtype=DOUBLE):
    """A small recurrent network with weights of a seed, its outputs only."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = kind(features, 3, batch_first=True).to(dtype)
    return lambda u: network(u)[0]


def attention(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.TransformerEncoderLayer(4, 2, 8, 0.0, batch_first=True).double().eval()


def jacobian_response(function, operating, frequencies, skip):
    """The definition, (F, C, I), with the whole Jacobian in memory."""
    jacobian = torch.autograd.functional.jacobian(lambda u: function(u[None])[0], operating)
    time = torch.arange(len(operating), dtype=DOUBLE)
    waves = torch.exp(2j * torch.pi * torch.tensor(frequencies, dtype=DOUBLE)[:, None] * time)
    out = torch.einsum("tcsi,fs->ftci", jacobian.to(waves.dtype), waves)
    return (out * waves.conj()[:, :, None, None])[:, skip:].mean(1)


@pytest.mark.parametrize("way", WAYS, ids=lambda w: type(w).__name__)
@pytest.mark.parametrize(
    ("b", "a"), [([0.2, 0.3, -0.1], [1.0]), ([0.3], [1.0, -0.7]), ([0.2, 0.1], [1.0, -1.0, 0.5])]
)
def test_filters_have_the_response_of_their_polynomials(way, b, a):
    """The transient of a pole of modulus r is r^skip: 0.71^90 = 4e-14. Differences of a line lose eps / h."""
    start = torch.zeros(150, 1, dtype=DOUBLE)
    found = response(filtered(b, a), start, FREQUENCIES, skip=90, derivative=way)
    _, wanted = scipy.signal.freqz(b, a, worN=2 * np.pi * np.array(FREQUENCIES))
    np.testing.assert_allclose(found.transfer[:, 0, 0], wanted, rtol=0, atol=1e-11)
    assert float(found.unsteady.max()) < 1e-6
    assert (np.abs(found.transfer[:, 0, 0].numpy() - wanted) <= found.error[:, 0, 0].numpy() + 1e-12).all()


def test_a_transient_that_is_not_over_is_told():
    start = torch.zeros(60, 1, dtype=DOUBLE)
    slow = filtered([0.02], [1.0, -0.98])
    early, late = (response(slow, start, [0.1], skip=skip) for skip in (0, 40))
    assert float(early.unsteady.min()) > float(late.unsteady.min()) > 0.1


@few
@given(st.integers(0, 12), st.floats(0.001, 0.499), st.floats(0.1, 5), st.floats(1.0, 1e4))
def test_a_delay_turns_the_phase_and_a_factor_sets_the_gain(delay, frequency, factor, rate):
    def apply(u):
        return factor * nn.functional.pad(u, (0, 0, delay, 0))[:, : u.shape[1]]

    found = response(apply, torch.ones(40, 1, dtype=DOUBLE), [frequency * rate], rate=rate, skip=12)
    wanted = factor * np.exp(-2j * np.pi * frequency * delay)
    assert found.transfer.item() == pytest.approx(wanted, abs=1e-9 * factor)
    assert found.gain.item() == pytest.approx(factor, rel=1e-9)
    assert found.decibels.item() == pytest.approx(20 * np.log10(factor), abs=1e-7)
    turned = (found.phase.item() + 2 * np.pi * frequency * delay) / (2 * np.pi)
    assert abs(turned - round(turned)) < 1e-9
    assert found.frequency.item() == pytest.approx(frequency * rate)


@pytest.mark.parametrize("way", WAYS, ids=lambda w: type(w).__name__)
def test_a_gated_unit_whose_gates_stand_still_is_a_one_pole_filter(way):
    """GRU with weights on the candidate's input alone: h = z h + (1 - z) tanh(w u + c), z = sigmoid(bias).

    Around a constant u: transfer = (1 - z) w sech(w u + c)^2 / (1 - z exp(-2 pi i f)).
    """
    network = nn.GRU(1, 1, batch_first=True).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.weight_ih_l0[2] = 1.3
        network.bias_ih_l0[1], network.bias_ih_l0[2] = 1.0, 0.4
    start = torch.full((200, 1), 0.25, dtype=DOUBLE)
    found = response(lambda u: network(u)[0], start, FREQUENCIES, skip=120, derivative=way)
    z = 1 / (1 + np.exp(-1.0))
    slope = (1 - z) * 1.3 / np.cosh(1.3 * 0.25 + 0.4) ** 2
    wanted = slope / (1 - z * np.exp(-2j * np.pi * np.array(FREQUENCIES)))
    apart = np.abs(found.transfer[:, 0, 0].numpy() - wanted)
    assert (apart <= found.error[:, 0, 0].numpy() + 1e-13).all()
    assert float(found.error.max()) < 1e-5
    assert np.abs(np.roll(wanted, 1) - found.transfer[:, 0, 0].numpy()).max() > 0.01, "a control"


NETWORKS = {
    "lstm": recurrent(nn.LSTM, 0, 4),
    "gru": recurrent(nn.GRU, 1, 4),
    "attention": attention(2),
}


@pytest.mark.parametrize("way", WAYS, ids=lambda w: type(w).__name__)
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_response_of_their_jacobian(name, way):
    operating = torch.from_numpy(np.random.default_rng(0).normal(size=(16, 4)))
    found = response(NETWORKS[name], operating, FREQUENCIES, skip=5, derivative=way, batch=10)
    apart = (found.transfer - jacobian_response(NETWORKS[name], operating, FREQUENCIES, 5)).abs()
    assert (apart <= found.error + 1e-13).all()
    assert float(found.error.max()) < 1e-3 * float(found.gain.max())
    assert float(found.unsteady.max()) > 0.01, "around an input that varies"


def test_single_precision_keeps_to_its_stated_error():
    network, exact = recurrent(nn.LSTM, 3, dtype=torch.float32), recurrent(nn.LSTM, 3)
    operating = torch.from_numpy(np.random.default_rng(1).normal(size=(40, 2)))
    wanted = response(exact, operating, FREQUENCIES, derivative=Derivative.double_backward())
    for way in WAYS:
        found = response(network, operating.float(), FREQUENCIES, derivative=way)
        apart = (found.transfer - wanted.transfer).abs()
        assert (apart <= 10 * found.error).all()
        assert float(found.error.max()) < 2e-3


def test_the_batch_and_other_frequencies_do_not_matter():
    network, operating = NETWORKS["lstm"], torch.zeros(1, 20, 4, dtype=DOUBLE)
    whole = response(network, operating)
    assert whole.transfer.shape == (16, 3, 4)
    assert whole.skip == 10
    part = response(network, operating, whole.frequency[3:5], batch=8)
    torch.testing.assert_close(part.transfer, whole.transfer[3:5], rtol=0, atol=1e-9)


def test_nothing_is_left_behind():
    network = nn.LSTM(2, 3, batch_first=True)
    state = torch.random.get_rng_state()
    for way in WAYS:
        response(lambda u: network(u)[0], torch.zeros(12, 2), [0.1], derivative=way)
    assert all(p.grad is None for p in network.parameters())
    assert torch.equal(state, torch.random.get_rng_state())


def crossing(u):
    return u - u.mean(0, keepdim=True)


START = torch.zeros(20, 2)
REFUSED = {
    "tuple": (nn.LSTM(2, 3, batch_first=True), {}, "function: expected a tensor .* got a tuple; wrap"),
    "dict": (lambda u: {"y": u}, {}, "got a dict"),
    "shorter": (lambda u: u[:, 1:], {}, r"shape .1, 20, channels., got torch.float32 of shape .1, 19, 2."),
    "last step only": (lambda u: u[:, -1], {}, r"got torch.float32 of shape .1, 2."),
    "random": (nn.Dropout(0.5), {"operating": START + 1}, "the same output for the same input, .* call eval"),
    "across": (crossing, {}, "independent batch entries"),
    "NaN": (lambda u: u.sqrt(), {"operating": START - 1}, "finite outputs, got NaN or infinity at step 0"),
    "NaN input": (nn.Identity(), {"operating": START / 0}, "operating: expected finite numbers"),
    "two inputs": (nn.Identity(), {"operating": torch.zeros(2, 20, 2)}, "one operating input, got 2"),
    "skip": (nn.Identity(), {"skip": 19}, "skip: expected 0 to 18 of 20 steps to skip, got 19"),
    "frequency": (nn.Identity(), {"frequencies": [0.7]}, "frequencies of 0 to 0.5, half the sampling rate"),
    "rate": (nn.Identity(), {"rate": 0.0}, "rate: expected a positive sampling rate, got 0.0"),
    "batch": (nn.Identity(), {"batch": 1}, "batch: expected a batch of at least 8, got 1"),
    "no gradient": (
        lambda u: u.detach().clone(),
        {"derivative": Derivative.double_backward()},
        "a function that is twice differentiable, got .*; pass derivative=Derivative.differences",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_measured_gets_one_sentence(name):
    function, arguments, sentence = REFUSED[name]
    with pytest.raises(InputError, match=sentence) as refusal:
        response(function, **({"operating": START} | arguments))
    assert "\n" not in str(refusal.value)
