"""What was loaded before, as the gate asks for it: kept in keyed numbers, so that no record names a source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable

from anonymizer import Anonymizer
from anonymizer.gate import Against, Evidence, Link, links_of
from flows.ledger import records
from flows.ledger.book import Ledger

__all__ = ["Before"]

_WITH_ISSUER = ("patient", "interval")


class Before:
    """What the ledger knows of everything that was loaded with this key and for this project.

    Parameters
    ----------
    anonymizer : Anonymizer
        Makes the numbers, and tells whose an issuer is that nobody named.
    ledger : Ledger
        Keeps them.
    site : str
        Where what is asked about comes from.
    """

    def __init__(self, anonymizer: Anonymizer, ledger: Ledger, site: str) -> None:
        self._pseudonyms = anonymizer.pseudonyms
        self._default_issuer = anonymizer.default_issuer
        self._ledger = ledger
        self._site = site

    def against(self, links: Collection[Link]) -> Against:
        """Tell which links cannot stand beside those of what was loaded before."""
        numbers = {link: self._numbered(link) for link in links}
        became: defaultdict[int, set[int]] = defaultdict(set)
        came: defaultdict[int, set[int]] = defaultdict(set)
        for known in self._ledger.beside(numbers.values()):
            became[known.source].add(known.output)
            came[known.output].add(known.source)
        return Against(
            split=[link for link, number in numbers.items() if became[number.source] - {number.output}],
            merged=[link for link, number in numbers.items() if came[number.output] - {number.source}],
        )

    def records_of(self, evidence: Iterable[Evidence]) -> tuple[records.Link, ...]:
        """Return what is to be recorded of instances that were loaded."""
        found = {self._numbered(link) for link in links_of(evidence)}
        return tuple(sorted(found, key=lambda link: (link.source, link.output)))

    def _numbered(self, link: Link) -> records.Link:
        kind, source = link.kind, link.source
        if kind in _WITH_ISSUER:
            # To the site, an absent issuer and its own are one; spaces around them say nothing.
            issuer, *others = (text.strip(" ") for text in source)
            source = (issuer or self._default_issuer.strip(" "), *others)
        elif kind == "unnamed":
            # Whose an issuer is that nobody named, somebody may have edited since.
            source = (self._site, *(text.strip(" ") for text in source))
        # Two patients may well move by one interval, but none by two.
        of = source if kind == "interval" else ()
        number = self._pseudonyms.number
        return records.Link(source=number(f"{kind}/source", *source), output=number(f"{kind}/output", *of, link.output))
