"""Bring the automations to a Prefect server: `python -m deployments.automations`.

They stand in automations.yaml; who is called stands in the environment, so that no address is in a commit:

    ENTWASH_ALARM_WEBHOOK   address that takes {"text": "..."} by POST, as most chats do
    ENTWASH_ALARM_MAIL      such as mailtos://user:password@mail.example.org?to=night@example.org; or any other
                            address that Apprise knows (https://github.com/caronc/apprise/wiki)
    ENTWASH_SILENT_HOURS    how long nothing may be heard of a hospital in its busy hours, instead of four

One of the two addresses is needed. The command may be run again: what is there is renewed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import yaml  # type: ignore[import-untyped]  # Prefect brings PyYAML, but no stubs for it
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore

__all__ = ["SettingError", "automations", "bring"]

FILE: Final = Path(__file__).with_suffix(".yaml")


class SettingError(Exception):
    """A variable of the environment is missing or cannot be used."""


def main() -> int:
    """Bring them; return 0, or 2 when a setting is missing."""
    try:
        names = bring(os.environ)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Prefect has these automations now: {', '.join(names)}.")
    return 0


def bring(environment: Mapping[str, str]) -> list[str]:
    """Make or renew the automations and the blocks that know the addresses.

    Parameters
    ----------
    environment : mapping of str to str
        Variables as above.

    Returns
    -------
    list of str
        Names of the automations.

    Raises
    ------
    SettingError
        There is no address, or the hours are no number.
    """
    hours = _hours(environment)
    blocks = _blocks(environment)
    wanted = automations(blocks, hours)
    with get_client(sync_client=True) as client:
        for automation in wanted:
            _renew(client, automation)
    return [automation.name for automation in wanted]


def automations(blocks: list[UUID], silent_hours: float | None = None) -> list[AutomationCore]:
    """Return what automations.yaml says, with a message to each of these blocks."""
    rows = yaml.safe_load(FILE.read_text("utf-8"))
    for row in rows:
        if silent_hours and row["trigger"]["posture"] == "Proactive":
            row["trigger"]["within"] = silent_hours * 3600
    return [
        AutomationCore.model_validate(
            {
                "name": row["name"],
                "description": row["description"],
                "trigger": row["trigger"],
                "actions": [_message(row, block) for block in blocks],
            }
        )
        for row in rows
    ]


def _message(row: Mapping[str, Any], block: UUID) -> dict[str, Any]:
    return {
        "type": "send-notification",
        "block_document_id": block,
        "subject": row["subject"],
        "body": row["body"],
    }


def _blocks(environment: Mapping[str, str]) -> list[UUID]:
    """Save each address in a block, where the server keeps it encrypted and shows it to nobody."""
    blocks: list[UUID] = []
    if webhook := environment.get("ENTWASH_ALARM_WEBHOOK"):
        block = CustomWebhookNotificationBlock.model_validate(
            {
                "name": "entwash",
                "url": "{{address}}",  # the block's own field is no secret
                "secrets": {"address": webhook},
                "json_data": {"text": "{{subject}}\n{{body}}"},
            }
        )
        blocks.append(_saved(block, "entwash-alarm-webhook"))
    if mail := environment.get("ENTWASH_ALARM_MAIL"):
        # Prefect's own server has no block for mail. This one hands any address that is not Slack's to Apprise.
        blocks.append(_saved(SlackWebhook.model_validate({"url": mail}), "entwash-alarm-mail"))
    if not blocks:
        raise SettingError(
            "nobody would be called: set ENTWASH_ALARM_WEBHOOK or ENTWASH_ALARM_MAIL; docs/operations.md shows how"
        )
    return blocks


def _saved(block: NotificationBlock, name: str) -> UUID:
    return UUID(str(block.save(name, overwrite=True)))


def _hours(environment: Mapping[str, str]) -> float | None:
    text = environment.get("ENTWASH_SILENT_HOURS")
    if not text:
        return None
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if not 10 / 3600 <= hours < 10_000:  # Prefect looks no closer than ten seconds
        raise SettingError("ENTWASH_SILENT_HOURS must be a number of hours, such as 4")
    return hours


def _renew(client: SyncPrefectClient, automation: AutomationCore) -> None:
    """Change what is there, so that whoever switched an automation off finds it off."""
    there = client.read_automations_by_name(automation.name)
    if not there:
        client.create_automation(automation)
        return
    first, *twice = there
    automation.enabled = first.enabled
    client.update_automation(first.id, automation)
    for one in twice:
        client.delete_automation(one.id)


if __name__ == "__main__":
    sys.exit(main())
