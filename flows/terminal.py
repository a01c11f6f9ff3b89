"""What the commands have in common: their options, their endings, and how they speak to whoever sits there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, NoReturn

import typer
from rich.console import Console

__all__ = ["HELD", "LEFT", "UNUSABLE", "SiteName", "SitesPath", "messages", "once", "stop"]

LEFT: Final = 1
"""The command ends so when something is left: a finding, a difference, a study that waits."""
UNUSABLE: Final = 2
"""When it could not begin."""
HELD: Final = 3
"""When something was held."""

SiteName = Annotated[str, typer.Argument(help="A name of the sites file.")]
SitesPath = Annotated[
    Path | None, typer.Option("--sites", metavar="FILE", help="The sites file; else ENTWASH_SITES, else ./sites.toml.")
]

messages: Final = Console(stderr=True, highlight=False, soft_wrap=True)
"""For everything that is not the command's answer."""


def stop(error: Exception) -> NoReturn:
    """Say why a command cannot begin, and end it."""
    messages.print(f"entwash: {once(error)}", markup=False)
    raise typer.Exit(UNUSABLE) from None


def once(error: Exception) -> str:
    """Return what an error says, without the promise to try again: a worker keeps that, a terminal does not."""
    return str(error).removesuffix("It will be tried again").rstrip(". ")
