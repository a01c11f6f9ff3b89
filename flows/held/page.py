"""The page of a held study: what was checked, what was found, what to do."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files

from anonymizer.reveal import name_of
from flows.held.studies import Finding, HeldStudy, age_text

__all__ = ["advice", "page"]

Values = Mapping[tuple[str, str], Sequence[str]]
"""What stands at the hospital, by code and place of a finding."""

_FEW = 5
_MARK = ">>>"


def page(study: HeldStudy, short: str, now: datetime, values: Values | None = None) -> str:
    """Render a held study for a person.

    Parameters
    ----------
    short : str
        What the commands may call it.
    values : mapping, optional
        What stands at the places found, in the hospital's own study; without it the page names nobody.
    """
    return "\n".join(
        [*_head(study, now), *_checked(study), *_found(study, values), *_releases(study), *_next(study, short)]
    )


def advice(code: str) -> str:
    """Return what a person can do about a reason; empty for one that nobody knows."""
    flow, engine = _tables()
    own = (flow[section].get(code, "") for section in ("findings", "folder", "flow"))
    return next(filter(None, own), "") or engine.get(code, "")


def _head(study: HeldStudy, now: datetime) -> Iterator[str]:
    yield f"# Held: study {study.study_instance_uid}"
    yield ""
    yield f"- site {study.site}, project {study.project}, patient {study.patient_id or 'not known'}"
    yield f"- held since {_time(study.since)}, {age_text(now - study.since)}; last tried {_time(study.held_at)}"
    if study.gone_since:
        yield f"- gone at the hospital, as a reconciliation found {_time(study.gone_since)}: it cannot be tried again"
    kinds = f" ({' '.join(study.modalities)})" if study.modalities else ""
    yield f"- {study.held_instances} of {study.source_instances} instances{kinds} stay at the hospital"
    profile = f"{study.profile_name} ({study.profile_digest[:8]})"
    yield f"- profile {profile}, Entwash {study.engine_version}, run {study.run_id}"


def _checked(study: HeldStudy) -> Iterator[str]:
    yield from ("", "## What was checked", "")
    if not study.checks:
        yield "The study was held before the gate was asked: the engine has no output for all of it."
    words = _tables()[0]["checks"]
    order = {name: place for place, name in enumerate(words)}
    for name, count in sorted(study.checks.items(), key=lambda item: order.get(item[0], len(order))):
        yield f"- {words.get(name, name)}: {count}"


def _found(study: HeldStudy, values: Values | None) -> Iterator[str]:
    yield from ("", "## What was found", "")
    if values is not None:
        yield f"Lines with {_MARK} show what stands at the hospital. It identifies a patient: let it stay where it is."
        yield ""
    for number, finding in enumerate(study.findings, start=1):
        yield from _one(number, finding)
        for value in (values or {}).get((finding.code, finding.place), ()):
            yield f"   {_MARK} {value}"
        yield ""


def _one(number: int, finding: Finding) -> Iterator[str]:
    todo = advice(finding.code)
    where = f" at {finding.place}" if finding.place else ""
    named = f", {name}" if (name := name_of(finding.place)) else ""
    count = len(finding.instances)
    yield f"{number}. **{finding.code}**{where}{named}: " + (
        f"{count} instance{'s' * (count > 1)}" if count else "the study"
    )
    if rule := finding.message.removesuffix(f"; {todo}"):
        yield f"   rule: {rule}"
    if todo:
        yield f"   what to do: {todo}"
    if count:
        more = f" and {count - _FEW} more" if count > _FEW else ""
        yield f"   instances: {', '.join(finding.instances[:_FEW])}{more}"


def _releases(study: HeldStudy) -> Iterator[str]:
    if study.releases:
        yield from ("## What was tried", "")
    for release in study.releases:
        became = f"{release['became']} by run {release['tried_in']}" if release["became"] else "waits for the next run"
        yield f"- {_time(release['released_at'])}, {release['who']}: {release['why']}: {became}"
    if study.releases:
        yield ""


def _next(study: HeldStudy, short: str) -> Iterator[str]:
    yield from ("## What to do next", "")
    if study.gone_since:
        yield from ("Nothing, unless it is to leave: then bring it back to the hospital's Orthanc.", "")
        return
    yield "Correct it at the source, in the profile or in the rules: a change of these is tried by the next run anyhow."
    yield f'After any other correction: entwash held release {short} --why "WHAT WAS CORRECTED"'
    yield ""


def _time(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


@cache
def _tables() -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    flow = tomllib.loads((files("flows") / "tables" / "advice.toml").read_text(encoding="utf-8"))
    return flow, tomllib.loads((files("anonymizer") / "tables" / "reasons.toml").read_text(encoding="utf-8"))
