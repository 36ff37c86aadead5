"""A verification on a Dask cluster of two workers, one of which is killed in the middle."""

from __future__ import annotations

import logging
import os
import pickle
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from distributed import Client, LocalCluster

import overtone as ot
from overtone.errors import InputError
from overtone.spectra import SphereTransform
from overtone.verification._cluster import ClusterExecutor, pickled_within
from overtone.verification._files import read_fields
from overtone.verification._measure import LocalExecutor, RowPlan
from overtone.verification._sources import Axes, dataset_pairs
from tests.cli.calling import ask
from tests.verification import fields, globes

TRUTH = globes.globe(globes.harmonics(24)).to_dataset()
FORECAST = globes.globe(globes.harmonics(24, keep=8.0)).to_dataset()

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    # The scheduler says in its log that a worker is lost, as it should.
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def files(folder) -> tuple:
    for name, data in (("forecast", FORECAST), ("truth", TRUTH)):
        data.to_zarr(folder / f"{name}.zarr", consolidated=False, encoding={"t2m": {"chunks": (2, 25, 48)}})
    return tuple(read_fields(folder / f"{name}.zarr") for name in ("forecast", "truth"))


def test_a_worker_that_is_killed_loses_nothing(client, tmp_path):
    pairs = dataset_pairs(*files(tmp_path), None, Axes())
    transform = SphereTransform(pairs.geometry.sphere)
    plan = RowPlan(transform, 0, False, 24, None, False)
    parts = [slice(i, i + 1) for i in range(24)]
    results = ClusterExecutor(client).run(plan.rows, pairs, 0, parts)
    rows = [next(results)]
    os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)
    rows += list(results)
    expected = list(LocalExecutor().run(plan.rows, pairs, 0, parts))
    assert len(rows) == 24
    assert all(np.array_equal(a, b) for a, b in zip(rows, expected, strict=True))


def test_files_are_read_by_the_workers_and_figures_are_those_of_one_process(client, tmp_path):
    forecast, truth = files(tmp_path)
    address = client.scheduler.address
    options = {"memory": "400kB", "baselines": ["climatology"], "anomalies": True}
    result = ot.verify(forecast, truth, dask=address, **options)
    assert not truth.t2m._in_memory
    assert result.to_json() == ot.verify(forecast, truth, **options).to_json()
    answer = ask("verify", tmp_path / "forecast.zarr", tmp_path / "truth.zarr", "--dask", address, "--json")
    assert answer.code == 0, answer.err
    chunked = forecast.chunk(time=5)
    assert ot.verify(chunked, truth, dask=client).to_json() == ot.verify(forecast, truth).to_json()


def test_arrays_in_memory_are_sent(client):
    truth = fields.truth(10)
    forecast = fields.blurred(truth)
    result = ot.verify(forecast, truth, periodic=True, memory="600kB", dask=client)
    assert result.to_json() == ot.verify(forecast, truth, periodic=True).to_json()
    holed = truth.copy()
    holed[7, 0, 3, 4] = np.nan
    gaps = ot.verify(forecast, holed, periodic=True, memory="600kB", dask=client)
    # The grouping of samples decides the last bits: both are computed in the same groups.
    assert gaps.to_json() == ot.verify(forecast, holed, periodic=True, memory="600kB").to_json()
    holed[7, 0, 3, 4] = np.inf
    with pytest.raises(InputError, match="finite values"):
        ot.verify(forecast, holed, periodic=True, memory="600kB", dask=client)


def test_what_is_small_is_pickled_and_values_are_not():
    value = {"a": np.zeros(100_000)}
    assert pickled_within(value, 1000) is None
    assert np.array_equal(pickle.loads(pickled_within(value, 1 << 20))["a"], value["a"])  # noqa: S301


def test_an_address_without_a_scheduler_is_refused(monkeypatch):
    with pytest.raises(InputError, match=r"nowhere: expected a Dask scheduler"):
        ot.verify(FORECAST, TRUTH, dask="nowhere")
