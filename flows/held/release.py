"""Releasing a held study: it is tried again, through the engine and the gate. Nothing leaves unproven."""

from __future__ import annotations

import os
import pwd
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from flows.errors import NotBegunError, foreseen
from flows.hands import in_this_process
from flows.held.studies import HeldStudy
from flows.inventory import find_work
from flows.ledger.book import Ledger
from flows.ledger.records import Release
from flows.run import recorded_run
from flows.settings.sites import Sites
from flows.tally import Tally

__all__ = ["account", "check_text", "record", "try_now"]

_LONGEST = 500


def account() -> str:
    """Return the name of the account that runs this process."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's number without a name
        return f"uid {os.getuid()}"


def check_text(option: str, text: str) -> str:
    """Return a text that may be recorded, without surrounding spaces.

    Raises
    ------
    NotBegunError
        When it says nothing, or more than a record should.
    """
    text = text.strip()
    if not text:
        raise NotBegunError(f"{option} is empty: an auditor will want to know")
    if len(text) > _LONGEST or not text.isprintable():
        raise NotBegunError(f"{option} must be one line of at most {_LONGEST} characters")
    return text


def record(ledger: Ledger, studies: Sequence[HeldStudy], who: str, why: str) -> int:
    """Record the release of held studies; the next run takes them up. Return how many records that took.

    What waits already for the same reason of the same person is not recorded again.
    """
    releases = [
        Release(
            site=study.site,
            project=study.project,
            work=study.work,
            study_instance_uid=study.study_instance_uid,
            who=who,
            why=why,
            released_at=datetime.now(UTC),
        )
        for study in studies
        if not any(each["became"] is None and (each["who"], each["why"]) == (who, why) for each in study.releases)
    ]
    ledger.release(releases)
    return len(releases)


@foreseen("the studies could not be tried")
def try_now(sites: Sites, studies: Sequence[HeldStudy]) -> Tally:
    """Send released studies of one site through engine and gate again, in this process; record it as a run.

    Raises
    ------
    FlowsError
        When an end cannot be asked.
    """
    (site,) = {study.site for study in studies}
    with recorded_run(sites, site, "manual") as (desk, tally):
        desk.check()
        found = find_work(desk, set(), only={study.work for study in studies})
        for work, result in in_this_process(desk)(deque(found)):
            tally.counts(work, result)
    return tally
