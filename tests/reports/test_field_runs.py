"""Pages of runs whose targets are fields: networks are trained, watched and their pages read."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import overtone as ot
from overtone import records, reports
from overtone.errors import InputError
from overtone.probes import LogSchedule, Probe, views
from overtone.records.metrics._field_runs import field_run
from overtone.records.metrics._field_scores import FactCode, ResolutionCriterion
from overtone.reports._findings import gather
from overtone.reports._sections import run_page
from tests.probes.networks_of_fields import FNO, Autoencoder, SuperResolver, UNet, red, train


def smooth(fields, strength=30.0):
    """Fields without their fine scales, by a Gaussian filter."""
    frequency = torch.fft.fftfreq(fields.shape[-1])
    factor = torch.exp(-strength * (frequency[:, None] ** 2 + frequency**2))
    return torch.fft.ifft2(torch.fft.fft2(fields) * factor).real


def scored(path):
    return field_run(records.load(path), records.snapshots(path).find)


def answers(path):
    """Questions and answers of the first screen."""
    page = run_page(records.load(path), records.snapshots(path), "run")
    return {question: " ".join(text) for question, text in page.answers}, page


class Fixed(nn.Module):
    """Network that applies a function to its inputs."""

    def __init__(self, function):
        super().__init__()
        self.weight, self.function = nn.Parameter(torch.zeros(())), function

    def forward(self, x):
        return self.function(x) + self.weight


def one_row(view, function, path):
    with Probe(view, Fixed(function), path) as probe:
        probe(0)
    return scored(path)


CLEAN = red(24, 32)
NOISE = torch.randn(CLEAN.shape, generator=torch.Generator().manual_seed(9))


def displaced(x):
    return torch.roll(x, 3, -1)


PLANTED = {
    "a copy": (lambda x: x, {FactCode.GOOD}),
    "blurred": (lambda x: smooth(x, 60.0), {FactCode.OVERSMOOTHED, FactCode.NO_POWER, FactCode.BLURRED}),
    "noisy": (lambda x: x + 0.7 * NOISE[: len(x)], {FactCode.NOISY}),
    "displaced": (displaced, {FactCode.MISPLACED}),
    "flat": (lambda x: 0 * x, {FactCode.NO_POWER}),
}


@pytest.mark.parametrize(("function", "codes"), PLANTED.values(), ids=PLANTED)
def test_planted_defects_get_their_facts_at_fine_scales(function, codes, tmp_path, monkeypatch):
    monkeypatch.setattr("overtone.probes._evaluator._TRIAL_SIZE", 2)
    view = views.fields(torch.arange(24.0)[:, None, None, None].expand(-1, 1, 32, 32), CLEAN, periodic=True)
    # The inputs number the samples, so that the function sees whole fields at any size of chunk.
    run = one_row(view, lambda x: function(CLEAN)[x[:, 0, 0, 0].long()], tmp_path / "run")
    (score,) = run.scores
    found = {fact.code for fact in score.facts if fact.low >= 0.25 or fact.high > 0.45}
    assert found <= codes
    assert found
    assert all(fact.certain for fact in score.facts if fact.code is not FactCode.NO_POWER)


def test_powers_of_a_record_add_up_and_its_resolution_lies_where_the_filter_crosses(tmp_path):
    run = one_row(views.fields(CLEAN, CLEAN, periodic=True), lambda x: smooth(x, 60.0), tmp_path / "run")
    (score,) = run.scores
    total = score.amplitude_error + score.decorrelation_error
    np.testing.assert_allclose(total, score.residual)
    resolution = run.resolution(score, ResolutionCriterion.ERROR)
    # The error ratio (1 - H)^2 of H = exp(-60 f^2) is one half at f = 0.143, a wavelength of 7.0 samples.
    exact = 1 / math.sqrt(-math.log(1 - math.sqrt(0.5)) / 60)
    assert resolution.wavelength == pytest.approx(exact, rel=0.06)
    assert resolution.low <= resolution.wavelength <= resolution.high


KINDS = {
    "a U-Net that denoises": (UNet, CLEAN + 0.5 * NOISE, CLEAN, ("blurred",)),
    "an FNO": (FNO, CLEAN, 2 * smooth(CLEAN), ()),
    "a super-resolver": (SuperResolver, nn.functional.avg_pool2d(CLEAN, 2), CLEAN, ("blurred",)),
    "an autoencoder": (Autoencoder, CLEAN, CLEAN, ("blurred",)),
}


@pytest.mark.parametrize(("make", "x", "y", "words"), KINDS.values(), ids=KINDS)
def test_networks_between_fields_are_watched_and_their_pages_answer(make, x, y, words, tmp_path):
    torch.manual_seed(0)
    network = make()
    with Probe(
        views.fields(x, y, periodic=True), network, tmp_path / "run", schedule=LogSchedule(2.0)
    ) as probe:
        train(network, x, y, probe, steps=60)
    assert probe.faults == []
    replies, page = answers(tmp_path / "run")
    assert "effective resolution is" in replies["What does it get right?"]
    for word in words:
        assert word in replies["What does it get wrong?"]
    assert "There is an effective resolution since step" in replies["Since when?"]
    assert replies["What should I do?"]
    pictures = next(section for section in page.sections if section.anchor == "reconstruction").blocks
    titles = [picture.title for picture in pictures[0].pictures]
    assert titles == [
        *(f"Prediction, step {step}" for step in (0, 4, 60)),
        "Target",
        *(f"Difference, step {step}" for step in (0, 4, 60)),
    ]
    advice = reports.verdict(records.load(tmp_path / "run"))[3]
    assert "bandwidth" not in advice
    run = scored(tmp_path / "run")
    errors = run.scores[0].error_ratio[run.scores[0].reported]
    assert errors[0] < 0.5
    assert errors[0] < errors[-1]


def test_a_rollout_has_one_channel_for_each_lead_time(tmp_path):
    torch.manual_seed(0)
    network = UNet()
    after = 0.9 * displaced(CLEAN)
    truth = torch.stack([after, 0.9 * displaced(after)], dim=1)
    view = views.rollout(CLEAN, truth, periodic=True, lead_times=["6 h", "12 h"])
    with Probe(view, network, tmp_path / "run", schedule=LogSchedule(2.0)) as probe:
        train(network, CLEAN, truth[:, 0], probe, steps=60)
    assert probe.record.channel.values.tolist() == ["6 h", "12 h"]
    network.eval()
    with torch.no_grad():
        twice = network(network(CLEAN))
    wrong = float((twice - truth[:, 1]).square().mean())
    run = scored(tmp_path / "run")
    assert float(probe.record.residual_power[-1, :, 1].sum()) == pytest.approx(wrong, rel=0.2)
    first, second = (run.resolution(score, ResolutionCriterion.ERROR).wavelength for score in run.scores)
    assert first < second
    replies, page = answers(tmp_path / "run")
    assert "Values at lead time 6 h" in replies["What does it get right?"]
    assert "lead-times" in [section.anchor for section in page.sections]


def test_a_rollout_of_several_variables_takes_what_advance_makes_of_its_outputs(tmp_path):
    x = torch.cat([CLEAN, CLEAN.flip(-1)], 1)
    truth = torch.stack([0.5 * x, 0.25 * x, 0.125 * x], dim=1)
    forced = {"state": x, "forcing": torch.full((24, 1, 1, 1), 0.5)}
    view = views.rollout(
        forced,
        truth,
        advance=lambda before, after: {"state": after, "forcing": before["forcing"]},
        channels=["u", "v"],
        periodic=True,
    )

    class Forced(nn.Module):
        def forward(self, state, forcing):
            return forcing * state

    with Probe(view, Forced(), tmp_path / "run") as probe:
        probe(0)
    assert probe.record.channel.values.tolist() == [
        "u at 1",
        "u at 2",
        "u at 3",
        "v at 1",
        "v at 2",
        "v at 3",
    ]
    assert float(probe.record.residual_power.max()) < 1e-12
    with pytest.raises(InputError, match="expected outputs that are the next inputs"):
        Probe(views.rollout(forced, truth), Forced())
    with pytest.raises(InputError, match=r"expected targets of shape .samples, lead times, variables"):
        views.rollout(x, x[:, 0])
    with pytest.raises(InputError, match="expected 3 lead times, got 1"):
        views.rollout(x, truth, lead_times=["6 h"])


def test_one_sample_has_no_interval_and_the_first_screen_says_so(tmp_path):
    one_row(views.fields(CLEAN[:1], CLEAN[:1]), lambda x: 0.5 * x, tmp_path / "run")
    replies, _ = answers(tmp_path / "run")
    assert "With one sample there is no interval" in replies["Notes"]
    assert "interval" not in replies["What does it get right?"]


def test_a_constant_target_has_no_spectrum_but_structure_that_a_decoder_adds_is_stated(tmp_path):
    flat = torch.zeros(12, 1, 16, 16)
    run = one_row(
        views.fields(flat, flat, periodic=True), lambda x: x + 0.1 * CLEAN[0, :, :16, :16], tmp_path / "run"
    )
    expected = float(0.1 * CLEAN[0, :, :16, :16].std(correction=0))
    assert run.added[0] == pytest.approx(expected, rel=1e-3)
    replies, _ = answers(tmp_path / "run")
    assert "the target is constant, so that it has no spectrum" in replies["What does it get right?"]
    assert "adds structure" in replies["What does it get right?"]


def test_flat_predictions_of_real_fields_are_an_answer(tmp_path):
    one_row(views.fields(CLEAN, CLEAN, periodic=True), lambda x: 0 * x, tmp_path / "run")
    replies, _ = answers(tmp_path / "run")
    assert "no effective resolution can be stated" in replies["What does it get right?"]
    assert "has no structure" in replies["What does it get wrong?"]


def test_time_series_and_volumes_have_pages_too(tmp_path):
    series = torch.randn(12, 2, 64, generator=torch.Generator().manual_seed(0)).cumsum(-1)
    one_row(views.fields(series, series, spacing=0.01, unit="s"), lambda x: 0.5 * x, tmp_path / "series")
    replies, page = answers(tmp_path / "series")
    assert "channel 0: no" not in replies
    anchors = [block.anchor for block in page.sections[0].blocks]
    assert anchors == ["reconstruction-curve", "fields-difference"]
    volume = torch.randn(10, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    one_row(views.fields(volume, volume, periodic=True), lambda x: 0.5 * x, tmp_path / "volume")
    ot.report(tmp_path / "volume", tmp_path / "volume.html")
    assert (tmp_path / "volume.html").stat().st_size > 10_000
    names = [path.name for path in reports.save_figures(tmp_path / "volume", tmp_path / "figures", "svg")]
    assert "reconstruction-slices.svg" in names
    picture = torch.rand(10, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    one_row(views.fields(picture, picture, channels=["u", "v", "w"]), lambda x: 0.5 * x, tmp_path / "picture")
    names = [path.name for path in reports.save_figures(tmp_path / "picture", tmp_path / "figures", "svg")]
    assert "fields.svg" in names


def test_a_record_without_blocks_has_scores_without_intervals(tmp_path):
    one_row(views.fields(CLEAN, CLEAN, periodic=True), lambda x: 0.5 * x, tmp_path / "run")
    record = records.load(tmp_path / "run")
    run = field_run(record, lambda name, step: None)
    assert not run.scores[0].has_intervals
    assert run.scores[0].error_ratio[1] == pytest.approx(0.25)
    assert field_run(record.drop_attrs(), lambda name, step: None) is None
    assert gather(record).unit == "cycles per sample"
