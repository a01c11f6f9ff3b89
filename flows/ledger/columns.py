"""A record as the columns of its file, and back: the dataclasses of `flows.ledger.records` are the schema."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

__all__ = ["Record", "columns", "restored"]

_R = TypeVar("_R", bound="Record")
_SCALARS = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", datetime: "TIMESTAMP"}


class Record:
    """Refuse, when it is made, what the views could not count: an unknown word, a time without a zone."""

    def __post_init__(self) -> None:
        """Check every vocabulary and every time of the record.

        Raises
        ------
        ValueError
            A field holds a word outside its vocabulary, or a time without a time zone.
        """
        kind: Any = type(self)
        for name, words in _vocabularies(kind).items():
            if getattr(self, name) not in words:
                raise ValueError(f"{kind.__name__}.{name} must be one of {', '.join(words)}")
        for name in _times(kind):
            if getattr(self, name).utcoffset() is None:
                raise ValueError(f"{kind.__name__}.{name} must carry a time zone")


def columns(*records: type) -> dict[str, str]:
    """Return the DuckDB columns that hold records of these classes.

    Parameters
    ----------
    *records : type
        Dataclasses of `flows.ledger.records`.

    Returns
    -------
    dict of str to str
        Column name to DuckDB type, in the order of the fields.
    """
    return {name: _sql_type(hint) for record in records for name, hint in get_type_hints(record).items()}


def restored(record: type[_R], row: Mapping[str, Any]) -> _R:
    """Make a record again from a row of its file; what an older shape lacks is as if nobody had said it.

    Parameters
    ----------
    record : type
        A dataclass of `flows.ledger.records`.
    row : mapping
        Its columns; those of other names are left out.
    """
    hints = get_type_hints(record)
    return record(**{name: _restored(hint, row[name]) for name, hint in hints.items() if row.get(name) is not None})


def _restored(hint: Any, value: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, Record):
        return restored(hint, value)
    if hint is datetime:
        return value.replace(tzinfo=UTC)
    if get_origin(hint) is tuple:
        return tuple(_restored(get_args(hint)[0], one) for one in value)
    return value


def _sql_type(hint: Any) -> str:
    """Return the DuckDB type of a type hint."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if is_dataclass(hint):
        inner = ", ".join(f'"{name}" {_sql_type(get_type_hints(hint)[name])}' for name in _names(hint))
        return f"STRUCT({inner})"
    origin, inside = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "VARCHAR"
    if origin is tuple:
        return f"{_sql_type(inside[0])}[]"
    if origin is Mapping:
        return f"MAP({_sql_type(inside[0])}, {_sql_type(inside[1])})"
    raise TypeError(f"no column type for {hint}")


def _names(record: Any) -> list[str]:
    return [each.name for each in fields(record)]


@cache
def _vocabularies(record: Any) -> dict[str, tuple[str, ...]]:
    return {name: get_args(hint) for name, hint in get_type_hints(record).items() if get_origin(hint) is Literal}


@cache
def _times(record: Any) -> tuple[str, ...]:
    return tuple(name for name, hint in get_type_hints(record).items() if hint is datetime)
