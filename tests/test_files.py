"""Files are written whole or not at all, and statistics are those of SciPy's slow module."""

import os

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from overtone._utils.files import atomic_path, write_atomic
from overtone._utils.statistics import normal_quantile, psnr_from_error, student_half_width, student_quantile


@pytest.mark.parametrize("content", ["a page with ü", b"\x00\xff"])
@pytest.mark.parametrize("fixed", [False, True])
def test_a_file_is_atomic_path_and_nothing_else_is_left(tmp_path, content, fixed):
    path = tmp_path / "new" / "page.html"
    partial = path.with_name("page.part") if fixed else None
    assert write_atomic(path, "old", partial) == path
    write_atomic(path, content, partial)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_alone(tmp_path, error):
    path = write_atomic(tmp_path / "page.html", "old")

    def write() -> None:
        with atomic_path(path) as place:
            place.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_bytes_reach_the_disk_before_the_name_does(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (calls.append("fsync"), fsync(handle))[1])
    monkeypatch.setattr(os, "replace", lambda a, b: (calls.append("replace"), replace(a, b))[1])
    write_atomic(tmp_path / "page.html", "new")
    assert calls == ["fsync", "replace"]


@given(st.floats(0.5, 0.999), st.integers(1, 200))
def test_quantiles_are_those_of_the_slow_module(confidence, freedom):
    # Both invert the distribution function to about 1e-13 of its value.
    expected = scipy.stats.t.ppf(0.5 + confidence / 2, freedom)
    assert student_quantile(confidence, freedom) == pytest.approx(expected, rel=1e-9)
    assert normal_quantile(confidence) == pytest.approx(scipy.stats.norm.ppf(0.5 + confidence / 2), rel=1e-9)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 5))
    inside = [abs(row.mean() - 3.0) <= student_half_width(row, 0.9) for row in draws]
    # Binomial: sqrt(0.9 * 0.1 / 4000) = 0.0047; four of these.
    assert np.mean(inside) == pytest.approx(0.9, abs=0.019)
    assert student_half_width([1.0], 0.9) == 0.0


def test_psnr_is_the_level_of_the_peak_over_the_error():
    assert psnr_from_error(0.01, 1.0) == pytest.approx(20.0)
    assert psnr_from_error(1.0, 10.0) == pytest.approx(20.0)
    assert psnr_from_error(0.0, 1.0) == np.inf
