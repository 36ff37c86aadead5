"""Nothing of what judges reaches a candidate."""

from dataclasses import replace

import pytest
import torch

from overtone.comparing._task import ComparisonTask
from overtone.errors import InputError
from overtone.signals import masks, synthetic
from tests.comparing.small import waves


def held(signal, name="random"):
    if name == "strided":
        return signal.with_split(*masks.alternating(signal.geometry))
    return signal.with_held_out(masks.random(signal.geometry, 0.2, 0))


@pytest.mark.parametrize("name", ["random", "strided"])
def test_hidden_values_leave_no_trace(name):
    signal = held(waves(noise=0.05), name)
    hidden = signal.values.clone()
    seen = torch.zeros(len(hidden), dtype=torch.bool)
    seen[signal.train_index] = True
    hidden[~seen] = (
        1e3 * torch.rand(int((~seen).sum()), 1, generator=torch.Generator().manual_seed(0)).double()
    )
    first, second = (
        ComparisonTask.of(signal),
        ComparisonTask.of(replace(signal, values=hidden.to(signal.values))),
    )
    assert torch.equal(first.signal.values, second.signal.values)
    assert first.bandwidth == second.bandwidth
    assert first.reasons == second.reasons
    assert torch.equal(first.signal.normalisation.scale, second.signal.normalisation.scale)
    assert torch.equal(first.signal.values[seen], signal.values[seen])
    assert not torch.equal(first.reference, second.reference)


def test_the_clean_values_judge_where_they_are_known():
    signal = held(waves())
    noisy = synthetic.add_noise(signal, fraction_of_range=0.2, seed=1)
    found = ComparisonTask.of(noisy)
    assert found.noisy
    assert torch.equal(found.reference, signal.values)
    assert found.signal.clean is None
    assert not ComparisonTask.of(signal).noisy


@pytest.mark.parametrize("name", ["random", "strided"])
def test_it_is_read_as_it_was_written(tmp_path, name):
    found = ComparisonTask.of(held(waves(noise=0.05), name))
    found.save(tmp_path / "problem.npz")
    again = ComparisonTask.load(tmp_path / "problem.npz")
    assert torch.equal(found.signal.values, again.signal.values)
    assert torch.equal(found.reference, again.reference)
    assert found.signal.geometry == again.signal.geometry
    assert torch.equal(found.signal.train_index, again.signal.train_index)
    assert torch.equal(found.signal.held_out_index, again.signal.held_out_index)
    assert torch.equal(found.signal.normalisation.offset, again.signal.normalisation.offset)
    assert (found.bandwidth, found.reasons, found.noisy) == (again.bandwidth, again.reasons, again.noisy)


def test_what_cannot_be_judged_is_refused(tmp_path):
    with pytest.raises(
        InputError,
        match="expected held-out samples, which are needed to evaluate candidates, got none; hold out",
    ):
        ComparisonTask.of(waves())
    (tmp_path / "problem.npz").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(
        InputError, match="expected the samples of a comparison, got a missing or damaged file"
    ):
        ComparisonTask.load(tmp_path / "problem.npz")
