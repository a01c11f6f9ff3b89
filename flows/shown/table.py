"""What a run leaves in the Prefect UI: a table of its studies, why some are held, how fast it was; in pseudonyms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from prefect.artifacts import create_table_artifact

from flows.desk import Desk
from flows.inventory import Work
from flows.ledger.records import StudyOutcome
from flows.tally import Tally, counted

__all__ = ["publish"]

_MOST = 50  # of held studies, and of reasons each: a page that nobody reads says nothing
_ROWS = 1000  # of the table: Prefect keeps it as one value, and a browser draws it at once


def publish(desk: Desk, tally: Tally, seconds: float) -> None:
    """Leave the table artifact of a run; a run that had nothing to do leaves none.

    Parameters
    ----------
    seconds : float
        How long the run moved studies.
    """
    if not (tally.outcomes or tally.waiting):
        return
    # What needs a person stands first, so that it is seen though the table be cut.
    outcomes = sorted(tally.outcomes, key=lambda outcome: outcome.status != "held")
    table = [_waiting(desk, work) for work in tally.waiting] + [_settled(desk, outcome) for outcome in outcomes]
    create_table_artifact(key=f"route-{desk.site}", table=table[:_ROWS], description=_description(desk, tally, seconds))


def _settled(desk: Desk, outcome: StudyOutcome) -> dict[str, Any]:
    return {
        "study": desk.label(outcome),
        "status": outcome.status,
        "reason": outcome.reason,
        "modalities": " ".join(outcome.modalities),
        "instances in": outcome.source_instances,
        "loaded": _loaded(outcome),
        "references checked": len(outcome.references),
        "seconds": round(outcome.seconds, 1),
        "patient": outcome.patient_id,
        "lineage": _query(desk, outcome),
    }


def _waiting(desk: Desk, work: Work) -> dict[str, Any]:
    return {
        "study": desk.label(work),
        "status": "in flight",
        "reason": "",
        "modalities": "",
        "instances in": work.instances,
        "loaded": 0,
        "references checked": 0,
        "seconds": "",
        "patient": "",
        "lineage": _query(desk, work),
    }


def _loaded(outcome: StudyOutcome) -> int:
    return sum(1 for instance in outcome.instances if instance.status == "loaded")


def _query(desk: Desk, study: StudyOutcome | Work) -> str:
    """Return the query that shows all that the lineage tables say of a study, ready to be pasted."""
    column = "work" if desk.told(study) == study.work else "study_instance_uid"
    return f"`FROM studies WHERE {column} = '{desk.told(study)}';`"


def _description(desk: Desk, tally: Tally, seconds: float) -> str:
    source = sum(one.source_instances for one in tally.outcomes) + sum(one.instances for one in tally.waiting)
    waiting = sum(one.instances for one in tally.waiting)
    size = sum(one.size for outcome in tally.outcomes for one in outcome.instances if one.status == "loaded")
    excluded = sum(one.source_instances - _loaded(one) for one in tally.outcomes if one.status == "excluded")
    lines = [
        f"**{desk.site}**: {counted(len(tally.outcomes))} settled, {len(tally.waiting)} in flight.",
        "",
        f"Of this run, in instances: {source:,} at the source = {tally.loaded:,} loaded"
        f" + {tally.held - excluded:,} held + {excluded:,} excluded + {waiting:,} in flight."
        f" All of the site: artifact `site-{desk.site}`.",
        "",
        f"{seconds:.1f} s: {(source - waiting) / seconds:,.1f} instances a second,"
        f" {size / seconds / 1e6:,.1f} MB a second of {size / 1e6:,.1f} MB loaded.",
    ]
    return "\n".join([*lines, *_held([(desk.told(outcome), outcome) for outcome in tally.outcomes if outcome.held])])


def _held(outcomes: Sequence[tuple[str, StudyOutcome]]) -> Iterator[str]:
    """Name the held studies with their reasons; `entwash held show` takes the names."""
    if outcomes:
        yield from ("", "Held, and why:", "")
    for name, outcome in outcomes[:_MOST]:
        yield f"- study {name}: `entwash held show {name[-8:]}`"
        reasons = Counter((hold.code, hold.place, hold.message) for hold in outcome.held)
        for (code, place, message), count in reasons.most_common(_MOST):
            yield f"  - `{code}` {place} {message} ({count})"
        if len(reasons) > _MOST:
            yield f"  - and {len(reasons) - _MOST} more"
    if len(outcomes) > _MOST:
        yield f"- and {len(outcomes) - _MOST} more: `entwash held list` names them all"
