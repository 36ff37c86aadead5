import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from overtone import records
from overtone.probes._distributed import SingleProcess
from tests.probes import together

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """The folder in which two processes trained and watched one network."""
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "tests.probes.together", str(folder)]
    surroundings = os.environ | {"OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen([*command, str(rank), "2"], cwd=ROOT, env=surroundings, stderr=subprocess.PIPE)
        for rank in range(2)
    ]
    for process in running:
        _, said = process.communicate(timeout=200)
        assert process.returncode == 0, said.decode()
    return folder


def test_two_processes_write_the_record_of_one(two, tmp_path):
    """Float32 outputs of a batch cut in two differ by a few roundings, 2^-24 each, and gradients summed by two
    processes by as many again; four steps of a contracting optimizer do not amplify them. 1e-5 allows a hundred."""
    alone = together.watch(tmp_path, SingleProcess()).record
    both = records.load(two / "together")
    assert list(both.step) == list(range(together.STEPS + 1))
    for name in ("target_power", "residual_power", "cross_power", "train_error"):
        np.testing.assert_allclose(both[name], alone[name], rtol=1e-5, atol=1e-7 * float(alone[name].max()))
    assert not np.allclose(both.residual_power[0], both.residual_power[-1], rtol=1e-3)


def test_a_process_that_fails_marks_the_row_and_leaves_no_other_waiting(two):
    record = records.load(two / "ailing")
    assert list(record.step) == list(range(together.STEPS + 1))
    lost = record.step.values[np.isnan(record.residual_power).all(("band", "channel"))]
    assert list(lost) == [1]
    assert [fault["step"] for fault in record.attrs["faults"]] == [1]
    assert (
        "expected outputs from every process, got a failed evaluation on rank 1"
        in record.attrs["faults"][0]["why"]
    )


def test_several_views_need_one_message_a_row(two, tmp_path):
    """Tolerance as above; read-outs are fitted to activations, whose rounding the fit's condition raises."""
    alone = together.watch(tmp_path, SingleProcess(), several=True).records
    assert {(two / f"messages-{rank}").read_text() for rank in range(2)} == {str(together.STEPS + 1)}
    for name, record in alone.items():
        file = "record" if name == "graph" else name
        both = records.load(two / "several" / f"{file}.sqlite")
        scale = float(record.residual_power.max())
        np.testing.assert_allclose(
            both.residual_power, record.residual_power, rtol=1e-3, atol=1e-5 * scale, err_msg=name
        )


def test_a_failure_marks_the_views_that_it_concerns(two):
    """The second evaluation of many samples fails in one process: that of the activations at the first row."""
    lost = {}
    for name in ("record", "layers", "paths"):
        record = records.load(two / "partly" / f"{name}.sqlite")
        lost[name] = list(record.step.values[np.isnan(record.residual_power).all(("band", "channel"))])
    assert lost == {"record": [], "layers": [0], "paths": []}
