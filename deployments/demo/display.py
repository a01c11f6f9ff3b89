"""What the demo shows: a line for each step, and the table at the end."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_PLAIN_SECONDS = 5.0  # without a terminal, a line that changes is written again this often
_PLAIN_COLUMNS = 160


class Display:
    """Lines for a person: with a moving mark at a terminal, plain and complete without one."""

    def __init__(self) -> None:
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            # rich would assume 80 columns and cut the pseudonyms
            self.console = Console(highlight=False, width=_PLAIN_COLUMNS)
        self.interactive = self.console.is_terminal
        self._begin = time.monotonic()

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Callable[[str], None]]:
        """Show that something is being done, how far it is, and how long it took.

        Yields
        ------
        callable
            Call it with a few words on how far the step is.
        """
        begin = last = time.monotonic()
        words = ""

        def update(text: str) -> None:
            nonlocal last, words
            words = text
            if self.interactive:
                status.update(f"{title}: {text}")
            elif time.monotonic() - last > _PLAIN_SECONDS:
                last = time.monotonic()
                self.say(f"  {title}: {text}")

        with self.console.status(title) as status:
            if not self.interactive:
                self.say(f"  {title} ...")
            yield update
        done = f"{title}: {words}" if words else title
        self.say(f"[green]✓[/] {done} [dim]({time.monotonic() - begin:.1f} s)[/]")

    def say(self, text: str = "") -> None:
        """Write a line, with the seconds since the start before it."""
        self.console.print(f"[dim]{time.monotonic() - self._begin:5.0f} s[/]  {text}", soft_wrap=True)

    def plain(self, text: str = "") -> None:
        """Write a line as it is."""
        self.console.print(text, markup=False, soft_wrap=True)

    def results(self, rows: Sequence[dict[str, Any]]) -> None:
        """Write the table of sites and patients."""
        table = Table(
            title="From the lineage tables",
            title_justify="left",
            caption="in, loaded, held: instances; links: references that the gate followed",
            caption_justify="left",
            padding=0,
        )
        table.add_column("site", overflow="fold")
        table.add_column("patient", no_wrap=True)  # what does not fit at 80 columns is folded, a pseudonym never
        table.add_column("modalities", overflow="fold")
        for heading in ("studies", "in", "loaded", "held", "links", "s"):
            table.add_column(heading, justify="right", overflow="fold")
        table.add_column("held because", overflow="fold")
        for row in rows:
            numbers = [row[name] for name in ("studies", "source", "loaded", "held", "edges")]
            table.add_row(
                row["site"],
                row["patient_id"] or "not known",
                " ".join(row["modalities"]),
                *(str(number) for number in numbers),
                f"{row['seconds']:.1f}",
                ", ".join(row["reasons"] or []),
            )
        self.console.print(table)
