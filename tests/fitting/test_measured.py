import signal

import numpy as np
import pytest
import torch
from skimage.transform import radon

import overtone as ot
from overtone.baselines import reconstruct
from overtone.baselines._reconstruction import reconstruct_in_time
from overtone.errors import InputError
from overtone.fitting import FitConfig
from overtone.fitting._fit import fit_on_clock
from overtone.fitting._measured import measured_fingerprint
from overtone.fitting._measured_split import judged_measurements, split_measured
from overtone.fitting._wall_clock import WallClock
from overtone.operators._choose import choose_in_time
from overtone.probes.views._residuals import residuals
from overtone.reports._measured_verdict import classical_sentence
from overtone.signals import Measured

SIDE = 16
SMALL = {"width": 16, "features": 16, "depth": 2, "bandwidth": 0.1}


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch):
    """Total variation in no time: its quality is tested elsewhere."""
    monkeypatch.setattr("overtone.baselines._reconstruction.ITERATIONS", 15)


def picture():
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return np.exp(-(x**2 + (y / 1.5) ** 2) / 12) * (np.hypot(x, y) < SIDE // 2 - 1)


def kspace(complex_values=False, noise=0.01, reference=True):
    rng = np.random.default_rng(0)
    full = np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(picture()), norm="ortho"))
    full = full + noise / 2**0.5 * (rng.standard_normal(full.shape) + 1j * rng.standard_normal(full.shape))
    mask = rng.random((SIDE, SIDE)) < 0.5
    mask[6:11, 6:11] = True
    problem = ot.signals.kspace(full, mask, complex_values=complex_values, noise=noise or None)
    return with_reference(problem, picture()) if reference else problem


def with_reference(problem, values):
    from overtone.signals._readers._measured_file import with_reference as attach

    return attach(problem, values)


def sinogram():
    turns = np.linspace(0, 180, 12, endpoint=False)
    return with_reference(ot.signals.projections(radon(picture(), turns).T, turns), picture())


def test_a_fit_of_kspace_writes_a_run_and_beats_the_zero_field(tmp_path):
    run = ot.fit(kspace(), tmp_path / "run", steps=150, **SMALL)
    described = run.record.attrs["measured"]
    assert run.predict().shape == (SIDE**2, 1)
    assert described["network"]["train"] < 0.15
    assert described["network"]["psnr"] > 20
    assert [one["name"] for one in described["classical"]] == ["zero-filled", "total variation"]
    assert {"run.json", "record.sqlite", "checkpoint.safetensors"} <= {
        p.name for p in run.directory.path.iterdir()
    }
    # White noise in the frequencies of the picture, of which a real picture takes the real half.
    noise, count = float(run.record.noise_power.sum()), described["functionals"]["train"]
    assert noise == pytest.approx(0.01**2 / 2 * count / SIDE**2, rel=0.2)
    error = (run.predict().reshape(SIDE, SIDE).numpy() - picture()).astype(float)
    assert described["network"]["psnr"] == pytest.approx(
        10 * np.log10(np.ptp(picture()) ** 2 / np.square(error).mean()), abs=1e-3
    )


def test_the_measured_powers_add_up_to_those_of_the_zero_filled_picture(tmp_path):
    run = ot.fit(kspace(complex_values=True), tmp_path / "run", steps=2, stop=False, **SMALL)
    fitted, held_out = split_measured(run.signal, 0.1, 0)
    filled = reconstruct(fitted, lambda values: 0.0)[0].values
    assert float(run.record.target_power.sum()) == pytest.approx(float(filled.abs().square().mean()))
    assert run.predict().is_complex()
    residual = fitted.residuals(run.network)[0].detach().abs().square().mean()
    assert float(run.record.train_error[-1]) == pytest.approx(float(residual), rel=1e-4)
    # Dominant functionals are judged, too, by their share.
    whole = run.signal.terms[0].size
    judged = judged_measurements(run.signal, held_out)
    assert [term.weight for term in judged.terms] == pytest.approx(
        [1 - judged.terms[1].weight, len(judged.terms[1].data) / whole]
    )
    assert float(run.record.held_out_error[-1]) == pytest.approx(
        float(judged.loss(run.network).detach()), rel=1e-4
    )


