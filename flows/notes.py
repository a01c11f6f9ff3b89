"""Notes beside the ledger: small files that one run leaves for the next, and that may be lost without harm."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.errors import TransientError
from flows.ledger import database

__all__ = ["leave", "left"]


def leave(path: Path, said: Mapping[str, Any]) -> None:
    """Leave a note, as JSON; it shows whole or not at all.

    Raises
    ------
    TransientError
        It cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with database.beside(path) as hidden:
            hidden.write_text(json.dumps(said), "utf-8")
    except OSError as error:
        raise TransientError(
            f"a note beside the ledger could not be written ({error.strerror}): look at the free space of its disk and"
            " at the owner and rights of its folder; without it the next run looks at more than it had to"
        ) from None


def left(path: Path) -> dict[str, Any]:
    """Return what :func:`leave` wrote; nothing where there is no note, or none that can be read."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
