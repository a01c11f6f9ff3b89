"""Finding work: what is stable at the hospital and not yet settled in the ledger.

The doorbell only says "look". What there is to do stands in the hospital's own change feed and inventory, so that an
event that was lost costs nothing but the time until the next look: see :mod:`flows.look`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import duckdb

from flows.desk import Desk
from flows.errors import GoneError
from flows.ledger.records import DELETED, FoundBy, Seen, Settled, StudyOutcome
from flows.ledger.standing import Standing
from flows.orthanc import ORTHANCS_TIME, StudyAtSite
from flows.outcome import Attempt
from flows.selection import SEND, Choice, choose

__all__ = [
    "Inventory",
    "Work",
    "as_seen",
    "as_work",
    "find_work",
    "is_live",
    "is_settled",
    "record_seen",
    "stable_until",
    "tokens",
    "work_token",
]

_AT_ONCE = 200  # outcomes a record, so that a walk that is killed has not been for nothing


@dataclass(frozen=True, slots=True)
class Work:
    """A study at the hospital that is to be moved.

    Attributes
    ----------
    work, snapshot : str
        Keyed tokens of the study and of the state that it was seen in: the ledger's names for them.
    study_instance_uid : str
        What the cloud calls it: a pseudonym, unless the profile retains UIDs.
    instances : int
        How many the hospital has.
    release : str
        The ledger's record of the latest release of the study; "" if nobody released it.
    found_by : str
        How the run came by it.
    choice : Choice
        What the site's selection makes of it.
    loaded : mapping of str to str
        MD5 of what has to leave as it left before, by SOPInstanceUID; other bytes do not leave under these.
    """

    orthanc_id: str = field(repr=False)
    source_uid: str = field(repr=False)
    work: str
    snapshot: str
    study_instance_uid: str
    instances: int
    release: str = ""
    found_by: FoundBy = "sweep"
    choice: Choice = SEND
    loaded: Mapping[str, str] = field(default_factory=dict, repr=False)


class Inventory:
    """What of a hospital's studies is not settled; each state of a study is found once.

    Parameters
    ----------
    desk : Desk
        Of the site.
    tried : set of str, optional
        Snapshots that were found before, each with the release that it was found for. The found ones are added.
    of_all_dates : bool
        Find also what :func:`is_live` says no of.

    Attributes
    ----------
    waiting : dict of str to str
        Snapshots that wait for more to come, and until when, as Orthanc writes times. They are not asked about before.
    let_wait : int
        Studies that the selection let wait so far.
    excluded : int
        Studies that the selection kept at home so far.
    """

    def __init__(self, desk: Desk, tried: set[str] | None = None, *, of_all_dates: bool = False) -> None:
        self._desk = desk
        self._tried = set() if tried is None else tried
        self._of_all_dates = of_all_dates
        self.waiting: dict[str, str] = {}
        self.let_wait = 0
        self.excluded = 0
        self.refresh()

    def refresh(self) -> None:
        """Learn what the ledger knows by now."""
        # The outcomes first: a release that comes in between is seen, or waits for the next run.
        self._settled = self._desk.ledger.settled(self._desk.site, self._desk.project)
        self._releases = self._desk.ledger.releases(self._desk.site, self._desk.project)
        self._settings = self._desk.settings

    @property
    def settled(self) -> int:
        """How many studies of the site the ledger has an outcome for."""
        return len(self._settled)

    @property
    def latest_release(self) -> str:
        """The ledger's record of the latest release of any study of the site; "" if nobody released one."""
        return max(self._releases.values(), default="")

    def works(
        self,
        studies: Iterable[StudyAtSite],
        found_by: Callable[[bool], FoundBy],
        only: Container[str] | None = None,
    ) -> list[Work]:
        """Return those of the studies that are to be moved, and record that they were seen.

        What the selection excludes is settled by that, and recorded so; but where something of it may have left before,
        whoever moves studies sees to it. What waits is recorded as seen, with a reason.

        Parameters
        ----------
        studies : iterable of StudyAtSite
            Stable ones.
        found_by : callable
            Tells how the run came by a study, given whether it is new or changed; it is not if it was held or let
            wait as it is.
        only : container of str, optional
            Work tokens of the studies that are asked for; all without it.
        """
        found: list[Work] = []
        aside = _Aside(self._desk)
        for study in studies:
            work, snapshot = tokens(self._desk, study)
            if only is not None and work not in only:
                continue
            release, settled = self._releases.get(work, ""), self._settled.get(work)
            has_waited = snapshot in self.waiting
            if self._is_passed_over(study, snapshot, settled, release):
                continue
            self._tried.add(snapshot + release)
            is_new = settled is None or settled.snapshot != snapshot
            try:
                one = replace(
                    self._chosen(study, work, snapshot, release, is_new), found_by=found_by(is_new and not has_waited)
                )
            except GoneError:
                continue  # deleted since it was listed: there is nothing left to move
            if one.choice.outcome == "exclude" and self._never_left(work, settled):
                self.excluded += 1
                aside.exclude(one)
            elif one.choice.outcome == "wait":
                self.let_wait += 1
                self.waiting[snapshot] = one.choice.until
                aside.let_wait(one)
            else:
                found.append(one)
        aside.close()
        found = self._told_apart(found)
        record_seen(self._desk, found)
        return found

    def _told_apart(self, found: list[Work]) -> list[Work]:
        """Call what waits in flight, as it was seen before, no discovery but tried again."""
        if all(work.found_by == "retry" for work in found):
            return found
        try:
            with Standing(self._desk.ledger.directory, self._desk.site, self._desk.project) as standing:
                seen = standing.seen([work.snapshot for work in found])
        except duckdb.Error:
            # A record that cannot be read is told by the page that each run renews. What a study is called is no reason
            # to keep it: it counts as found anew.
            return found
        return [replace(work, found_by="retry") if work.snapshot in seen else work for work in found]

    def again(self, study: StudyAtSite, loaded: Mapping[str, str]) -> list[Work]:
        """Return a study that was loaded as it is, to be moved once more; not if the selection excludes it by now.

        Parameters
        ----------
        loaded : mapping of str to str
            As in :class:`Work`.
        """
        work, snapshot = tokens(self._desk, study)
        settled = self._settled.get(work)
        if settled is None or settled.snapshot != snapshot or settled.status == "excluded":
            return []
        try:
            # What it waits for does not matter: it has left.
            found = self._chosen(study, work, snapshot, settled.release, is_new=False)
        except GoneError:
            return []  # deleted since it was listed
        if found.choice.outcome == "exclude":
            return []
        found = replace(found, choice=SEND, loaded=loaded, found_by="retry")
        record_seen(self._desk, [found])
        return [found]

    def is_settled(self, study: StudyAtSite) -> bool:
        """Tell whether the ledger has an outcome for a study as it is."""
        work, snapshot = tokens(self._desk, study)
        return is_settled(self._settled.get(work), snapshot, self._settings, self._releases.get(work, ""))

    def forget_overdue(self) -> None:
        """Forget whose time is over: after a look at everything, those are no longer at the hospital as they were."""
        now = datetime.now(UTC).strftime(ORTHANCS_TIME)
        self.waiting = {snapshot: until for snapshot, until in self.waiting.items() if now < until}

    def _never_left(self, work: str, settled: Settled | None) -> bool:
        """Tell whether nothing of a study can be in the cloud, also not early."""
        ledger, of_study = self._desk.ledger, (self._desk.site, self._desk.project, work)
        # What was excluded may have been loaded in part before it grew.
        if settled and (settled.status != "excluded" or ledger.loaded(*of_study).instances):
            return False
        return not ledger.left_early(*of_study)

    def _is_passed_over(self, study: StudyAtSite, snapshot: str, settled: Settled | None, release: str) -> bool:
        return (
            snapshot + release in self._tried
            or is_settled(settled, snapshot, self._settings, release)
            or (_was_not_taken_up(settled, snapshot) and not (self._of_all_dates or is_live(self._desk, study)))
            or self._waits(snapshot)
        )

    def _waits(self, snapshot: str) -> bool:
        until = self.waiting.pop(snapshot, "")
        if datetime.now(UTC).strftime(ORTHANCS_TIME) >= until:
            return False
        self.waiting[snapshot] = until
        return True

    def _chosen(self, study: StudyAtSite, work: str, snapshot: str, release: str, is_new: bool) -> Work:
        # Counted before the selection is asked: what comes after that makes another count.
        seen = _work(self._desk, study, work, snapshot)
        is_released = bool(release) and not is_new  # as it is; what came since nobody has looked at
        selection, catalogue = self._desk.selection, self._desk.hospital.catalogue
        choice = choose(selection, catalogue, study, datetime.now(UTC), released=is_released)
        return replace(seen, release=release, choice=choice)