def test_units_of_the_measurements_do_not_decide_how_well_they_are_fitted(tmp_path):
    scores = []
    for size in (1e-6, 1e4):
        problem = ot.signals.kspace(size * kspace_values(), np.ones((SIDE, SIDE), bool), complex_values=False)
        run = ot.fit(problem, tmp_path / f"{size}", steps=60, **SMALL)
        scores.append(run.record.attrs["measured"]["network"]["train"])
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)
    assert scores[0] < 0.5
    with pytest.raises(InputError, match=r"between 1e-30 and 1e.30, got 3.*e.40; check the data"):
        ot.signals.kspace(1e40 * kspace_values(), np.ones((SIDE, SIDE), bool))
    with pytest.raises(InputError, match="measurements that are not all 0, got zeros"):
        ot.fit(
            ot.signals.kspace(0 * kspace_values(), np.ones((SIDE, SIDE), bool)), tmp_path / "zero", steps=1
        )


def kspace_values():
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(picture()), norm="ortho"))


def test_the_lowest_frequencies_are_never_held_out():
    problem = kspace()
    for seed in range(5):
        fitted, held_out = split_measured(problem, 0.3, seed)
        largest = problem.terms[0].data.abs().max()
        assert largest in fitted.terms[0].data.abs()
        assert fitted.terms[0].size + held_out.terms[0].size == problem.terms[0].size
        assert float(held_out.terms[0].data.abs().max()) < float(largest) / 2


def test_small_held_out_errors_of_the_untrained_network_do_not_end_the_run(tmp_path):
    # Held-out coefficients are those of fine detail: their error is least before the first step.
    run = ot.fit(kspace(complex_values=True, noise=0), tmp_path / "run", steps=120, **SMALL)
    assert run.network_step > 100


def test_projections_get_their_classical_reconstructions(tmp_path):
    run = ot.fit(sinogram(), tmp_path / "run", steps=60, **SMALL)
    described = run.record.attrs["measured"]
    names = [one["name"] for one in described["classical"]]
    assert names == ["scaled adjoint", "filtered back-projection", "SART, 3 passes", "total variation"]
    levels = {one["name"]: one["psnr"] for one in described["classical"]}
    assert levels["SART, 3 passes"] > 25 > levels["scaled adjoint"]
    # Twelve angles: gaps of 15 degrees, 16 pixels across.
    assert described["resolved"] == pytest.approx(1 / (SIDE * np.pi / 12))


def test_a_resumed_run_is_the_one_that_was_never_interrupted(tmp_path, monkeypatch):
    problem, options = kspace(), {"steps": 40, "lr": 0.01, **SMALL}
    once = ot.fit(problem, tmp_path / "once", **options)
    ot.fit(problem, tmp_path / "twice", **(options | {"steps": 17}))
    again = ot.fit(problem, tmp_path / "twice", resume=True, steps=40)
    assert torch.equal(once.predict(), again.predict())
    one, two = (run.record.drop_vars("time").residual_power.sel(step=[0, 4, 40]) for run in (once, again))
    assert one.equals(two)
    assert again.record.attrs["measured"] == once.record.attrs["measured"]
    unchanged = ot.fit(problem, tmp_path / "twice", resume=True)
    assert unchanged.unchanged
    assert torch.equal(unchanged.predict(), again.predict())


def test_ctrl_c_ends_a_run_that_then_goes_on_as_if_nothing_had_been(tmp_path, monkeypatch):
    problem, calls = kspace(), []
    once = ot.fit(problem, tmp_path / "once", steps=30, **SMALL)

    def loss(self, field, original=Measured.loss):
        calls.append(field)
        if len(calls) == 25:
            signal.raise_signal(signal.SIGINT)
        return original(self, field)

    with monkeypatch.context() as patch:
        patch.setattr(Measured, "loss", loss)
        stopped = ot.fit(problem, tmp_path / "twice", steps=30, **SMALL)
    assert stopped.interrupted
    assert 0 < stopped.outcome.step < 30
    again = ot.fit(problem, tmp_path / "twice", resume=True)
    assert again.outcome.step == 30
    assert torch.equal(once.predict(), again.predict())


