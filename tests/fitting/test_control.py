import json

import pytest
import torch

import overtone as ot
from overtone.early_stopping._monitor import record_rows
from overtone.errors import InputError
from overtone.fitting import fit

# A bandwidth of its own: the one that is chosen depends on the steps, and these runs are cut and compared.
SMALL = {"width": 32, "depth": 2, "features": 32, "lr": 3e-3, "bandwidth": 2.0, "device": "cpu"}


def noisy(noise=0.3):
    signal = ot.signals.synthetic.power_law((24, 24), 3.0, seed=0)
    return ot.signals.synthetic.add_noise(signal, fraction_of_range=noise, seed=1)


def moves(run):
    return [action["move"] for action in run.record.attrs["actions"]]


def parameters(run):
    return torch.cat([p.detach().reshape(-1) for p in run.network.parameters()])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return fit(noisy(), tmp_path_factory.mktemp("whole"), steps=600, controller=True, overwrite=True, **SMALL)


def test_a_controlled_run_goes_back_slows_down_and_says_so(whole):
    attrs = whole.record.attrs
    assert "lower the learning rate" in moves(whole)
    slow = next(a for a in attrs["actions"] if a["move"] == "lower the learning rate")
    rates = whole.record.learning_rate
    assert rates.sel(step=slow["step"]).item() == pytest.approx(3e-3)
    assert rates.isel(step=-1).item() == pytest.approx(0.3 * 3e-3)
    assert any(r.startswith("The controller began at") for r in attrs["reasons"])
    assert slow["reason"] in attrs["reasons"]
    assert attrs["bandwidth"] == pytest.approx(whole.network.bandwidth)
    assert slow["reason"] in whole.report().read_text(encoding="utf-8")


def test_the_network_handed_back_is_that_of_the_step_named(whole):
    record = whole.record
    error = ((whole.predict() - whole.signal.values)[whole.signal.held_out]).square().mean().item()
    # A prediction in float32, once in the row and once here: a relative difference of its rounding, 2^-24 a layer.
    assert error == pytest.approx(record.held_out_error.sel(step=whole.network_step).item(), rel=1e-4)


@pytest.mark.parametrize("cut", [60, 150, 300])
def test_a_run_that_goes_on_is_bit_identical_to_one_long_run(tmp_path, whole, cut):
    if cut >= whole.outcome.step:
        cut = whole.outcome.step - 7
    fit(noisy(), tmp_path / "parts", steps=cut, controller=True, **SMALL)
    parts = fit(noisy(), tmp_path / "parts", steps=600, resume=True, device="cpu")
    assert torch.equal(parameters(parts), parameters(whole))
    assert parts.record.attrs["actions"] == whole.record.attrs["actions"]
    told = [r for r in whole.record.attrs["reasons"] if r.startswith(("The controller", "At step"))]
    assert parts.record.attrs["reasons"][-len(told) :] == told
    for (step, one), (other, two) in zip(record_rows(parts.record), record_rows(whole.record), strict=True):
        assert step == other
        assert one["held_out_error"] == two["held_out_error"]


def test_without_it_nothing_is_said(tmp_path):
    run = fit(noisy(), tmp_path / "run", steps=20, **SMALL)
    assert "actions" not in run.record.attrs
    assert not any("controller" in r for r in run.record.attrs["reasons"])


def test_a_given_bandwidth_is_where_it_begins(tmp_path):
    run = fit(noisy(), tmp_path / "run", steps=20, controller=True, **(SMALL | {"bandwidth": 0.7}))
    assert (
        "The controller began at 0.7 cycles per array and kept that bandwidth." in run.record.attrs["reasons"]
    )


def test_without_a_stop_it_never_goes_back(tmp_path):
    run = fit(noisy(), tmp_path / "run", steps=300, controller=True, stop=False, **SMALL)
    assert set(moves(run)) <= {"reach further"}
    assert run.outcome.step == run.network_step == 300


def test_an_encoding_that_cannot_be_steered_leaves_nothing_behind(tmp_path):
    with pytest.raises(InputError, match="an encoding that can be rescaled or windowed"):
        fit(
            noisy(),
            tmp_path / "run",
            steps=20,
            controller=True,
            encoding="none",
            **(SMALL | {"bandwidth": None}),
        )
    assert not (tmp_path / "run").exists()


def test_the_settings_remember_it(tmp_path, whole):
    assert json.loads((whole.directory.path / "run.json").read_text(encoding="utf-8"))["controller"] is True
