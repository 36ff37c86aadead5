"""What probes share with records, predictions and the command line: steps, learned bands, memory, imports."""

import errno
import subprocess
import sys

import numpy as np
import pytest
import torch

from overtone import records
from overtone._utils.memory_errors import is_out_of_memory
from overtone._utils.seeding import draw_subset
from overtone._utils.steps import log_steps
from overtone.probes import LogSchedule
from overtone.records import Header, Writer, metrics
from overtone.records.metrics._rows import highest_learned_of_row, relative_error_of_row


@pytest.mark.parametrize("seed", range(8))
def test_a_row_has_the_metrics_of_its_record(tmp_path, seed):
    random = np.random.default_rng(seed)
    edges = np.arange(8.0)
    target = random.random((7, 2)) * (random.random((7, 1)) < 0.8)
    residual = target * random.choice([0.1, 0.9], (7, 1))
    header = Header(edges[:-1], edges[1:], ["u", "v"], {"target_power": target})
    with Writer.create(tmp_path / "record.sqlite", header) as writer:
        writer.append(0, {"residual_power": residual})
    record = records.load(tmp_path / "record.sqlite")
    whole = float(metrics.highest_learned(record))
    row = highest_learned_of_row(header, residual)
    assert np.isnan(row) if whole == 0 else row == whole
    error = metrics.relative_error(metrics.combine_channels(record))[0]
    np.testing.assert_allclose(relative_error_of_row(header, residual), error, rtol=1e-12)


@pytest.mark.parametrize("ratio", [1.05, 1.15, 1.5, 2.0])
def test_predictions_have_rows_where_probes_record(ratio):
    schedule = LogSchedule(ratio)
    steps = log_steps(3000, ratio)
    assert set(steps) == {step for step in range(3001) if schedule.due(step)} | {3000}
    assert schedule.count(3000) == sum(map(schedule.due, range(3001)))


def test_a_lack_of_memory_is_told_from_other_errors():
    allocator = RuntimeError(
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 TB"
    )
    short = [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        allocator,
        OSError(errno.ENOMEM, "no"),
    ]
    assert all(map(is_out_of_memory, short))
    others = [RuntimeError("shapes differ"), OSError(errno.ENOENT, "no"), ValueError("out of memory")]
    assert not any(map(is_out_of_memory, others))


def test_a_draw_is_ascending_and_has_no_repetitions():
    index = draw_subset(1000, 100, 3, "samples")
    assert len(np.unique(index)) == 100
    assert (np.diff(index) > 0).all()
    assert draw_subset(5, 9, 0, "samples").tolist() == [0, 1, 2, 3, 4]


def test_a_probe_is_imported_without_heavy_libraries():
    code = "import sys, overtone as ot; ot.Probe; print(*{m.partition('.')[0] for m in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {"scipy", "pandas", "xarray", "plotly", "skimage", "PIL", "nibabel", "tifffile", "pywt"}
    assert not heavy & set(loaded)
