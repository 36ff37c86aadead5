"""The description of fields in a record: what pages read of it is checked when a record is written and read."""

import copy

import pytest
import torch

from overtone import records
from overtone.errors import InputError
from overtone.probes import Probe, views
from overtone.records.metrics._field_runs import field_run

DAMAGED = {
    "no text": ("unit", 3),
    "no bands": ("reported", "all"),
    "a level of one": ("level", 1.0),
    "no list of pictures": ("pictures", None),
    "a share that is no number": ("missing", {"share": "all", "bias_median": None}),
    "missing cells without a share": ("missing", {}),
    "a bias that is no number": ("missing", {"share": 0.1, "bias_median": "large"}),
    "a channel that is not there": ("pictures", [{"sample": 0, "channels": [5]}]),
    "two channels as a colour": ("pictures", [{"sample": 0, "channels": [0, 0]}]),
    "an infinite wavelength": ("longest", float("inf")),
}


@pytest.fixture(scope="module")
def header():
    x = torch.randn(12, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    return views.fields(x, x).header({})


@pytest.mark.parametrize(("name", "value"), DAMAGED.values(), ids=DAMAGED)
def test_a_description_that_pages_cannot_read_is_refused(header, name, value):
    attrs = copy.deepcopy(header.attrs)
    attrs["fields"][name] = value
    with pytest.raises(InputError, match=r"attrs\.fields: expected the description of fields"):
        records.Header(header.band_low, header.band_high, header.channels, dict(header.static), attrs)


def test_a_record_of_other_bands_or_runs_has_no_scores_of_fields(tmp_path):
    x = torch.randn(12, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with Probe(views.fields(x, x), torch.nn.Conv2d(1, 1, 1), tmp_path / "run") as probe:
        probe(0)
    record = probe.record
    assert field_run(record, lambda name, step: None) is not None
    assert field_run(record.isel(band=slice(2)), lambda name, step: None) is None
    assert field_run(records.concat([record, record]), lambda name, step: None) is None
