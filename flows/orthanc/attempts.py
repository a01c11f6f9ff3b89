"""How often a request is put: the one layer that tries again.

An end that restarts, or answers 503 now and then, costs a moment. One that is away for longer costs its request, and
then its study: that waits in flight, see :mod:`flows.breaker`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from flows.errors import AwayError

__all__ = ["Attempts"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Attempts:
    """Put a request until it is answered, a few times.

    Attributes
    ----------
    pauses : tuple of float
        Seconds before each further attempt, each half as long or half as long again by chance, so that many who wait
        for one end do not come at once. The first is none: Orthanc closes idle connections, and a fresh one is good.
    patience : float
        Seconds after which no further attempt begins: whoever is answered so late is not away but slow.
    """

    pauses: tuple[float, ...] = (0.0, 0.5, 1.5, 4.0)
    patience: float = 30.0

    def at(self, request: Callable[[], _T]) -> _T:
        """Return the answer of a request.

        Raises
        ------
        AwayError
            Of the last attempt; of the first, where the other end is full.
        FlowsError
            Of the first attempt, where another would fail the same way.
        """
        until = time.monotonic() + self.patience
        for pause in self.pauses:
            try:
                return request()
            except AwayError as error:
                if error.full or time.monotonic() > until:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        return request()
