"""Errors by band, batch by batch and over processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from overtone.errors import InputError
from overtone.metrics import SpectralError
from overtone.spectra import GridTransform, PairSums

WORKER = """
import sys, torch, torch.distributed as dist
from overtone.spectra import GridTransform
from overtone.metrics import SpectralError
rank, path = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{path}/meet", rank=rank, world_size=2)
target = torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(0))
metric = SpectralError(GridTransform((8, 8), periodic=True), 2)
part = slice(0, 4) if rank == 0 else slice(4, 6)
metric.update(0.7 * target[part] + 0.1, target[part])
torch.save(metric.compute(), f"{path}/{rank}.pt")
dist.barrier()
dist.destroy_process_group()
assert "torchmetrics" not in sys.modules
"""


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    target = torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    return 0.7 * target + 0.1, target


def metric_of(part: slice = slice(None)) -> SpectralError:
    metric = SpectralError(GridTransform((8, 8), periodic=True), 2)
    prediction, target = pair()
    metric.update(prediction[part], target[part])
    return metric


def test_it_returns_the_powers_of_all_batches_together() -> None:
    metric = metric_of(slice(0, 1))
    prediction, target = pair()
    metric.update(prediction[1:], target[1:])
    sums = PairSums(metric.transform, 2)
    sums.update(prediction, target)
    values, expected = metric.compute(), sums.compute()
    assert torch.allclose(values["residual_power"], expected.residual)
    assert torch.allclose(
        values["residual_power"].sum(0), (prediction - target).double().square().mean((0, 2, 3))
    )
    assert torch.allclose(values["power_ratio"][1:], torch.tensor(0.49, dtype=torch.float64))
    assert torch.allclose(values["coherence"][1:], torch.tensor(1.0, dtype=torch.float64))


def test_states_add_up_and_reset_forgets() -> None:
    first, second = metric_of(slice(0, 4)), metric_of(slice(4, 6))
    first.merge(second.state)
    whole = metric_of().compute()
    assert all(torch.allclose(value, whole[name]) for name, value in first.compute().items())
    first.reset()
    with pytest.raises(InputError, match="at least one sample"):
        first.compute()
    with pytest.raises(InputError, match="sums of shape"):
        first.merge(SpectralError(GridTransform((8, 8), periodic=True)).state)


def test_scalars_are_single_numbers_and_name_the_resolved_frequency() -> None:
    transform = GridTransform((16,), periodic=True)
    target = torch.randn(5, 1, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    modes = torch.fft.rfft(target)
    modes[..., 4:] = 0
    metric = SpectralError(transform)
    metric.update(torch.fft.irfft(modes, n=16), target)
    scalars = metric.scalars()
    assert all(value.ndim == 0 and bool(torch.isfinite(value)) for value in scalars.values())
    assert 3 < scalars["resolved_frequency"] <= 4
    metric.reset()
    metric.update(target, target)
    assert scalars["error_ratio"] > 0
    assert float(metric.scalars()["error_ratio"]) == pytest.approx(0)
    assert float(metric.scalars()["resolved_frequency"]) >= 7


def test_two_processes_return_the_values_of_one(tmp_path: Path) -> None:
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, str(rank), str(tmp_path)]) for rank in (0, 1)]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    whole = metric_of().compute()
    for rank in (0, 1):
        values = torch.load(tmp_path / f"{rank}.pt")
        assert all(torch.allclose(value, whole[name], equal_nan=True) for name, value in values.items())
