"""The page for who runs it: every alarm is on it, and every setting and command that it names is there."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import pytest
from prefect.settings import Settings

from deployments.automations import automations
from flows.shown.alarms import Kind
from flows.shown.run import TOLD_EVERY
from tests.folders import entwash

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")


def as_data() -> list[dict[str, Any]]:
    """Return all automations, each as Prefect is told it."""
    return [one.model_dump() for one in automations([uuid4()])]


def test_every_automation_has_its_section() -> None:
    alarms = re.findall(r'^### "(.+)"$', PAGE, re.MULTILINE)
    subjects = [action["subject"] for one in as_data() for action in one["actions"]]
    assert [words for words in alarms if not any(words in subject for subject in subjects)] == []
    assert [subject for subject in subjects if not any(words in subject for words in alarms)] == []


def test_every_event_of_a_run_is_heard_by_an_automation() -> None:
    heard = {event for one in as_data() for event in one["trigger"]["expect"]}
    ours = {event for event in heard if not event.startswith("prefect.flow-run.")}
    assert {f"entwash.{kind}" for kind in get_args(Kind)} | {"entwash.doorbell"} == ours
    assert heard - ours == {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"}


def test_each_alarm_is_told_site_by_site_and_not_for_every_event() -> None:
    for one in as_data():
        assert one["trigger"]["for_each"] & {"prefect.resource.id", "related:deployment:prefect.resource.id"}
        assert one["trigger"]["within"] >= timedelta(minutes=15)


def test_no_message_about_held_studies_comes_while_its_automation_is_deaf() -> None:
    (held,) = (one["trigger"] for one in as_data() if one["trigger"]["expect"] == {"entwash.held"})
    assert held["within"] < TOLD_EVERY


def test_the_servers_settings_are_those_of_this_prefect(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = dict(re.findall(r"^\| `(PREFECT_SERVER_\w+)` \| `([^`]+)` \|", PAGE, re.MULTILINE))
    for name, value in rows.items():
        monkeypatch.setenv(name, value)
    server = Settings().server
    assert len(rows) == 3
    assert server.services.db_vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert server.services.db_vacuum.retention_period.days == 90
    assert server.events.retention_period.days == 7


def test_the_page_names_commands_that_there_are() -> None:
    for command in set(re.findall(r"`entwash ([a-z]+(?: [a-z]+)?)", PAGE)):
        assert entwash(*command.split(), "--help").exit_code == 0


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\((?!https://)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists()
