"""The page of a site: where everything stands today, in one artifact that every run renews.

What it says comes from numbers that are quick to have (:mod:`flows.standing`). References that wait need the whole
ledger, so they are counted once a day, by a run that the schedule started, and only while that takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import duckdb
from prefect.artifacts import create_markdown_artifact

from flows import notes
from flows.breaker import opened_at
from flows.desk import Desk
from flows.lineage import Balance
from flows.records import Trigger
from flows.standing import Standing

__all__ = ["Note", "noted", "rendered", "renew"]

RENEWED_AFTER: Final = timedelta(minutes=15)
"""How old a page may be before a run that did nothing renews it."""
COUNTED_AFTER: Final = timedelta(days=1)
"""How old the number of waiting references may be."""
MOST_RECORDS: Final = 5000
"""Of studies, up to which a run counts the references that wait: some 3 ms each."""

_LATELY: Final = timedelta(days=7)
_PENDING: Final = """
    SELECT sum(targets)::BIGINT AS targets, min(oldest_since) AS since
    FROM pending_by_site WHERE site = ? AND project = ?
"""


@dataclass(frozen=True, kw_only=True)
class Note:
    """What the page knows from one run to the next; a copy, and lost without harm. Times are UTC, in ISO 8601.

    Attributes
    ----------
    renewed, rang, counted : str
        When the page was renewed, when a doorbell last started a run, and when references were counted; "" if never.
    pending : int
        References that waited then.
    pending_since : str
        Since when the oldest of them.
    """

    renewed: str = ""
    rang: str = ""
    counted: str = ""
    pending: int = 0
    pending_since: str = ""


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
    note: Note


def renew(desk: Desk, trigger: Trigger, *, busy: bool) -> Balance | None:
    """Renew the page of a site, if it is time.

    Parameters
    ----------
    trigger : str
        What woke the run.
    busy : bool
        Whether the run had something to do: then it is always time.

    Returns
    -------
    Balance or None
        The site's balance, of all its studies; None where it was not time.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    path = desk.ledger.directory / ".pages" / f"{desk.site}.json"
    note = noted(path)
    if trigger == "doorbell":
        note = replace(note, rang=now.isoformat())
    is_time = busy or _is_older(note.renewed, now, RENEWED_AFTER)
    if is_time and trigger == "schedule" and not busy and _is_older(note.counted, now, COUNTED_AFTER):
        note = _counted(desk, note, now)
    balance = None
    if is_time:
        note = replace(note, renewed=now.isoformat())
        with Standing(desk.ledger.directory, desk.site, desk.project) as standing:
            balance = standing.balance()
            facts = _Facts(
                site=desk.site,
                now=now,
                today=standing.balance(now.date()),
                total=balance,
                oldest_in_flight=standing.oldest_in_flight(),
                held=standing.held(),
                found=standing.found(now - _LATELY),
                breakers={end: at.astimezone(UTC).replace(tzinfo=None) for end, at in opened_at(desk).items()},
                note=note,
            )
        create_markdown_artifact(key=f"site-{desk.site}", markdown=rendered(facts), description=_headline(facts))
    if trigger == "doorbell" or is_time:
        notes.leave(path, asdict(note))
    return balance


def noted(path: Path) -> Note:
    """Return what was noted last; an empty note if there is none that can be read."""
    try:
        return Note(**notes.left(path))
    except TypeError:
        return Note()


def rendered(facts: _Facts) -> str:
    """Return the page in Markdown: one section after the other."""
    return "\n".join(line for section in _SECTIONS for line in (*section(facts), ""))


def _headline(facts: _Facts) -> str:
    total = facts.total
    said = "balances" if total.balanced else "**does not balance**"
    return f"**{facts.site}** {said}: {total.held} instances held, {total.in_flight} in flight. {_clock(facts.now)} UTC"


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
    note = facts.note
    yield "## What waits"
    yield ""
    yield f"- oldest study in flight: {_since(facts.oldest_in_flight, facts.now) if facts.total.in_flight else 'none'}"
    if note.counted:
        oldest = f", the oldest {_since(_time(note.pending_since), facts.now)}" if note.pending else ""
        counted = _clock(datetime.fromisoformat(note.counted))
        yield f"- references that wait for their target: {note.pending:,}{oldest} (counted {counted} UTC)"
    else:
        yield f"- references that wait for their target: `FROM pending_by_site WHERE site = '{facts.site}';`"


def _ends(facts: _Facts) -> Iterator[str]:
    yield "## Both ends"
    yield ""
    if not facts.breakers:
        yield "No breaker is open."
    for end, at in facts.breakers.items():
        yield f"- **the breaker of [{end}] is open** since {_since(at, facts.now)}: what is for it waits in flight"


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
    rang = _since(_time(facts.note.rang), facts.now)
    yield "## How studies are found"
    yield ""
    yield f"- last run that a doorbell started: {rang}"
    share = f"{swept / new:.0%} ({swept:,} of {new:,})" if new else "nothing was found"
    yield f"- found by the sweep alone, in seven days: {share}"


_SECTIONS: Final[tuple[Callable[[_Facts], Iterator[str]], ...]] = (_balance, _waiting, _ends, _held, _finding)


def _counted(desk: Desk, note: Note, now: datetime) -> Note:
    """Count the references that wait, unless the ledger is too large to do it by the way."""
    if sum(1 for _ in (desk.ledger.directory / "studies").iterdir()) > MOST_RECORDS:
        return replace(note, counted="")
    with duckdb.connect(str(desk.ledger.lineage_file), read_only=True) as tables:
        targets, since = tables.execute(_PENDING, [desk.site, desk.project]).fetchall()[0]
    return replace(
        note, counted=now.isoformat(), pending=targets or 0, pending_since=since.isoformat() if since else ""
    )


def _is_older(then: str, now: datetime, age: timedelta) -> bool:
    time = _time(then)
    return time is None or not timedelta(0) <= now - time < age  # a clock that was set back makes nothing young


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


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
