"""Distances of all pairs keep to their budget, and what is found does not depend on it."""

from __future__ import annotations

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from overtone.errors import InputError
from overtone.spectra.clouds import GaussianFilter, GraphTransform, KernelSums

ROWS, FEATURES = 1200, 40
SMALL = 0.002
"""GiB: a hundred and more rows of distances in float64, a tenth of all pairs at most."""


class Held(TorchDispatchMode):
    """Counts the bytes of all tensors made within, as long as they are held; views count once."""

    def __init__(self):
        super().__init__()
        self.now, self.peak, self._known = 0, 0, {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor):
                self._add(leaf)
        self.peak = max(self.peak, self.now)
        return found

    def _add(self, leaf):
        storage = leaf.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        if place not in self._known:
            self.now += size
        self._known[place] = self._known.get(place, 0) + 1
        weakref.finalize(leaf, self._drop, place, size)

    def _drop(self, place, size):
        self._known[place] -= 1
        if not self._known[place]:
            del self._known[place]
            self.now -= size


def cloud():
    source = torch.Generator().manual_seed(0)
    return torch.randn(ROWS, FEATURES, generator=source, dtype=torch.float64)


def graph(x, memory):
    return GraphTransform(x, 4, memory=memory).frequency


def exact(x, memory):
    return GaussianFilter(x, 3.0, memory=memory).split(x[:, :1]).low


def sparse(x, memory):
    return GaussianFilter(x, 3.0, KernelSums.tree(near=64, far=64, memory=memory)).split(x[:, :1]).low


@pytest.mark.parametrize("find", [graph, exact, sparse])
def test_the_budget_is_kept_and_changes_nothing(find):
    """Beside the budget: some copies of the features and of what is found, far below all pairs' 11.5 MB."""
    x = cloud()
    beside = 8 * ROWS * FEATURES * 8
    with Held() as held:
        found = find(x, SMALL)
    assert held.peak <= SMALL * 2**30 + beside
    torch.testing.assert_close(found, find(x, 1.0), rtol=1e-9, atol=1e-12)


def test_the_count_sees_what_goes_beyond_a_budget():
    """The control: all pairs at once are more than the small budget and what may be held beside it."""
    with Held() as held:
        graph(cloud(), 1.0)
    assert held.peak > SMALL * 2**30 + 8 * ROWS * FEATURES * 8


@pytest.mark.parametrize("memory", [1e-6, 0.0, -1.0, float("nan")])
@pytest.mark.parametrize("find", [graph, exact])
def test_less_than_a_row_is_refused(find, memory):
    with pytest.raises(
        InputError, match=r"memory: expected a memory budget of at least .* GiB, for the distances of one"
    ):
        find(cloud(), memory)


def test_sums_made_by_hand_have_their_own_budget():
    with pytest.raises(InputError, match="distances of one row to 1,200 others"):
        GaussianFilter(cloud(), 3.0, KernelSums.exact(1e-6)).split(cloud()[:, :1])
