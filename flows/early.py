"""As fast as it comes: at a site with `release = "instance"`, instances leave while their study still arrives.

Each passes alone what can be proven of it alone: the engine, and the gate over the pair of source and output, beside
what was loaded before. That it leaves is recorded before it does, so whatever is in the cloud too early is known. When
its study is stable it goes the normal way, whole, and :mod:`flows.withdrawal` takes out what that does not let stand.

Nothing here has to succeed. What is passed over comes with its study.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from anonymizer.gate import Examiner
from flows import notes
from flows.copies import Copies
from flows.cursor import RECENT
from flows.desk import Desk
from flows.earlier import Before
from flows.errors import GoneError
from flows.inventory import Work, as_work, record_seen
from flows.ledger import records
from flows.orthanc import Change, InstanceAtSite, StudyAtSite
from flows.proof import Output, prove
from flows.study import deliver, treat
from flows.threads import in_threads

__all__ = ["load_early"]

_BATCH = 32
"""Instances that leave together: with one record of the ledger."""


def load_early(desk: Desk) -> int:
    """Load what arrived since the last time for studies that are not stable yet.

    Returns
    -------
    int
        How many instances were loaded.

    Raises
    ------
    FlowsError
        When an end is away, or answers amiss; what was not loaded comes with its study.
    """
    path = desk.ledger.directory / ".cursors" / desk.anonymizer.pseudonyms.token("early", desk.site)
    last = desk.hospital.last_change()
    seq = notes.left(path).get("seq")
    if seq is None or seq > last:
        seq = max(0, last - RECENT)
    count, is_done = 0, False
    while not is_done:
        page = desk.hospital.arrivals(seq)
        for study, instances in _by_study(desk, page.rows):
            work = as_work(desk, study)
            if work:
                count += _load(desk, work, instances)
        is_done = page.done or page.last <= seq
        if page.last > seq:
            seq = page.last
            notes.leave(path, {"seq": seq})
    return count


def _by_study(desk: Desk, changes: Iterable[Change]) -> list[tuple[StudyAtSite, list[InstanceAtSite]]]:
    """Return the new instances of each study that is not stable and has one patient."""
    described = in_threads(lambda change: _described(desk, change), list(changes))
    studies: dict[str, StudyAtSite] = {}
    arrived: defaultdict[str, dict[str, InstanceAtSite]] = defaultdict(dict)
    for study, instance in filter(None, described):
        studies[study.orthanc_id] = study
        arrived[study.orthanc_id][instance.orthanc_id] = instance
    return [
        (study, list(arrived[study.orthanc_id].values()))
        for study in studies.values()
        if not study.stable and len(desk.hospital.studies_of(study.study_instance_uid)) == 1
    ]


def _described(desk: Desk, change: Change) -> tuple[StudyAtSite, InstanceAtSite] | None:
    with suppress(GoneError):
        return desk.hospital.study_of(change.orthanc_id), desk.hospital.instance(change.orthanc_id)
    return None  # deleted since


def _load(desk: Desk, work: Work, instances: Sequence[InstanceAtSite]) -> int:
    with desk.leases.study(work.work) as is_ours:
        if not is_ours or _is_elsewhere(desk, work):
            return 0
        copies, before = Copies(desk, work), Before(desk.anonymizer, desk.ledger, desk.site)
        batches = (instances[start : start + _BATCH] for start in range(0, len(instances), _BATCH))
        return sum(_load_batch(desk, work, batch, copies, before) for batch in batches)


def _is_elsewhere(desk: Desk, work: Work) -> bool:
    """Tell whether a study is stable by now or gone, which others see to, or held: it would be withdrawn again."""
    settled = desk.ledger.settled_study(desk.site, desk.project, work.work)
    if settled and settled.status != "loaded":
        return True
    try:
        return desk.hospital.study(work.orthanc_id).stable
    except GoneError:
        return True


def _load_batch(desk: Desk, work: Work, instances: Sequence[InstanceAtSite], copies: Copies, before: Before) -> int:
    """Load what of a few instances is proven; intent first, then effect."""
    examiner = Examiner()
    with desk.spooled() as spool:
        jobs = [(instance, spool / str(number)) for number, instance in enumerate(instances)]
        proven = in_threads(lambda job: _proven(desk, work, examiner, copies, before, *job), jobs)
        new = _not_there(desk, [output for output in proven if output])
        if new:
            record_seen(desk, [work])
            desk.ledger.early([_leaving(desk, work, output) for output in new])
        deliveries = in_threads(lambda output: deliver(desk, output), new)
    return sum(delivery.outcome == "stored" for delivery in deliveries)


def _proven(
    desk: Desk, work: Work, examiner: Examiner, copies: Copies, before: Before, instance: InstanceAtSite, path: Path
) -> Output | None:
    """Return the output of one instance if it is new and can be proven alone; None if it has to wait for its study."""
    try:
        output = treat(desk, examiner, copies, instance, path)
    except GoneError:
        return None
    if not isinstance(output, Output) or output.copy or output.report.study_instance_uid != work.study_instance_uid:
        return None
    return output if prove([output], [], before).proven else None


def _not_there(desk: Desk, outputs: Sequence[Output]) -> list[Output]:
    """Return those that the cloud has in no form: what was there before is not ours to withdraw."""
    here = {one.orthanc_study_id for one in outputs}
    if not outputs or desk.cloud.studies_of(outputs[0].report.study_instance_uid) - here:
        return []  # for another patient: the study will say so
    names = [one.orthanc_id for one in outputs]
    there = in_threads(desk.cloud.stored_md5, names)
    # Two instances of one UID: which is right is told by the study.
    return [one for one, md5, name in zip(outputs, there, names, strict=True) if md5 is None and names.count(name) == 1]


def _leaving(desk: Desk, work: Work, output: Output) -> records.Early:
    return records.Early(
        site=desk.site,
        project=desk.project,
        work=work.work,
        run_id=desk.run_id,
        patient_id=output.report.patient_id,
        study_instance_uid=output.report.study_instance_uid,
        series_instance_uid=output.report.series_instance_uid,
        sop_instance_uid=output.report.sop_instance_uid,
        md5=output.report.md5,
        at=datetime.now(UTC),
    )