def test_the_cosine_of_the_default_ends_with_its_budget(tmp_path):
    ot.fit(kspace(), tmp_path / "run", steps=5, **SMALL)
    with pytest.raises(InputError, match="learning rate follows it"):
        ot.fit(kspace(), tmp_path / "run", resume=True, steps=9)


def test_another_mask_is_another_problem(tmp_path):
    ot.fit(kspace(), tmp_path / "run", steps=2, **SMALL)
    other = ot.signals.kspace(kspace_values(), complex_values=False)
    assert measured_fingerprint(other) != measured_fingerprint(kspace())
    with pytest.raises(InputError, match="the samples that the run began with"):
        ot.fit(other, tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"controller": True}, "controller"),
        ({"batch": 8}, "batch"),
        ({"device": "cuda"}, "the CPU"),
        ({"bandwidth": (1.0, 2.0, 3.0)}, "one per axis"),
        ({"encoding": "basic", "bandwidth": 1.0}, "an encoding that has a bandwidth"),
    ],
)
def test_settings_that_do_not_apply_are_refused(tmp_path, options, words):
    with pytest.raises(InputError, match=words):
        ot.fit(kspace(), tmp_path / "run", **({"steps": 2} | options))
    assert not (tmp_path / "run").exists()


def test_few_angles_hold_nothing_out_and_train_to_the_end(tmp_path):
    turns = np.arange(0, 180, 45.0)
    problem = ot.signals.projections(radon(picture(), turns, circle=True).T, turns)
    run = ot.fit(problem, tmp_path / "run", steps=12, **SMALL)
    assert run.outcome.step == 12
    assert run.record.attrs["measured"]["functionals"]["held_out"] == 0
    assert run.record.attrs["measured"]["network"]["held_out"] is None


def test_a_limit_of_the_clock_bounds_the_training(tmp_path):
    config = FitConfig().replace(seconds=3.0, **SMALL)
    run = fit_on_clock(kspace(reference=False), tmp_path / "run", config, WallClock(3.0))
    assert run.outcome.seconds < 3
    assert run.record.attrs["measured"]["network"]["psnr"] is None


def test_a_plan_of_measurements_is_the_choice_of_their_bandwidth(monkeypatch):
    monkeypatch.setattr(
        "overtone.planning._recommend.choose_bandwidth", lambda *problem, **options: (problem, options)
    )
    problem = kspace()
    passed, options = ot.plan(problem, ot.planning.Budget(steps=30), seed=3)
    assert passed == (problem,)
    assert options == {"steps": 30, "seed": 3, "learning_rate": 2e-3}
    with pytest.raises(InputError, match="network"):
        ot.plan(problem, network=torch.nn.Identity)


def test_a_run_shows_the_classical_pictures_in_a_notebook(tmp_path):
    html = ot.fit(kspace(), tmp_path / "run", steps=10, **SMALL)._repr_html_()
    assert "Zero-filled" in html
    assert "Is a classical reconstruction better?" in html


def test_the_choice_and_the_classical_pictures_get_parts_of_the_limit(tmp_path, monkeypatch):
    seconds = {}

    def choose(problem, model, steps, seed, limit):
        seconds["choice"] = limit
        return choose_in_time(problem, model, steps, seed, None)

    def reconstructions(problem, judge, **options):
        seconds["classical"] = options["seconds"]
        return reconstruct_in_time(problem, judge, seconds=-1.0)

    now = [100.0]
    clock = WallClock(40.0, now=lambda: now[0])
    now[0] += 8.0
    monkeypatch.setattr("overtone.fitting._measured.choose_in_time", choose)
    monkeypatch.setattr("overtone.fitting._measured.reconstruct_in_time", reconstructions)
    config = FitConfig().replace(steps=2, seconds=40.0, **(SMALL | {"bandwidth": None}))
    run = fit_on_clock(kspace(), tmp_path / "run", config, clock)
    assert seconds == {"choice": 8.0, "classical": 8.0}
    facts = run.record.attrs["measured"]
    assert facts["classical"] == []
    assert facts["classical_left_out"] == ["zero-filled", "total variation"]
    assert (
        "Zero-filled and total variation could not be computed within the time limit."
        in classical_sentence(facts)
    )


