"""What a run leaves in the Prefect UI: a table of its studies and the site's balance, in pseudonyms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact

from flows import lineage
from flows.desk import Desk
from flows.inventory import Work
from flows.records import StudyOutcome
from flows.run import Tally

__all__ = ["publish"]

_MOST = 50  # of studies, and of reasons each: a page that nobody reads says nothing


def publish(desk: Desk, tally: Tally) -> None:
    """Leave the table artifact of a run; a run that had nothing to do leaves none.

    The ledger has it all, so a Prefect server that refuses the table makes no good run a bad one.
    """
    if not (tally.outcomes or tally.waiting):
        return
    try:
        _create(desk, tally)
    except Exception as error:  # noqa: BLE001 - whatever it is, the data has arrived
        get_run_logger().warning("the run's table could not be left in Prefect (%s)", type(error).__name__)


def _create(desk: Desk, tally: Tally) -> None:
    create_table_artifact(
        key=f"route-{desk.site}",
        table=[_settled(outcome, desk.told(outcome)) for outcome in tally.outcomes]
        + [_waiting(work, desk.told(work)) for work in tally.waiting],
        description=_description(desk, tally),
    )


def _settled(outcome: StudyOutcome, name: str) -> dict[str, Any]:
    return {
        "patient": outcome.patient_id,
        "modalities": " ".join(outcome.modalities),
        "status": outcome.status,
        "reason": outcome.reason,
        "instances in": outcome.source_instances,
        "loaded": sum(1 for instance in outcome.instances if instance.status == "loaded"),
        "references checked": len(outcome.references),
        "seconds": round(outcome.seconds, 1),
        "study": name,
    }


def _waiting(work: Work, name: str) -> dict[str, Any]:
    return {"status": "in flight", "instances in": work.instances, "study": name}


def _description(desk: Desk, tally: Tally) -> str:
    with lineage.connect(desk.ledger.directory) as connection:
        total = lineage.balance(connection, desk.site)
    lines = [
        f"**{desk.site}**: {len(tally.outcomes)} studies settled, {len(tally.waiting)} waiting.",
        "",
        f"Balance of the site, in instances: {total.source_instances} at the source = {total.loaded} loaded"
        f" + {total.held} held + {total.excluded} excluded + {total.in_flight} in flight."
        f" {'It balances.' if total.balanced else '**It does not balance.**'}",
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
