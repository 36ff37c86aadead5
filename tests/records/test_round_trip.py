"""What goes into a record comes out bit by bit."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overtone.errors import InputError
from overtone.records import Header, Writer, load, snapshots, to_netcdf
from overtone.records._attributes import KINDS
from overtone.records._schema import PER_STEP
from tests.records.toy import toy_header, toy_record

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
QUICK = settings(max_examples=25, deadline=None)


def write(path: Path, header: Header, rows: dict[int, dict[str, np.ndarray]]) -> None:
    with Writer.create(path, header) as writer:
        for step, row in rows.items():
            writer.append(step, row)


@st.composite
def records(draw):
    bands, channels, steps = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 3))
    numbers = draw(hnp.arrays("<f8", (steps, 8, bands, channels), elements=st.floats(width=64)))
    edges = np.cumsum(draw(hnp.arrays(float, bands + 1, elements=st.floats(0.1, 9.0))))
    when = sorted(draw(st.sets(st.integers(0, 2**63 - 1), min_size=steps, max_size=steps)))
    target = draw(hnp.arrays(float, (bands, channels), elements=st.floats(width=64)))
    header = Header(edges[:-1], edges[1:], tuple(f"c{i}" for i in range(channels)), {"target_power": target})
    rows = {
        step: {
            name: numbers[i, j] if variable.inner else numbers[i, j, 0, 0]
            for j, (name, variable) in enumerate(PER_STEP.items())
        }
        for i, step in enumerate(when)
    }
    return header, rows


@QUICK
@given(records())
def test_any_float64_row_returns_bit_by_bit(record):
    header, rows = record
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.sqlite"
        write(path, header, rows)
        read = load(path)
    assert read.step.values.tolist() == list(rows)
    assert read.step.dtype == np.int64
    assert read.target_power.values.tobytes() == header.static["target_power"].tobytes()
    assert np.isnan(read.noise_power.values).all()
    for name in PER_STEP:
        assert read[name].dtype == np.float64
        for i, step in enumerate(rows):
            assert np.asarray(read[name].values[i]).tobytes() == np.asarray(rows[step][name]).tobytes()


FREE_NAMES = st.text().filter(lambda name: name not in KINDS and name not in ("schema", "salvaged"))
"""Names of attributes with unchecked values; Hypothesis also tries strings that it finds in the source."""


@settings(max_examples=5, deadline=None)
@given(records(), st.dictionaries(FREE_NAMES, JSON, max_size=4))
def test_export_returns_bit_by_bit(record, attrs):
    header, rows = record
    with tempfile.TemporaryDirectory() as folder:
        path, exported = Path(folder) / "record.sqlite", Path(folder) / "record.nc"
        write(path, replace(header, attrs=attrs), rows)
        read = load(path)
        to_netcdf(read, exported)
        again = load(exported)
    assert again.identical(read)
    assert again.attrs == read.attrs
    for name in read.variables:
        assert again[name].dtype == read[name].dtype
        assert again[name].values.tobytes() == read[name].values.tobytes()


@QUICK
@given(st.dictionaries(FREE_NAMES, JSON, max_size=4))
def test_attributes_return(attrs):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.sqlite"
        write(path, Header([0.0], [1.0], ("c",), {"target_power": [[1.0]]}, attrs), {})
        read = load(path)
    assert read.attrs == {**attrs, "schema": 1}


def test_numpy_attributes_and_numbers_that_are_none(tmp_path):
    attrs = {
        "a": np.float32(0.5),
        "b": np.arange(3),
        "c": (1, None),
        "d": math.inf,
        "e": math.nan,
        "f": "\ud800\0",
    }
    with Writer.create(tmp_path / "record.sqlite", toy_header(**attrs)) as writer:
        writer.annotate(g=np.int64(3), a=[])
        assert load(tmp_path).attrs["g"] == 3
    read = load(tmp_path).attrs
    assert (read["a"], read["b"], read["c"], read["d"], read["f"]) == (
        [],
        [0, 1, 2],
        [1, None],
        math.inf,
        "\ud800\0",
    )
    assert math.isnan(read["e"])


@QUICK
@given(
    st.sampled_from(["?", "i1", "u1", "<i2", ">i4", "<u8", "<f2", "<f4", ">f8", "<c8", "<c16"]).flatmap(
        lambda dtype: hnp.arrays(
            np.dtype(dtype), hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
        )
    )
)
def test_snapshots_keep_values_shape_and_dtype(array):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.sqlite"
        with Writer.create(path, toy_header()) as writer:
            writer.snapshot("target", -1, array)
        read = snapshots(path).get("target", -1)
    native = array.astype(array.dtype.newbyteorder("="))
    assert (read.dtype, read.shape, read.tobytes()) == (native.dtype, native.shape, native.tobytes())


def test_snapshots_by_name_and_step(tmp_path):
    with Writer.create(tmp_path / "record.sqlite", toy_header()) as writer:
        for step in (7, 0, 3):
            writer.snapshot("prediction", step, np.full(2, step))
        writer.snapshot("target", -1, np.ones((2, 2), np.float32).T)
        writer.snapshot("prediction", 3, np.full(2, 4))
    kept = snapshots(tmp_path)
    assert kept.names == ("prediction", "target")
    assert kept.steps("prediction") == (0, 3, 7)
    assert kept.steps("nothing") == ()
    assert kept.get("prediction", 3).tolist() == [4, 4]
    with pytest.raises(
        InputError, match=r"expected one of the snapshots prediction@0, .*, got target@5; choose one"
    ):
        kept.get("target", 5)


def test_resume_drops_later_rows_and_snapshots(tmp_path):
    path, toy = tmp_path / "record.sqlite", toy_record()
    with Writer.create(path, toy_header()) as writer:
        for i, step in enumerate(toy.step.values):
            writer.append(step, {name: toy[name].values[i] for name in PER_STEP})
            writer.snapshot("prediction", step, np.zeros(2))
        writer.snapshot("target", -1, np.zeros(2))
        writer.annotate(stop=12)
    assert load(path).equals(toy)
    with Writer.resume(path, last_step=10) as writer:
        assert writer.header.attrs["stop"] == 12
        with pytest.raises(InputError, match="expected a step above 10"):
            writer.append(10, {"residual_power": np.zeros((8, 1))})
        writer.append(11, {"residual_power": np.zeros((8, 1))})
    record = load(path)
    assert record.step.values.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11][-record.sizes["step"] :]
    assert record.sel(step=slice(0, 10)).equals(toy.sel(step=slice(0, 10)))
    assert np.isnan(record.loss.values[-1])
    assert snapshots(path).steps("prediction")[-1] == 10
    assert snapshots(path).steps("target") == (-1,)
