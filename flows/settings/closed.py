"""What every section of the sites file has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Closed"]


class Closed(BaseModel):
    """Refuse unknown keys, guessed types and later changes; keep input out of error messages."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