class _Aside:
    """Record what is not moved, many studies at once: a hospital may have far more of them than of the others."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._seen: list[Work] = []
        self._outcomes: list[StudyOutcome] = []

    def exclude(self, work: Work) -> None:
        self._seen.append(work)
        attempt = Attempt(self._desk, work, datetime.now(UTC), work.instances)
        self._outcomes.append(attempt.excluded(work.choice.reason))
        if len(self._outcomes) >= _AT_ONCE:
            self.close()

    def let_wait(self, work: Work) -> None:
        self._seen.append(work)

    def close(self) -> None:
        """Write what is not written yet."""
        record_seen(self._desk, self._seen)
        self._desk.ledger.excluded(self._outcomes)
        self._seen, self._outcomes = [], []


def find_work(desk: Desk, tried: set[str], only: Container[str] | None = None) -> list[Work]:
    """Return all stable studies that are not settled, whether anything told of them or not.

    Parameters
    ----------
    tried : set of str
        What was found before, as :class:`Inventory` has it; what is found is added.
    only : container of str, optional
        Work tokens of the studies that are asked for; all without it.
    """
    inventory = Inventory(desk, tried)
    return inventory.works(desk.hospital.stable_studies(), lambda is_new: "sweep" if is_new else "retry", only)


def _was_not_taken_up(settled: Settled | None, snapshot: str) -> bool:
    """Tell whether no run took up a study: what the selection kept at home is an archive's, if another one names it."""
    if settled is None:
        return True
    return settled.status == "excluded" and settled.reason != DELETED and settled.snapshot == snapshot


