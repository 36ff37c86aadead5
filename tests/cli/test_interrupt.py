"""Ctrl-C keeps what there is, and the run goes on as if nothing had happened."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from overtone import records
from overtone._training import _loop as loop
from overtone.errors import InputError
from tests.cli.calling import TINY
from tests.cli.test_fit import same_record, same_weights

HINT = "overtone: interrupted at step {}; go on with: overtone fit --resume --out run\n"


class Impatient(loop.Interrupt):
    """A user who presses Ctrl-C in the seventh step."""

    looks = 0

    def __enter__(self):
        type(self).looks = 0
        return super().__enter__()

    @property
    def requested(self):
        type(self).looks += 1
        return type(self).looks > 7

    @requested.setter
    def requested(self, value):
        pass


@pytest.mark.parametrize("extra", [(), ("--batch", "50"), ("--optimizer", "sgd", "--momentum", "0.9")])
def test_an_interrupted_run_goes_on_to_its_own_budget(call, source, monkeypatch, no_page, extra):
    with monkeypatch.context() as impatient:
        impatient.setattr(loop, "Interrupt", Impatient)
        answer = call("fit", source, *TINY, *extra, "--steps", 30, "--json")
    assert answer.code == 130
    assert answer.json["interrupted"]
    assert answer.json["steps"] == 7
    assert answer.err.endswith(HINT.format(7))
    assert records.load("run").step.values[-1] == 7
    finished = call("fit", "--resume", "--out", "run", "--json")
    assert (finished.code, finished.json["steps"], finished.json["interrupted"]) == (0, 30, False)
    call("fit", source, *TINY, *extra, "--steps", 30, "--out", "whole")
    assert same_record("run", "whole")
    assert same_weights("run", "whole")


def started(folder):
    words = ["fit", "waves.npy", *TINY, "--bandwidth", "2", "--steps", str(10**7), "--out", "run"]
    child = subprocess.Popen(
        [sys.executable, "-m", "overtone.cli", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and child.poll() is None:
        try:
            if records.load(folder / "run").sizes["step"] > 10:
                return child
        except InputError:
            pass
        time.sleep(0.05)
    child.kill()
    raise AssertionError("the run never got going: " + child.communicate()[1])


def test_ctrl_c_in_a_real_process(call, source, no_page):
    folder = source.parent
    child = started(folder)
    os.kill(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=120)
    step = int(records.load(folder / "run").step[-1])
    assert child.returncode == 130
    assert err.endswith(HINT.format(step))
    assert "Traceback" not in err
    assert re.search(r"^Report     file://", out, re.M)
    assert np.isfinite(records.load(folder / "run").residual_power).all()
    assert json.loads(Path("run/run.json").read_text())["training"]["steps"] == 10**7
    assert call("fit", "--resume", "--steps", step + 15, "--json").json["steps"] == step + 15
    call("fit", source, *TINY, "--bandwidth", 2, "--steps", step + 15, "--out", "whole")
    assert same_record("run", "whole")
    assert same_weights("run", "whole")
