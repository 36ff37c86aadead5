"""Parts of a verification on a Dask cluster."""

from __future__ import annotations

import io
import pickle
import uuid
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, final

from overtone._utils.optional import import_optional
from overtone.errors import InputError, RunError
from overtone.verification._pairs import Batch, Pairs

_SMALL = 1 << 22
"""Bytes up to which pairs are sent to the workers, which then read the files; else their values are sent."""

_TRIES = 3
"""Times that parts are sent again after the workers that had their plan are lost."""

_CACHED = 4
"""Functions that a worker holds, so that tables of a transform are computed once."""


@final
class ClusterExecutor:
    """Runs parts on the workers of a Dask cluster; a lost worker's parts are run by the others.

    Files are read by the workers, at the same paths as here; arrays in memory are sent part by part. The results come
    back in order, so the figures are those of one process.

    Args:
        cluster: Address of the scheduler, or a client.

    Raises:
        InputError: If there is no scheduler at the address.
    """

    def __init__(self, cluster: Any) -> None:
        distributed = import_optional("distributed", "cluster")
        self._opened = isinstance(cluster, str)
        if not self._opened:
            self._client = cluster
            return
        try:
            self._client = distributed.Client(cluster, timeout="10s", set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise InputError(
                "a Dask scheduler at this address",
                str(error).splitlines()[0] if str(error) else "no answer",
                "start one (dask scheduler), or check the address, such as tcp://127.0.0.1:8786",
                cluster,
            ) from error

    def close(self) -> None:
        """Close the connection, if it was opened here."""
        if self._opened:
            self._client.close()

    def run(
        self, function: Callable[[Batch], Any], pairs: Pairs, lead: int, parts: Sequence[slice]
    ) -> Iterator[Any]:
        """Yield the results in the order of the parts.

        Raises:
            RunError: If the workers are lost again and again.
        """
        distributed = import_optional("distributed", "cluster")
        lost = (
            distributed.client.FutureCancelledError,
            distributed.KilledWorker,
            distributed.comm.CommClosedError,
            TimeoutError,
        )
        done, tries = 0, 0
        while done < len(parts):
            try:
                for result in self._results(function, pairs, lead, parts[done:]):
                    yield result
                    done += 1
            except lost as error:
                tries += 1
                if tries >= _TRIES:
                    raise RunError(
                        "workers that finish their parts",
                        f"{type(error).__name__}: {error}",
                        "give the workers more memory, or verify with a smaller --memory",
                        "dask",
                    ) from error

    def _results(
        self, function: Callable[[Batch], Any], pairs: Pairs, lead: int, parts: Sequence[slice]
    ) -> Iterator[Any]:
        files, token = pickled_within(pairs, _SMALL), uuid.uuid4().hex
        # A copy on each worker outlives the loss of one.
        plan = self._client.scatter(pickle.dumps((function, files)), broadcast=True, hash=False)
        ahead = 2 * max(1, sum(self._client.nthreads().values()))
        running: deque[Any] = deque()
        for part in parts:
            if files is None:
                batch: Any = self._client.submit(_same, pairs.read(lead, part), pure=False)
                running.append(self._client.submit(_on_values, token, plan, batch, pure=False, retries=2))
            else:
                running.append(self._client.submit(_on_files, token, plan, lead, part, pure=False, retries=2))
            if len(running) >= ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


_PLANS: OrderedDict[str, tuple[Callable[[Batch], Any], Pairs | None]] = OrderedDict()


def _plan(token: str, content: bytes) -> tuple[Callable[[Batch], Any], Pairs | None]:
    """Return function and pairs of a plan; those of the last ones stay in this worker."""
    if token not in _PLANS:
        function, files = pickle.loads(content)  # noqa: S301 (written above)
        _PLANS[token] = (function, None if files is None else pickle.loads(files))  # noqa: S301
        while len(_PLANS) > _CACHED:
            _PLANS.popitem(last=False)
    return _PLANS[token]


def _on_files(token: str, content: bytes, lead: int, part: slice) -> Any:
    """Read a part from files and run the function of the plan."""
    import dask

    function, pairs = _plan(token, content)
    assert pairs is not None
    # Arrays of Dask are computed here: other workers may wait for this one.
    with dask.config.set(scheduler="synchronous"):
        return function(pairs.read(lead, part))


def _on_values(token: str, content: bytes, batch: Batch) -> Any:
    """Run the function of the plan on values."""
    return _plan(token, content)[0](batch)


def _same(batch: Batch) -> Batch:
    return batch


@final
class _LimitError(Exception):
    """More bytes than allowed."""


@final
class _Limited(io.RawIOBase):
    """A stream that refuses more than a number of bytes."""

    def __init__(self, limit: int) -> None:
        self.parts: list[bytes] = []
        self._left = limit

    def writable(self) -> bool:
        """True."""
        return True

    def write(self, data: Any) -> int:
        """Append bytes."""
        size = memoryview(data).nbytes
        self._left -= size
        if self._left < 0:
            raise _LimitError
        self.parts.append(bytes(data))
        return size


def pickled_within(value: Any, limit: int) -> bytes | None:
    """Return an object pickled, or None if it takes more bytes: values in memory are in it, those in files are not.

    Args:
        value: The object.
        limit: Bytes.
    """
    stream = _Limited(limit)
    try:
        pickle.Pickler(stream, protocol=5).dump(value)
    except _LimitError:
        return None
    return b"".join(stream.parts)
