from __future__ import annotations

import math

import pytest
import torch

from overtone.errors import InputError
from overtone.nn import MultiGrade
from overtone.nn.activations import Activation, Sine

X = torch.linspace(-1, 1, 64, dtype=torch.float64)[:, None]


def test_a_new_grade_leaves_the_prediction_and_freezes_the_rest():
    network = MultiGrade(1, 2, 8, 2, 3, Activation.TANH, seed=1).double()
    before = network(X).detach()
    frozen = list(network.grades[0].parameters())
    assert all(p.requires_grad for p in frozen)
    network.advance()
    assert network.grade == 2
    assert torch.equal(network(X), before)
    assert not any(p.requires_grad for p in frozen)
    assert [p.requires_grad for p in network.parameters()] == [False] * 6 + [True] * 6 + [False] * 6
    assert {id(p) for p in network.current()} == {id(p) for p in network.parameters() if p.requires_grad}


def test_values_are_the_sum_of_the_open_heads():
    network = MultiGrade(1, 1, 4, 1, 2, Activation.TANH, seed=3).double()
    network.advance()
    with torch.no_grad():
        network.grades[1].linears[-1].weight.fill_(0.3)
    p = {name: value.detach() for name, value in network.named_parameters()}
    first = torch.tanh(X @ p["grades.0.linears.0.weight"].T + p["grades.0.linears.0.bias"])
    second = torch.tanh(first @ p["grades.1.linears.0.weight"].T + p["grades.1.linears.0.bias"])
    heads = [
        h @ p[f"grades.{i}.linears.1.weight"].T + p[f"grades.{i}.linears.1.bias"]
        for i, h in enumerate((first, second))
    ]
    torch.testing.assert_close(network(X), heads[0] + heads[1], rtol=1e-12, atol=1e-14)


def test_each_grade_learns_from_what_is_left():
    network = MultiGrade(1, 1, 32, 1, 3, Activation.TANH, seed=0).double()
    target = torch.sin(2 * math.pi * X) + 0.5 * torch.sin(6 * math.pi * X)
    errors, kept = [], []
    for grade in range(3):
        if grade:
            network.advance()
            kept.append([p.detach().clone() for p in network.grades[grade - 1].parameters()])
        optimizer = torch.optim.Adam(network.current(), lr=1e-2)
        for _ in range(100):
            optimizer.zero_grad()
            loss = (network(X) - target).square().mean()
            loss.backward()
            optimizer.step()
        errors.append((network(X) - target).square().mean().item())
    assert errors[0] > errors[1] > errors[2]
    for grade, parameters in zip(network.grades, kept, strict=False):
        assert all(torch.equal(a, b) for a, b in zip(grade.parameters(), parameters, strict=True))


def test_freezing_is_restored():
    stored, other = MultiGrade(1, 1, 4, 1, 3), MultiGrade(1, 1, 4, 1, 3, seed=1)
    stored.advance()
    other.load_state_dict(stored.state_dict())
    assert other.grade == 2
    assert [p.requires_grad for p in other.parameters()] == [p.requires_grad for p in stored.parameters()]


def test_the_last_grade_is_the_end():
    network = MultiGrade(1, 1, 4, 1, 1)
    with pytest.raises(InputError, match="advance: expected a grade that is not open yet, got all 1 open"):
        network.advance()


def test_later_grades_begin_as_later_layers():
    network = MultiGrade(2, 1, 64, 1, 2, Sine(30.0))
    assert network.grades[1].linears[0].weight.abs().max() <= math.sqrt(6 / 64) / 30
    assert network.grades[0].linears[0].weight.abs().max() > 0.45
    assert network.bandwidth == (Sine(30.0).bandwidth(2),) * 2
    assert network.describe() == "MultiGrade 2 of MLP 1 x 64 Sine(omega=30)"
