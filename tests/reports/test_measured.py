import numpy as np
import pytest

from overtone import records, reports
from overtone.reports._measured_verdict import MEASURED_QUESTIONS, classical_is_better
from overtone.reports._verdict import questions

SCORES = {"train": 0.1, "held_out": 0.2, "psnr": None}


def facts(**changes):
    base = {
        "kind": "k-space",
        "functionals": {"train": 90, "held_out": 10},
        "unknowns": 256,
        "angles": 0,
        "resolved": None,
        "noise": None,
        "classical": [{"name": "zero-filled", "train": 0.0, "held_out": 1.0, "psnr": None}],
        "network": dict(SCORES),
    }
    return base | changes


def record(described, gain=(1.0, 0.9, 0.3), errors=(0.0, 0.1, 0.9), kept=100, trained=1.0):
    steps = np.array([0, 1, 2, 5, 10, 20, 50, 100])
    target = np.array([[1.0], [1.0], [1.0]])
    last = np.square(errors)[:, None]
    residual = np.stack([target if step < 100 else last for step in steps])
    attrs = {
        "measured": described,
        "gain": list(gain),
        "kept": kept,
        "frequency_unit": "cycles per mm",
        "nyquist": [0.5, 0.5],
        "complete": True,
        "ending": "all steps done",
    }
    header = records.Header([0, 0.1, 0.2], [0.1, 0.2, 0.4], ["value"], {"target_power": target}, attrs)
    error = np.full(len(steps), trained)
    return header.record(steps, {"residual_power": residual, "train_error": error, "held_out_error": error})


def answers(*arguments, **options):
    return reports.verdict(record(*arguments, **options))


def test_what_is_explained_settled_and_not_measured():
    replies = answers(facts())
    assert len(replies) == len(questions(record(facts()))) == len(MEASURED_QUESTIONS)
    assert "100 measurements (k-space) of a picture of 256 unknowns" in replies[0]
    assert "0.1 of the measurements it was trained on, and 0.2 of those that were held out" in replies[0]
    assert "Every measured band up to 0.2 cycles per mm is settled, 1 of 2" in replies[1]
    assert "between 0.2 and 0.4 cycles per mm" in replies[1]
    assert (
        "From 0.2 cycles per mm on, bands have less than half of their coefficients measured (30%"
        in replies[1]
    )


def test_all_measured_bands_settled():
    replies = answers(facts(), gain=(1.0, 1.0, 0.6), errors=(0.0, 0.1, 0.2))
    assert "All 2 measured bands up to 0.4" in replies[1]
    assert "At least half of the coefficients of every band are measured" in replies[1]


def test_angles_limit_what_projections_determine():
    replies = answers(facts(kind="projections", angles=20, resolved=0.15))
    assert "20 angles determine the picture up to 0.15 cycles per mm" in replies[1]


@pytest.mark.parametrize(
    ("classical", "network", "better", "words"),
    [
        ({"held_out": 0.1}, {"held_out": 0.2}, True, "Yes: TV is better"),
        ({"held_out": 0.4}, {"held_out": 0.2}, False, "No: the best of them, TV, is worse"),
        ({"held_out": 0.2}, {"held_out": 0.2}, None, "TV is about as good"),
        # Where the picture is known, it decides.
        ({"held_out": 0.1, "psnr": 20.0}, {"held_out": 0.2, "psnr": 25.0}, False, "No:"),
        ({"held_out": None}, {"held_out": None}, None, "Cannot tell"),
    ],
)
def test_a_better_classical_picture_is_named(classical, network, better, words):
    described = facts(classical=[{"name": "TV"} | SCORES | classical], network=SCORES | network)
    assert classical_is_better(described) is better
    replies = answers(described)
    assert words in replies[2]
    assert replies[3].startswith("Use the reconstruction by TV") == (better is True)


def test_fitted_noise_and_restored_networks():
    assert "noise is being fitted" in answers(facts(noise=2.0))[3]
    assert "the network of step 50" in answers(facts(noise=0.5), kept=50)[3]


def test_an_unfinished_run_has_a_page(tmp_path):
    described = facts()
    del described["network"]
    header = records.Header(
        [0, 0.1], [0.1, 0.2], ["value"], {"target_power": [[1], [1]]}, {"measured": described}
    )
    with records.Writer.create(tmp_path / "record.sqlite", header) as writer:
        writer.append(0, {"residual_power": [[1], [1]]})
        writer.snapshot("prediction", 0, np.zeros((4, 4, 1)))
    page = reports.report(tmp_path, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The run has not ended yet" in page
