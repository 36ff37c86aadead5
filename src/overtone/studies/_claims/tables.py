"""Tables with sharp rules that concern few rows, as of fraud: periodic embeddings against their rivals."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from overtone._utils.seeding import derive_seed, numpy_generator
from overtone.nn import MLP, parameter_groups
from overtone.nn.encodings import Gaussian, Periodic
from overtone.studies._claims._shared import scikit_learn
from overtone.studies._criteria import AtLeast
from overtone.studies._study import (
    MET_BY_A_CONDITION,
    Condition,
    FigureAxes,
    Measurement,
    SizeSettings,
    Study,
    StudySize,
    Tested,
    Topic,
)

_COLUMNS, _FRAUD_SHARE = 8, 0.05
"""Columns of the table, and share of the rows that are fraud."""

_PERIODIC_SCALE, _FROZEN_SCALE = 0.5, 0.1
"""Standard deviations of the frequencies, in cycles per standard deviation of a column."""

_RECALL = np.arange(1, 20) / 20


def measure_fraud_tables(
    seed: int, rival: str, sharp: bool, rows: int, steps: int, width: int
) -> Measurement:
    """Measure the average precision on new rows of periodic embeddings per column, less that of the rival."""
    x = numpy_generator(seed, "columns").standard_normal((2 * rows, _COLUMNS)).astype(np.float32)
    fraud = (_interval_rules if sharp else _half_space)(x, seed)
    precisions = {}
    for name in ("periodic per column", rival):
        scores = (
            _tree_scores(x, fraud, rows, seed)
            if name == "trees"
            else _network_scores(name, x, fraud, rows, steps, width, seed)
        )
        precisions[name] = _precision_at_frauds(scores, fraud[rows:])
    periodic, other = (float(precision.mean()) for precision in precisions.values())
    curves = {}
    for name, precision in precisions.items():
        share = np.arange(1, len(precision) + 1) / len(precision)
        curves[name] = _RECALL, np.interp(_RECALL, share, precision)
    return Measurement(periodic - other, curves, (f"average precision {periodic:.3f} and {other:.3f}",))


def _interval_rules(x: np.ndarray, seed: int) -> np.ndarray:
    """Return per row whether one of four rules holds, each an interval of one column and an interval of another."""
    draw = numpy_generator(seed, "rules")
    caught = np.zeros(len(x), dtype=bool)
    # Each interval holds the root of a quarter of the share, so that the four rules together hold about the share.
    length = np.sqrt(_FRAUD_SHARE / 4)
    for _ in range(4):
        a, b = draw.choice(_COLUMNS, 2, replace=False)
        inside = np.ones(len(x), dtype=bool)
        for column in (a, b):
            start = draw.uniform(0, 1 - length)
            low, high = np.quantile(x[:, column], [start, start + length])
            inside &= (low <= x[:, column]) & (x[:, column] <= high)
        caught |= inside
    return caught


def _half_space(x: np.ndarray, seed: int) -> np.ndarray:
    """Return per row whether a weighted sum of the columns is among the largest."""
    score = x @ numpy_generator(seed, "rules").standard_normal(_COLUMNS)
    return score >= np.quantile(score, 1 - _FRAUD_SHARE)


def _network_scores(
    name: str, x: np.ndarray, fraud: np.ndarray, rows: int, steps: int, width: int, seed: int
) -> np.ndarray:
    """Return the scores of the second half of the rows, by a network trained on the first."""
    network = _table_network(name, width, seed)
    inputs, labels = torch.from_numpy(x), torch.from_numpy(fraud).float()[:, None]
    source = torch.Generator().manual_seed(derive_seed(seed, "batches"))
    optimizer = torch.optim.AdamW(parameter_groups(network, lr=2e-3), weight_decay=1e-2)
    for _ in range(steps):
        batch = torch.randint(rows, (256,), generator=source)
        loss = nn.functional.binary_cross_entropy_with_logits(network(inputs[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return network(inputs[rows:])[:, 0].numpy()


def _table_network(name: str, width: int, seed: int) -> nn.Module:
    """Return the network of that name."""
    if name == "plain":
        return MLP(_COLUMNS, 1, width, 2, seed=derive_seed(seed, name))
    encoding = (
        Periodic(_COLUMNS, _PERIODIC_SCALE, 16, 8, seed=derive_seed(seed, name))
        if name == "periodic per column"
        else Gaussian(_COLUMNS, 64, _FROZEN_SCALE, seed=derive_seed(seed, name))
    )
    return nn.Sequential(encoding, MLP(encoding.out_features, 1, width, 2, seed=derive_seed(seed, "body")))


def _tree_scores(x: np.ndarray, fraud: np.ndarray, rows: int, seed: int) -> np.ndarray:
    """Return the scores of the second half of the rows, by boosted trees grown on the first."""
    ensemble = scikit_learn("ensemble")
    trees = ensemble.HistGradientBoostingClassifier(random_state=seed).fit(x[:rows], fraud[:rows])
    return trees.predict_proba(x[rows:])[:, 1]


def _precision_at_frauds(scores: np.ndarray, fraud: np.ndarray) -> np.ndarray:
    """Return the share of frauds among the rows that score as high as each fraud or higher, best first."""
    # The n-th fraud from the top, at position p, has the precision n / p; the mean over frauds is average precision.
    positions = np.flatnonzero(fraud[np.argsort(-scores, kind="stable")]) + 1
    return np.arange(1, len(positions) + 1) / positions


FRAUD_TABLES = Study(
    name="fraud-tables",
    topic=Topic.FIELDS,
    claim=(
        "On tables with sharp rules that concern few rows, trained periodic embeddings per column do better "
        "than plain networks, frozen Fourier features and trees."
    ),
    source=(
        "Gorishniy et al. 2022, On embeddings for numerical features in tabular deep learning, section 4 "
        "(arXiv:2203.05556); Grinsztajn et al. 2022, section 5 (arXiv:2207.08815), for trees on sharp "
        "targets"
    ),
    statistic=(
        "average precision on new rows of a network with periodic embeddings per column, less that of its "
        "rival"
    ),
    criterion=AtLeast(0.1),
    conditions=(
        Condition("against a plain network", {"rival": "plain", "sharp": True}),
        Condition("against frozen Fourier features", {"rival": "frozen", "sharp": True}),
        Condition("against boosted trees", {"rival": "trees", "sharp": True}),
    ),
    control=Condition("against a plain network, half-space", {"rival": "plain", "sharp": False}),
    positive=MET_BY_A_CONDITION,
    measure=measure_fraud_tables,
    axes=FigureAxes("Share of the frauds detected", "Precision"),
    sizes={
        StudySize.SMOKE: SizeSettings(1, {"rows": 300, "steps": 5, "width": 16}),
        StudySize.QUICK: SizeSettings(5, {"rows": 4000, "steps": 500, "width": 64}),
        StudySize.FULL: SizeSettings(20, {"rows": 50_000, "steps": 20_000, "width": 512}),
    },
    factor="the rival",
    tested=Tested.CASE,
    limits=(-1.0, 1.0),
    caveat=(
        "Rules are rectangles along two columns each, which suits the splits of trees; 5 % of the rows are "
        "fraud. Either encoding has the better of two scales of its frequencies, chosen on other seeds; the "
        "trees have scikit-learn's default settings."
    ),
)


STUDIES = (FRAUD_TABLES,)
