"""Events that a run tells Prefect: what somebody may want to be called for, in counts and codes.

What becomes of them stands in deployments/automations.yaml. An event names its site and holds counts and codes alone;
one that cannot be sent harms no run, because the ledger has it all.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.events.schemas.events import Event, RelatedResource, Resource
from prefect.runtime import flow_run

__all__ = ["Kind", "alarm", "harmless"]

Kind = Literal["held", "unbalanced", "breaker-opened", "unrung", "arrived", "resting"]
"""What happened: studies are held and nobody was told of them; the ledger of the site does not balance; a breaker
opened; studies were found that no doorbell announced; studies that are new or changed were found; nothing is expected
of the hospital at this hour. The last two ring at nobody: an automation that hears neither of them nor the doorbell
calls the hospital silent."""


def alarm(site: str, kind: Kind, **counts: int | str) -> bool:
    """Tell Prefect that something happened at a site; return whether it took that.

    Prefect's own `emit_event` only queues in this process, and nobody learns of an event that never left it.

    Parameters
    ----------
    site : str
        Its name.
    kind : str
        What happened.
    **counts : int or str
        How many, and codes; nothing else may stand in an event.
    """
    with harmless("an event"):
        event = Event(
            event=f"entwash.{kind}",
            # The same resource as the doorbell's, so that one automation serves every site.
            resource=Resource(_labels(site, counts)),
            related=_run(),
            payload=dict(counts),
        )
        with get_client(sync_client=True) as client:
            client.request("POST", "/events", json=[event.model_dump(mode="json")])
        return True
    return False


def _labels(site: str, counts: dict[str, int | str]) -> dict[str, str]:
    """Return what automations choose by: the site, and what a breaker's end is."""
    labels = {"prefect.resource.id": f"entwash.site.{site}", "prefect.resource.name": site}
    return labels | ({"entwash.end": str(counts["end"])} if "end" in counts else {})


def _run() -> list[RelatedResource]:
    """Name the flow run, so that Prefect shows the event beside it."""
    if not flow_run.id:
        return []
    return [
        RelatedResource({"prefect.resource.id": f"prefect.flow-run.{flow_run.id}", "prefect.resource.role": "flow-run"})
    ]


@contextlib.contextmanager
def harmless(what: str) -> Iterator[None]:
    """Do what is only for people to see: where it fails, the run goes on, and its log says what could not be left."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the data has arrived
        get_run_logger().warning("%s could not be left in Prefect (%s)", what, type(error).__name__)
