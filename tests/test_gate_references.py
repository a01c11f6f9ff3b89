"""References, as the gate sees them: what closed has to close, what dangled has to dangle."""

from __future__ import annotations

from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, CTImageStorage

from anonymizer.gate import Reference
from tests.gate_samples import ct, kinds, pseudonym, structure_set, study, verdict_of

Outputs = list[FileDataset]


def _contours(structures: FileDataset) -> list[Dataset]:
    in_study = structures.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
    return list(in_study.RTReferencedSeriesSequence[0].ContourImageSequence)


def test_every_reference_of_a_clean_study_is_told_with_its_state() -> None:
    verdict = verdict_of(lambda outputs: None)
    states = [item.state for item in verdict.references]
    assert states.count("dangling") == verdict.checks["references_dangling"] == 1
    assert states.count("resolved") == verdict.checks["references_resolved"] == 12
    assert {item.level for item in verdict.references} == {"instance", "series", "frame-of-reference"}


def test_a_structure_set_points_at_its_images() -> None:
    images = study()
    verdict = verdict_of(lambda outputs: None, images)
    structures, image = (pseudonym(item.SOPInstanceUID) for item in (images[3], images[0]))
    assert Reference(structures, "instance", image, "resolved") in verdict.references


def test_a_structure_set_alone_dangles_and_passes() -> None:
    verdict = verdict_of(lambda outputs: None, [structure_set([ct()])])
    assert verdict.passed
    assert verdict.checks["references_dangling"] == 4


def test_a_reference_to_a_wrong_sibling_is_broken() -> None:
    def change(outputs: Outputs) -> None:
        contours = _contours(outputs[3])
        contours[0].ReferencedSOPInstanceUID = contours[1].ReferencedSOPInstanceUID
        del contours[1].ReferencedSOPInstanceUID

    assert {"reference-lost", "uid-split"} <= kinds(verdict_of(change))


def test_a_reference_that_no_source_holds_is_broken() -> None:
    def change(outputs: Outputs) -> None:
        item = Dataset()
        item.ReferencedSOPClassUID = CTImageStorage
        item.ReferencedSOPInstanceUID = outputs[1].SOPInstanceUID
        outputs[0].SourceImageSequence = [item]

    assert "reference-broken" in kinds(verdict_of(change))


def test_a_dangling_reference_must_not_begin_to_resolve() -> None:
    sources = study()

    def change(outputs: Outputs) -> None:
        outputs[0].SOPInstanceUID = outputs[0].file_meta.MediaStorageSOPInstanceUID = _contours(outputs[3])[
            3
        ].ReferencedSOPInstanceUID

    broken = [item for item in verdict_of(change, sources).findings if item.kind == "reference-broken"]
    assert "is resolved in the output and was not in the source" in " ".join(item.rule for item in broken)


def test_a_removed_reference_that_resolved_is_lost() -> None:
    def change(outputs: Outputs) -> None:
        del _contours(outputs[3])[0].ReferencedSOPInstanceUID

    verdict = verdict_of(change)
    assert kinds(verdict) == {"reference-lost"}
    assert verdict.findings[0].path.endswith("(3006,0016)[1].(0008,1155)")


def test_a_removed_reference_that_dangled_is_counted() -> None:
    def change(outputs: Outputs) -> None:
        del _contours(outputs[3])[3].ReferencedSOPInstanceUID

    verdict = verdict_of(change)
    assert verdict.passed
    assert verdict.checks["references_removed"] == 1
    assert verdict.checks["references_dangling"] == 0


def test_an_emptied_sequence_of_references_that_dangled_is_counted() -> None:
    source = ct()
    step = Dataset()
    step.ReferencedSOPClassUID, step.ReferencedSOPInstanceUID = UID("1.2.840.10008.3.1.2.3.3"), UID("1.2.3.4.5")
    source.ReferencedPerformedProcedureStepSequence = [step]

    def emptied(outputs: Outputs) -> None:
        outputs[0].ReferencedPerformedProcedureStepSequence = []

    def removed(outputs: Outputs) -> None:
        del outputs[0].ReferencedPerformedProcedureStepSequence

    for change in (emptied, removed):
        verdict = verdict_of(change, [source])
        assert verdict.passed
        assert verdict.checks["references_removed"] == 1


def test_an_emptied_sequence_of_references_that_resolved_is_lost() -> None:
    def change(outputs: Outputs) -> None:
        outputs[3].ReferencedFrameOfReferenceSequence = []

    assert kinds(verdict_of(change)) == {"reference-lost"}


def test_a_reference_may_go_where_another_one_of_the_instance_still_holds_it() -> None:
    sources = study()
    again = Dataset()
    again.ReferencedSOPClassUID = CTImageStorage
    again.ReferencedSOPInstanceUID = sources[0].SOPInstanceUID
    sources[3].SourceImageSequence = [again]

    def change(outputs: Outputs) -> None:
        outputs[3].SourceImageSequence = []

    assert verdict_of(change, sources).passed


def test_a_reference_to_the_own_study_holds_by_the_top_level() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].ReferencedStudySequence = []

    assert verdict_of(change).passed


def test_a_dropped_frame_of_reference_is_lost() -> None:
    def change(outputs: Outputs) -> None:
        del outputs[1].FrameOfReferenceUID

    finding = next(item for item in verdict_of(change).findings if item.kind == "reference-lost")
    assert finding.path == "(0020,0052)"


def test_a_frame_of_reference_of_a_sibling_breaks_the_map() -> None:
    sources = study()
    sources[0].FrameOfReferenceUID = UID("1.2.3.4.5")

    def change(outputs: Outputs) -> None:
        outputs[0].FrameOfReferenceUID = outputs[1].FrameOfReferenceUID

    assert "uids-merged" in kinds(verdict_of(change, sources))


def test_the_only_instance_of_a_frame_of_reference_points_nowhere() -> None:
    verdict = verdict_of(lambda outputs: None, [ct()])
    assert not [item for item in verdict.references if item.level == "frame-of-reference"]


def test_a_well_known_frame_of_reference_is_no_reference() -> None:
    source = structure_set([ct()])
    source.ReferencedFrameOfReferenceSequence[0].FrameOfReferenceUID = UID("1.2.840.10008.1.4.1.1")
    verdict = verdict_of(lambda outputs: None, [source])
    assert verdict.passed
    assert "frame-of-reference" not in {item.level for item in verdict.references}


def test_private_references_are_counted_and_not_required() -> None:
    sources = [ct(instance=1), ct(instance=2)]
    sources[0][0x0009, 0x1001].value = sources[1].SOPInstanceUID
    sources[1][0x0009, 0x1001].value = UID("1.2.3.4.5")

    def change(outputs: Outputs) -> None:
        del outputs[0][0x0009, 0x1001]

    verdict = verdict_of(change, sources)
    assert verdict.passed
    assert verdict.checks["references_private"] == 1


def test_a_content_item_that_names_a_known_series_is_a_reference() -> None:
    sources = [ct(), structure_set([ct()])]
    known, unknown = Dataset(), Dataset()
    known.UID, unknown.UID = sources[0].SeriesInstanceUID, UID("1.2.3.4.5")
    sources[1].ContentSequence = [known, unknown]
    sources[1].ReferencedFrameOfReferenceSequence = []
    verdict = verdict_of(lambda outputs: None, sources)
    target = pseudonym(sources[0].SeriesInstanceUID)
    assert [item.level for item in verdict.references if item.target == target] == ["series"]

    def change(outputs: Outputs) -> None:
        del outputs[1].ContentSequence[0].UID

    assert kinds(verdict_of(change, sources)) == {"reference-lost"}