def test_a_run_that_held_other_measurements_out_is_not_continued(tmp_path, monkeypatch):
    ot.fit(kspace(), tmp_path / "run", steps=2, **SMALL)
    monkeypatch.setattr(
        "overtone.fitting._measured.split_measured",
        lambda problem, share, seed: split_measured(problem, 2 * share, seed),
    )
    with pytest.raises(InputError, match="held-out measurements that the run began with"):
        ot.fit(kspace(), tmp_path / "run", resume=True)


def test_held_out_lines_need_no_caution(tmp_path):
    mask = np.zeros((32, 8), bool)
    mask[14:19] = mask[[1, 3, 6, 8, 10, 12, 21, 23, 27, 30, 31]] = True
    full = np.random.default_rng(0).standard_normal((32, 8)) + 0j
    sentences = []
    for problem in (ot.signals.kspace(full, mask), kspace(reference=False)):
        run = ot.fit(problem, tmp_path / f"run{len(sentences)}", steps=2, **SMALL)
        facts = run.record.attrs["measured"]
        assert facts["held_out_lines"] is (not sentences)
        sentences.append(classical_sentence(facts))
    assert ["are neighbours of measured ones" in one for one in sentences] == [False, True]


def test_measurements_on_another_device_are_refused(tmp_path):
    problem = kspace()
    term = problem.terms[0]
    other = torch.empty(term.data.shape, dtype=term.data.dtype, device="meta")
    object.__setattr__(term, "data", other)
    with pytest.raises(InputError, match="measurements on the CPU, where they are fitted, got meta"):
        ot.fit(problem, tmp_path / "run", steps=2, **SMALL)


def test_readouts_of_a_trajectory_are_fitted_and_held_out(tmp_path):
    angles, radii = np.arange(20)[:, None] * np.pi / 20, (np.arange(32) - 16) / 32
    spokes = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1)
    places = np.stack(np.mgrid[:16, :16] - 8, -1).reshape(-1, 2)
    data = np.exp(-2j * np.pi * spokes @ places.T) @ picture().reshape(-1) / 16
    np.savez(tmp_path / "radial.npz", kspace=data, trajectory=spokes, shape=[16, 16], real=True)
    problem = ot.signals.read_measured(tmp_path / "radial.npz")
    run = ot.fit(problem, tmp_path / "run", steps=40, **SMALL)
    facts = run.record.attrs["measured"]
    assert facts["functionals"] == {"train": 18 * 32, "held_out": 2 * 32}
    assert [one["name"] for one in facts["classical"]] == [
        "scaled adjoint",
        "density-compensated adjoint",
        "total variation",
    ]
    assert facts["network"]["held_out"] < 0.9


def test_what_spokes_measure_is_the_part_of_the_lattice_near_them():
    angles, radii = np.arange(8)[:, None] * np.pi / 8, (np.arange(32) - 16) / 32
    spokes = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=-1)
    for complex_values in (False, True):
        problem = ot.signals.noncartesian_kspace(
            np.ones((8, 32), complex), spokes, (16, 16), complex_values=complex_values
        )
        gain = residuals(problem)[0].metric.gain
        assert residuals(problem.split(0.2)[0])[0].metric.gain[-4:].mean() < gain[-4:].mean()
        # All that is near the centre, and spokes a fifth of a turn apart at the border.
        assert gain[0] > 0.9
        assert 0.2 < gain[-4:].mean() < 0.7
