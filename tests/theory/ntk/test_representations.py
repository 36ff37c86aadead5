"""Kernels kept as factors, as sketches, or not at all; what is reported about them."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from overtone.errors import InputError, RunError
from overtone.theory import ntk
from overtone.theory.ntk import choose_representation, empirical_ntk, nearest_psd
from overtone.theory.ntk._empirical.inner_products import OutputLayout
from overtone.theory.ntk._empirical.sources import JacobianMethod
from overtone.theory.ntk._operators.network import FactoredOperator, KernelForm, SketchedOperator
from tests.theory.ntk import zoo
from tests.theory.ntk.slow import error, kernel, randomise, seeded
from tests.theory.ntk.test_empirical import CASES, mlp, samples


@pytest.mark.parametrize("case", CASES)
def test_products_with_factors_agree_with_explicit_gradients(case):
    build, x, _ = CASES[case]
    network = randomise(build().double())
    exact = kernel(network, x, OutputLayout.BLOCKS)
    vector = torch.randn(len(exact), generator=seeded(4), dtype=torch.float64)
    product = FactoredOperator(network, x) @ vector
    assert float((product - exact @ vector).norm() / (exact @ vector).norm()) < 1e-12


@pytest.mark.parametrize("case", ["mlp", "frozen", "late convolutions", "text", "used besides"])
def test_a_sketch_of_many_probes_is_the_kernel_within_the_error_it_states(case):
    build, x, _ = CASES[case]
    network = randomise(build().double())
    exact = kernel(network, x, OutputLayout.BLOCKS)
    trace, norm = float(exact.trace()), float(exact.norm())
    for probes in (64, 512):
        sketch = SketchedOperator(network, x, probes=probes)
        # What Isserlis' theorem says, and what is estimated of it: the estimate's own relative error is near
        # sqrt(8 / k) at worst (a kernel of rank one), 0.35 and 0.13.
        stated = math.sqrt((trace**2 + norm**2) / probes) / norm
        assert sketch.error == pytest.approx(stated, rel=1.0 if probes == 64 else 0.4)
        found = float((sketch.factor @ sketch.factor.mT - exact).norm() / norm)
        assert 0.2 * stated < found < 3 * stated
        vector = torch.randn(len(exact), generator=seeded(5), dtype=torch.float64)
        assert torch.allclose(sketch @ vector, sketch.factor @ (sketch.factor.mT @ vector))


def test_a_sketch_is_unbiased_and_its_entries_vary_as_stated():
    network, x = randomise(nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1)).double()), samples(4, 3)
    exact = kernel(network, x)
    runs = torch.stack(
        [(s := SketchedOperator(network, x, probes=8, seed=seed).factor) @ s.mT for seed in range(150)]
    )
    diagonal = exact.diagonal()
    deviation = ((diagonal[:, None] * diagonal + exact**2) / 8).sqrt()
    # 16 means of 150 runs: 4.5 standard errors; standard deviations of chi-square-like entries: 40 %.
    assert bool(((runs.mean(0) - exact).abs() < 4.5 * deviation / math.sqrt(150)).all())
    assert torch.allclose(runs.std(0), deviation, rtol=0.4)
    assert SketchedOperator(network, x, probes=8).entry_error == pytest.approx(
        float(deviation[0, 0] / diagonal[0]), rel=1e-6
    )


def test_sketches_do_not_depend_on_chunks_but_on_seeds(monkeypatch):
    network, x = randomise(mlp().double()), samples(30, 5)
    whole = SketchedOperator(network, x, probes=4, seed=1)
    monkeypatch.setattr("overtone.theory.ntk._operators.network.PASS_BYTES", 20_000)
    parts = SketchedOperator(network, x, probes=4, seed=1)
    assert torch.allclose(whole.factor, parts.factor, rtol=1e-10, atol=1e-12)
    assert not torch.allclose(whole.factor, SketchedOperator(network, x, probes=4, seed=2).factor, rtol=0.1)


def test_the_budget_and_the_tolerance_choose_the_form():
    network, x = randomise(mlp().double()), samples(1000, 5)
    exact = empirical_ntk(network, x, outputs=OutputLayout.BLOCKS).matrix
    vector = torch.randn(len(exact), generator=seeded(6), dtype=torch.float64)
    seen = {}
    for memory, tolerance in ((2.0, 0.0), (0.1, 0.0), (0.05, 0.0), (0.05, 0.3), (0.05, 1e-3)):
        found = choose_representation(network, x, memory=memory, tolerance=tolerance)
        seen[memory, tolerance] = found.form
        off = float((found.operator @ vector - exact @ vector).norm() / (exact @ vector).norm())
        assert found.error <= tolerance
        assert off < (1e-11 if found.error == 0 else 5 * tolerance)
        assert "GiB" in found.reason
    assert list(seen.values()) == [
        KernelForm.DENSE,
        KernelForm.FACTORED,
        KernelForm.IMPLICIT,
        KernelForm.SKETCHED,
        KernelForm.IMPLICIT,
    ]


def test_top_eigenpairs_without_the_kernel():
    network, x = randomise(mlp().double()), samples(300, 5)
    pairs = ntk.top_eigenpairs(FactoredOperator(network, x), 5)
    exact = torch.linalg.eigvalsh(empirical_ntk(network, x, outputs=OutputLayout.BLOCKS).matrix).flip(0)[:5]
    assert torch.allclose(pairs.values, exact, rtol=1e-10)


def test_forms_that_cannot_be_had():
    network, x = mlp(), samples(200, 5).float()
    with pytest.raises(InputError, match=r"memory: .*gradients' factors.*implicit"):
        FactoredOperator(network, x, memory=1e-6)
    with pytest.raises(InputError, match="probes: expected at least 2 probes, got 1"):
        SketchedOperator(network, x, probes=1)
    with pytest.raises(InputError, match="tolerance of at least 0"):
        choose_representation(network, x, tolerance=-1.0)
    with pytest.raises(InputError, match="x: expected at least one sample"):
        FactoredOperator(network, x[:0])


def test_layers_without_a_rule_are_named_with_the_route_taken():
    found = empirical_ntk(randomise(zoo.Attention().double()), samples(4, 5, 8))
    assert found.fallback == {
        "look": ("MultiheadAttention", JacobianMethod.VECTORISED),
        "look.out_proj": ("NonDynamicallyQuantizableLinear", JacobianMethod.VECTORISED),
    }
    found = empirical_ntk(randomise(zoo.Projected().double()), samples(4, 6, 3))
    assert found.fallback == {"cells": ("LSTM", JacobianMethod.SAMPLES)}
    assert empirical_ntk(mlp().double(), samples(4, 5)).fallback == {}


@pytest.mark.parametrize("call", [empirical_ntk, FactoredOperator, choose_representation])
def test_mixed_devices_are_named(call):
    network = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 1, device="meta"))
    with pytest.raises(InputError, match=r"one device, got .* on cpu, 1\.weight on meta; move them"):
        call(network, torch.ones(3, 5))
    with pytest.raises(InputError, match=r"got 0\.weight on cpu, the samples on meta"):
        call(mlp(), torch.ones(3, 5, device="meta"))


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 12), below=st.integers(0, 3), seed=st.integers(0, 2**31), single=st.booleans())
def test_negative_eigenvalues_are_counted_and_removed(n, below, seed, single):
    below = min(below, n - 1)
    values = torch.linspace(0.5, 2.0, n, dtype=torch.float64)
    values[:below] *= -0.1
    basis = torch.linalg.qr(torch.randn(n, n, generator=seeded(seed), dtype=torch.float64))[0]
    dtype = torch.float32 if single else torch.float64
    exact = (basis * values) @ basis.mT
    matrix = ((exact + exact.mT) / 2).to(dtype)
    found = nearest_psd(matrix)
    # Rounding the matrix moves an eigenvalue by at most |error|_2 <= n eps max|K| / 2, and max|K| <= 2.
    slack = 4 * n * torch.finfo(dtype).eps
    assert found.negative == below
    assert found.lowest == pytest.approx(float(values.min()), abs=slack)
    kept = torch.where(values > 0, values, 0.0)
    assert torch.allclose(found.matrix.double(), (basis * kept) @ basis.mT, atol=slack)
    removed = float((values - kept).norm() / values.norm())
    assert found.changed == pytest.approx(removed, abs=slack)
    assert ("were set to zero" in found.sentence) == (below > 0)
    if not below:
        assert found.matrix is matrix


def test_kernels_of_networks_are_positive_to_rounding():
    network = randomise(mlp().float())
    found = nearest_psd(empirical_ntk(network, samples(60, 5).float()).matrix)
    assert found.negative == 0
    assert "to rounding" in found.sentence


def test_what_is_no_symmetric_kernel():
    with pytest.raises(InputError, match="a square matrix"):
        nearest_psd(torch.ones(2, 3))
    with pytest.raises(InputError, match=r"a symmetric matrix, got an asymmetry of 1\.0e"):
        nearest_psd(torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    with pytest.raises(RunError, match="a finite kernel"):
        nearest_psd(torch.full((2, 2), math.nan))


def test_single_precision_factors():
    network = randomise(mlp().float())
    x = samples(20, 5).float()
    exact = empirical_ntk(network, x, outputs=OutputLayout.BLOCKS).matrix
    identity = torch.eye(len(exact))
    operator = FactoredOperator(network, x)
    columns = torch.stack([operator @ e for e in identity], 1)
    assert columns.dtype == torch.float32
    assert error(columns, exact) < 1e-5


def test_any_form_can_be_required_and_all_agree():
    network, x = randomise(mlp().double()), samples(20, 5)
    exact = empirical_ntk(network, x, outputs="blocks").matrix
    vector = torch.randn(len(exact), generator=seeded(7), dtype=torch.float64)
    for form in KernelForm:
        chosen = choose_representation(network, x, form=form.value, probes=2000)
        assert chosen.form is form
        off = float((chosen.operator @ vector - exact @ vector).norm() / (exact @ vector).norm())
        assert off < (4 * chosen.error if form is KernelForm.SKETCHED else 1e-11)
        assert chosen.matrix_bytes == exact.numel() * exact.element_size()
    with pytest.raises(InputError, match="form: expected one of dense, factored, sketched, implicit"):
        choose_representation(network, x, form="sparse")
    with pytest.raises(InputError, match="a sketch that meets the tolerance"):
        choose_representation(network, x, form="sketched")
    with pytest.raises(InputError, match="outputs: expected one of sum, per_output, blocks"):
        empirical_ntk(network, x, outputs="trace")
