"""The form of a selection in the sites file; :mod:`flows.selection` says what it means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from flows.settings.closed import Closed
from flows.settings.patterns import checked_pattern

__all__ = ["NOTHING_SELECTED", "Modality", "Patterns", "SelectionRow"]

NOTHING_SELECTED = (
    'say which studies leave, such as modalities = ["CT", "MR"], or studies = "all": nothing leaves by default'
)

_SHORT = 16  # characters of VR CS and of VR AE (PS3.5 6.2)
_ALLOWED = (
    "modalities",
    "study_descriptions",
    "series_descriptions",
    "station_names",
    "ae_titles",
    "sop_classes",
)


def _modality(value: str) -> str:
    if not re.fullmatch(rf"[A-Z0-9_]{{1,{_SHORT}}}", value):
        raise ValueError('must be a modality such as "CT": upper-case letters, digits and _')
    return value


def _ae_title(value: str) -> str:
    if not (0 < len(value) <= _SHORT and value.isascii() and value.isprintable() and value == value.strip()):
        raise ValueError(f"must be an AE title: at most {_SHORT} characters of ASCII, no space at either end")
    return value


def _sop_class(value: str) -> str:
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*))+", value) or len(value) > 64:
        raise ValueError('must be the UID of a SOP class, such as "1.2.840.10008.5.1.4.1.1.2"')
    return value


def _some(values: tuple[str, ...]) -> tuple[str, ...]:
    if not values:
        raise ValueError("must not be empty")
    return values


Modality = Annotated[str, AfterValidator(_modality)]
_AeTitle = Annotated[str, AfterValidator(_ae_title)]
_SopClass = Annotated[str, AfterValidator(_sop_class)]
_Pattern = Annotated[str, AfterValidator(checked_pattern)]
# A list in TOML is a tuple here, which nobody changes later.
_List = Field(strict=False)
_Some = AfterValidator(_some)
Patterns = Annotated[tuple[_Pattern, ...], _List, _Some]


class SelectionRow(Closed):
    """Hold `[selection]`, or the `[sites.NAME.selection]` that replaces it for a site."""

    studies: Literal["all"] | None = None
    modalities: Annotated[tuple[Modality, ...], _List, _Some] | None = None
    study_descriptions: Patterns | None = None
    series_descriptions: Patterns | None = None
    station_names: Patterns | None = None
    ae_titles: Annotated[tuple[_AeTitle, ...], _List, _Some] | None = None
    sop_classes: Annotated[tuple[_SopClass, ...], _List, _Some] | None = None
    exclude_study_descriptions: Annotated[tuple[_Pattern, ...], _List] = ()
    exclude_series_descriptions: Annotated[tuple[_Pattern, ...], _List] = ()
    wait_for: Mapping[Modality, Annotated[tuple[Modality, ...], _List, _Some]] = Field(default_factory=dict)
    wait_at_most: Annotated[int, Field(ge=1, le=8760)] = 72  # hours

    @model_validator(mode="after")
    def _says_what_leaves(self) -> SelectionRow:
        named = [name for name in _ALLOWED if getattr(self, name) is not None]
        if self.studies and named:
            raise ValueError(f'studies = "all" and {named[0]} contradict each other; keep one')
        if not (self.studies or named):
            raise ValueError(NOTHING_SELECTED)
        return self
