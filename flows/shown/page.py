"""The page of a site: where everything stands today, in one artifact that every run renews.

What it says comes from numbers that are quick to have (:mod:`flows.ledger.standing`). References that wait need the
whole ledger, so the nightly reconciliation counts them, which has all night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from prefect.artifacts import create_markdown_artifact

from flows.breaker import opened_at
from flows.desk import Desk
from flows.ledger.lineage import Balance
from flows.ledger.standing import Standing
from flows.shown.remembered import Compared, Rang, Renewed, is_recent, leave, noted, now

__all__ = ["rendered", "renew"]

RENEWED_AFTER: Final = timedelta(minutes=15)
"""How old a page may be before a run that did nothing renews it."""

_WEEK: Final = timedelta(days=7)


@dataclass(frozen=True)
class _Facts:
    site: str
    now: datetime
    today: Balance
    total: Balance
    oldest_in_flight: datetime | None
    held: Mapping[str, int]
    found: Mapping[str, int]
    breakers: Mapping[str, datetime]
    rang: datetime | None
    compared: Compared


def renew(desk: Desk, *, busy: bool) -> Balance | None:
    """Renew the page of a site, if it is time.

    Parameters
    ----------
    busy : bool
        Whether the run had something to do: then it is always time.

    Returns
    -------
    Balance or None
        The site's balance, of all its studies; None where it was not time.
    """
    if not busy and is_recent(noted(desk, Renewed).at, RENEWED_AFTER):
        return None
    at = now()
    with Standing(desk.ledger.directory, desk.site, desk.project) as standing:
        facts = _Facts(
            site=desk.site,
            now=at,
            today=standing.balance(at.date()),
            total=standing.balance(),
            oldest_in_flight=standing.oldest_in_flight(),
            held=standing.held(),
            found=standing.found(at - _WEEK),
            breakers={end: since.astimezone(UTC).replace(tzinfo=None) for end, since in opened_at(desk).items()},
            rang=noted(desk, Rang).at,
            compared=noted(desk, Compared),
        )
    create_markdown_artifact(key=f"site-{desk.site}", markdown=rendered(facts), description=_headline(facts))
    leave(desk, Renewed(at=at))
    return facts.total


def rendered(facts: _Facts) -> str:
    """Return the page in Markdown: one section after the other."""
    return "\n".join(line for section in _SECTIONS for line in (*section(facts), ""))


def _headline(facts: _Facts) -> str:
    total = facts.total
    said = "balances" if total.balanced else "**does not balance**"
    instances = f"Instances: {total.held:,} held, {total.in_flight:,} in flight."
    return f"**{facts.site}** {said}. {instances} {_clock(facts.now)} UTC"


def _balance(facts: _Facts) -> Iterator[str]:
    yield "## Balance, in instances"
    yield ""
    yield "| studies | how many | at the source | = loaded | + held | + excluded | + in flight | |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|"
    for name, one in (("first seen today", facts.today), ("all", facts.total)):
        verdict = "balances" if one.balanced else f"**{one.unbalanced} studies do not balance**"
        numbers = (one.studies, one.source_instances, one.loaded, one.held, one.excluded, one.in_flight)
        yield f"| {name} | {' | '.join(f'{number:,}' for number in numbers)} | {verdict} |"
    if not facts.total.balanced:
        yield ""
        yield f"```sql\nFROM balance WHERE site = '{facts.site}' AND NOT balanced;\n```"


def _waiting(facts: _Facts) -> Iterator[str]:
    last = facts.compared
    yield "## What waits"
    yield ""
    yield f"- oldest study in flight: {_since(facts.oldest_in_flight, facts.now) if facts.total.in_flight else 'none'}"
    if last.at:
        oldest = f", the oldest {_since(last.pending_since, facts.now)}" if last.pending else ""
        yield f"- references that wait for their target: {last.pending:,}{oldest} (counted {_clock(last.at)} UTC)"
    else:
        yield f"- references that wait for their target: `FROM pending_by_site WHERE site = '{facts.site}';`"


def _ends(facts: _Facts) -> Iterator[str]:
    yield "## Both ends"
    yield ""
    if not facts.breakers:
        yield "No breaker is open."
    for end, at in facts.breakers.items():
        yield f"- **the breaker of [{end}] is open** since {_since(at, facts.now)}: what is for it waits in flight"


def _compared(facts: _Facts) -> Iterator[str]:
    last = facts.compared
    yield "## Hospital, ledger and cloud compared"
    yield ""
    yield f"- last reconciliation: {_since(last.at, facts.now)}"
    if last.at:
        named = ": the table `differences` names them" if last.differences else ""
        yield f"- differences that it left: {last.differences:,}{named}"


def _held(facts: _Facts) -> Iterator[str]:
    yield "## Held studies"
    yield ""
    if not facts.held:
        yield "None."
        return
    yield "| reason | studies |"
    yield "|---|--:|"
    yield from (f"| `{reason}` | {studies:,} |" for reason, studies in facts.held.items())
    yield ""
    yield f"`entwash held list --site {facts.site}` names them."


def _finding(facts: _Facts) -> Iterator[str]:
    found = facts.found
    new = sum(count for by, count in found.items() if by != "retry")
    swept = found.get("sweep", 0)
    rang = _since(facts.rang, facts.now)
    yield "## How studies are found"
    yield ""
    yield f"- last run that a doorbell started: {rang}"
    share = f"{swept / new:.0%} ({swept:,} of {new:,})" if new else "nothing was found"
    yield f"- found by the sweep alone, in seven days: {share}"


_SECTIONS: Final[tuple[Callable[[_Facts], Iterator[str]], ...]] = (
    _balance,
    _waiting,
    _ends,
    _held,
    _finding,
    _compared,
)


def _since(time: datetime | None, now: datetime) -> str:
    """Say how long ago something was, and when."""
    if time is None:
        return "never"
    minutes = max(0, int((now - time).total_seconds() // 60))
    hours, days = minutes // 60, minutes // 1440
    age = f"{days} days" if days > 1 else f"{hours} hours" if hours > 1 else f"{minutes} minutes"
    return f"{age} ago ({_clock(time)} UTC)"


def _clock(time: datetime) -> str:
    return time.strftime("%Y-%m-%d %H:%M")
