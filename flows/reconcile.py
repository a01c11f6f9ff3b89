"""The flow that reconciles: each night hospital, ledger and cloud are compared, and what may be mended is mended."""

from __future__ import annotations

from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.client.schemas import State
from prefect.runtime import flow_run

from flows.desk import Desk
from flows.errors import FlowsError, TransientError
from flows.ledger.records import StudyOutcome
from flows.reconciliation.cloud import is_pseudonym
from flows.reconciliation.compare import Reconciled, reconciled
from flows.reconciliation.ending import end
from flows.reconciliation.heal import Healing, healed
from flows.reconciliation.page import rows, sentence
from flows.run import recorded_run
from flows.settings.sites import load_sites
from flows.shown.alarms import harmless
from flows.shown.run import renew_and_alarm
from flows.shown.states import ended

__all__ = ["reconcile"]


@task(name="heal study", task_run_name="study {label}", persist_result=False)
def heal_study(label: str, healing: Healing) -> StudyOutcome | None:
    """Mend one study; `label` is how the ledger's token of it ends."""
    return healed(healing)


@flow(name="reconcile", flow_run_name="{site} · reconciliation", persist_result=False, retries=0)
def reconcile(site: str, heal: bool = True) -> State[Any] | None:
    """Compare hospital, ledger and cloud, record what differs, and mend what may be mended alone.

    Then the records of runs of earlier days are packed, so that questions to the ledger stay quick.

    Parameters
    ----------
    site : str
        A name of the sites file.
    heal : bool
        Whether anything is mended; without it, all is only found and recorded.
    """
    sites = load_sites(only=site)
    with recorded_run(sites, site, "reconciliation", flow_run.id) as (desk, tally):
        try:
            desk.check()
            result = reconciled(desk, sites.names, _heal if heal else None)
        except TransientError as error:
            tally.stops(error)
        else:
            end(desk, tally, result)
            get_run_logger().info("%s: %s", site, sentence(result))
            _publish(desk, result)
        renew_and_alarm(desk, tally, busy=True)
        return ended(tally)


def _heal(work: str, healing: Healing) -> StudyOutcome | FlowsError | None:
    result = heal_study(work[-8:], healing, return_state=True).result(raise_on_failure=False)
    return result if isinstance(result, (StudyOutcome, FlowsError)) else None


def _publish(desk: Desk, result: Reconciled) -> None:
    """Leave the table in Prefect; the ledger has it all, so a server that refuses it makes no good run a bad one."""
    # What was loaded under another profile, or for another project, may have kept its own UIDs.
    hides = desk.anonymizer.retains_uids
    names = {one.work: one.work for one in result.differences if hides or not is_pseudonym(one.study_instance_uid)}
    with harmless("the table"):
        create_table_artifact(
            key=f"reconcile-{desk.site}", table=rows(result, names), description=f"**{desk.site}**: {sentence(result)}"
        )