def stable_until(desk: Desk, grace: timedelta = timedelta(0)) -> str:
    """Return the latest LastUpdate at which a study that Orthanc calls stable is believed to be so.

    After a restart Orthanc calls everything stable, even what still arrives.

    Parameters
    ----------
    grace : timedelta, optional
        How much longer than the site's `stable_age` nothing may have come.
    """
    return (datetime.now(UTC) - timedelta(seconds=desk.stable_age) - grace).strftime(ORTHANCS_TIME)


def is_live(desk: Desk, study: StudyAtSite) -> bool:
    """Tell whether a study that no run took up is taken up by itself, and not by a backfill alone.

    One without a StudyDate is: nobody else would look for it.
    """
    return not "" < study.study_date < desk.live_from


def record_seen(desk: Desk, found: list[Work]) -> None:
    """Record what was seen at the hospital: from now on the ledger counts it as in flight."""
    now = datetime.now(UTC)
    desk.ledger.seen(
        [
            Seen(
                site=desk.site,
                project=desk.project,
                work=work.work,
                snapshot=work.snapshot,
                study_instance_uid=work.study_instance_uid,
                source_instances=work.instances,
                run_id=desk.run_id,
                seen_at=now,
                found_by=work.found_by,
                waits=work.choice.reason if work.choice.outcome == "wait" else "",
            )
            for work in found
        ]
    )


def as_work(desk: Desk, study: StudyAtSite) -> Work | None:
    """Return a study that may leave as it is now, stable or not; None if it may not, or was deleted meanwhile."""
    if not is_live(desk, study):
        return None
    try:
        work = _work(desk, study, *tokens(desk, study))
        choice = choose(desk.selection, desk.hospital.catalogue, study, datetime.now(UTC))
    except GoneError:
        return None
    return replace(work, found_by="feed", choice=choice) if choice.outcome == "send" else None


def as_seen(desk: Desk, study: StudyAtSite) -> Work:
    """Return a study as it is to be recorded as seen, whatever becomes of it."""
    return _work(desk, study, *tokens(desk, study))


def _work(desk: Desk, study: StudyAtSite, work: str, snapshot: str) -> Work:
    return Work(
        orthanc_id=study.orthanc_id,
        source_uid=study.study_instance_uid,
        work=work,
        snapshot=snapshot,
        study_instance_uid=desk.anonymizer.uid(study.study_instance_uid),
        instances=desk.hospital.count_instances(study.orthanc_id),
    )


def tokens(desk: Desk, study: StudyAtSite) -> tuple[str, str]:
    """Return the ledger's names for a study of the hospital and for its state."""
    # Orthanc leaves LastUpdate alone when an instance is deleted, and the series change with some deletions only.
    state = (study.orthanc_id, study.last_update, *sorted(study.series))
    return work_token(desk, study.orthanc_id), desk.anonymizer.pseudonyms.token("snapshot", *state)


def work_token(desk: Desk, orthanc_study_id: str) -> str:
    """Return the ledger's name for what the hospital's Orthanc calls so."""
    return desk.anonymizer.pseudonyms.token("work", orthanc_study_id)


def is_settled(settled: Settled | None, snapshot: str, settings: str, release: str) -> bool:
    """Tell whether the ledger has an outcome for this very state of a study.

    What was held is tried again once profile, engine or settings changed, and once somebody released it: that is how
    a hold gets fixed. What was excluded is asked about again once they changed: the selection is one of them.
    """
    if settled is None or settled.snapshot != snapshot:
        return False
    if settled.reason == DELETED:
        return False  # it is there: somebody brought it back, in the very state that it was in
    if settled.status == "held":
        return settled.settings == settings and release <= settled.release
    if settled.status == "excluded":
        return settled.settings == settings
    return True
