"""The page of a site: where everything stands today, in one artifact that every run renews.

What it says comes from numbers that are quick to have (:mod:`flows.ledger.standing`). References that wait need the
whole ledger, so the nightly reconciliation counts them, which has all night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

import duckdb
from prefect.artifacts import create_markdown_artifact

from flows import notes
from flows.breaker import opened_at
from flows.desk import Desk
from flows.errors import LedgerError
from flows.ledger import lineage
from flows.ledger.lineage import Balance
from flows.ledger.records import Trigger
from flows.ledger.standing import Standing

__all__ = ["Compared", "Note", "note_reconciliation", "noted", "rendered", "renew"]

RENEWED_AFTER: Final = timedelta(minutes=15)
"""How old a page may be before a run that did nothing renews it."""

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
    renewed, rang : str
        When the page was renewed, and when a doorbell last started a run; "" if never.
    """

    renewed: str = ""
    rang: str = ""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a reconciliation leaves for the page, in a note of its own: runs go on meanwhile, and write theirs.

    Attributes
    ----------
    at : str
        When it ended, UTC, in ISO 8601; "" if there was none.
    differences : int
        What it found and left for a person or for the next.
    pending : int
        References that waited for their target then.
    pending_since : str
        Since when the oldest of them.
    """

    at: str = ""
    differences: int = 0
    pending: int = 0
    pending_since: str = ""


_Noted = TypeVar("_Noted", Note, Compared)


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
    path = _path(desk, f"{desk.site}.json")
    note = noted(path, Note)
    if trigger == "doorbell":
        note = replace(note, rang=now.isoformat())
    is_time = busy or _is_older(note.renewed, now, RENEWED_AFTER)
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
                rang=_time(note.rang),
                compared=noted(_path(desk, _compared_note(desk)), Compared),
            )
        create_markdown_artifact(key=f"site-{desk.site}", markdown=rendered(facts), description=_headline(facts))
    if trigger == "doorbell" or is_time:
        notes.leave(path, asdict(note))
    return balance


def note_reconciliation(desk: Desk, differences: int) -> None:
    """Note for the page that a reconciliation ended and what it left, with the number of references that wait.

    Raises
    ------
    LedgerError
        The tables cannot be read, or the note cannot be written.
    """
    try:
        with lineage.connect(desk.ledger.directory) as tables:
            (row,) = lineage.rows(tables, _PENDING, [desk.site, desk.project])
    except duckdb.Error as error:
        problem = type(error).__name__
        raise LedgerError(f"the references that wait could not be counted ({problem})") from None
    targets, since = row["targets"], row["since"]
    found = Compared(
        at=datetime.now(UTC).replace(tzinfo=None).isoformat(),
        differences=differences,
        pending=targets or 0,
        pending_since=since.isoformat() if since else "",
    )
    notes.leave(_path(desk, _compared_note(desk)), asdict(found))


def noted(path: Path, kind: type[_Noted]) -> _Noted:
    """Return what was noted last; an empty note if there is none that can be read."""
    try:
        return kind(**notes.left(path))
    except TypeError:
        return kind()


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
    last = facts.compared
    yield "## What waits"
    yield ""
    yield f"- oldest study in flight: {_since(facts.oldest_in_flight, facts.now) if facts.total.in_flight else 'none'}"
    if at := _time(last.at):
        oldest = f", the oldest {_since(_time(last.pending_since), facts.now)}" if last.pending else ""
        yield f"- references that wait for their target: {last.pending:,}{oldest} (counted {_clock(at)} UTC)"
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
    yield f"- last reconciliation: {_since(_time(last.at), facts.now)}"
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


def _compared_note(desk: Desk) -> str:
    return f"{desk.site}.compared.json"  # no site has a dot in its name


def _path(desk: Desk, name: str) -> Path:
    return desk.ledger.directory / ".pages" / name


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
