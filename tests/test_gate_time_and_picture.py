"""Dates and pixels, as the gate sees them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileDataset

from anonymizer.gate import Examiner
from tests.gate_samples import (
    CLAIMED,
    STUDY_DATE,
    as_bytes,
    big_endian,
    claim,
    ct,
    judged,
    kinds,
    rewritten,
    shifted,
    study,
    unmoved,
    verdict_of,
)

Outputs = list[FileDataset]


def _claim(outputs: Outputs, claim: str) -> None:
    for output in outputs:
        output.LongitudinalTemporalInformationModified = claim


def test_a_date_that_stands_is_seen() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].StudyDate = STUDY_DATE

    finding = next(item for item in verdict_of(change).findings if item.kind == "date-not-moved")
    assert finding.path == "(0008,0020)"


def test_one_nested_date_one_week_off_tears_the_dates() -> None:
    def change(outputs: Outputs) -> None:
        step = outputs[0].RequestAttributesSequence[0]
        step.ScheduledProcedureStepStartDate = shifted("20170310", weeks=61)

    verdict = verdict_of(change)
    assert kinds(verdict) == {"dates-torn"}
    assert verdict.findings[0].path == "(0040,0275)[1].(0040,0002)"


def test_a_date_that_is_moved_and_still_lies_in_the_future_is_seen() -> None:
    source, output = ct(), rewritten(ct())
    source.DateOfSecondaryCapture = "20340605"
    output.DateOfSecondaryCapture = shifted("20340605")

    def found(today: date) -> set[tuple[str, str]]:
        flaws = Examiner(today=today).examine(as_bytes(source), as_bytes(output)).flaws
        return {(flaw.kind, flaw.path) for flaw in flaws}

    moved = datetime.strptime(output.DateOfSecondaryCapture, "%Y%m%d").replace(tzinfo=UTC).date()
    assert found(moved - timedelta(days=2)) == {("date-in-future", "(0018,1012)")}
    assert found(moved - timedelta(days=1)) == set()  # somewhere it is tomorrow already


@pytest.mark.parametrize(("moved", "is_seen"), [("2034", True), ("203406", True), ("2026", False), ("202611", False)])
def test_a_date_without_a_day_that_lies_in_the_future_is_seen(moved: str, *, is_seen: bool) -> None:
    source, output = ct(), rewritten(ct())
    source.AcquisitionDateTime, output.AcquisitionDateTime = f"2044{moved[4:]}", moved

    flaws = Examiner(today=date(2026, 11, 26)).examine(as_bytes(source), as_bytes(output)).flaws

    assert {flaw.kind for flaw in flaws} == ({"date-in-future"} if is_seen else set())


@pytest.mark.parametrize("moved", ["20160118", "20170321"])
def test_a_date_moved_by_days_or_forward_is_seen(moved: str) -> None:
    source = ct()
    source.ContentDate = source.AcquisitionDateTime = ""
    source.RequestAttributesSequence = []

    def change(outputs: Outputs) -> None:
        outputs[0].StudyDate = moved

    assert kinds(verdict_of(change, [source])) == {"dates-torn"}


def test_a_study_shifted_apart_from_its_sister_is_seen() -> None:
    def change(outputs: Outputs) -> None:
        for name in ("StudyDate", "ContentDate", "AcquisitionDateTime"):
            outputs[1][name].value = shifted(ct(study=2)[name].value, weeks=70)
        step = outputs[1].RequestAttributesSequence[0]
        step.ScheduledProcedureStepStartDate = shifted("20170310", weeks=70)

    assert kinds(verdict_of(change, [ct(study=1), ct(study=2)])) == {"dates-torn"}


def test_two_patients_may_move_by_different_weeks() -> None:
    sources = [ct(study=1), ct(study=2)]
    for output in sources:
        output.ContentDate = output.AcquisitionDateTime = ""
        output.RequestAttributesSequence = []
    sources[1].PatientID = "MRN-0000001"

    def change(outputs: Outputs) -> None:
        outputs[1].StudyDate = shifted(STUDY_DATE, weeks=70)

    assert verdict_of(change, sources).passed


def test_the_time_of_a_moved_date_time_stays() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].AcquisitionDateTime = outputs[0].AcquisitionDateTime.replace("1015", "1016")

    assert kinds(verdict_of(change)) == {"dates-torn"}


@pytest.mark.parametrize("dummy", ["", "19000101"])
def test_a_date_may_become_empty_or_the_dummy(dummy: str) -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].StudyDate = dummy

    assert verdict_of(change).passed


def test_a_new_date_is_seen_and_a_new_dummy_is_not() -> None:
    def real(outputs: Outputs) -> None:
        outputs[0].SeriesDate = "20150101"

    def dummy(outputs: Outputs) -> None:
        outputs[0].SeriesDate = "19000101"

    assert kinds(verdict_of(real)) == {"date-not-moved"}
    assert verdict_of(dummy).passed


@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")
def test_a_date_that_nobody_can_read_has_to_go() -> None:
    sources = study()
    sources[0].SeriesDate = "20171399"

    def change(outputs: Outputs) -> None:
        outputs[0].SeriesDate = "20171399"

    assert kinds(verdict_of(change, sources)) == {"date-not-moved"}
    assert verdict_of(lambda outputs: None, sources).passed


def test_no_date_may_stand_where_dates_were_removed() -> None:
    def claimed_only(outputs: Outputs) -> None:
        _claim(outputs, "REMOVED")

    def removed(outputs: Outputs) -> None:
        _claim(outputs, "REMOVED")
        for output in outputs:
            output.StudyDate = "19000101"
            for name in ("ContentDate", "AcquisitionDateTime"):
                if name in output:
                    output[name].value = ""
            output.RequestAttributesSequence = []

    assert kinds(verdict_of(claimed_only)) == {"date-not-moved"}
    assert verdict_of(removed).passed


def test_every_date_must_stand_where_dates_are_claimed_unmodified() -> None:
    sources = [ct()]

    def kept(outputs: Outputs) -> None:
        _claim(outputs, "UNMODIFIED")
        claim(outputs[0], "113100", "113106", "113111")
        unmoved(outputs[0], sources[0])

    def moved(outputs: Outputs) -> None:
        kept(outputs)
        outputs[0].StudyDate = shifted(STUDY_DATE)

    assert verdict_of(kept, sources).passed
    assert kinds(verdict_of(moved, sources)) == {"dates-torn"}


@pytest.mark.parametrize("longitudinal", ["REMOVED", "MODIFIED"])
@pytest.mark.parametrize("keyword", ["DateOfLastCalibration", "DateOfManufacture", "DateOfInstallation"])
def test_a_date_of_the_device_may_stand_where_its_identity_is_claimed(keyword: str, longitudinal: str) -> None:
    source = ct()
    for name in ("StudyDate", "ContentDate", "AcquisitionDateTime"):
        source[name].value = ""
    source.RequestAttributesSequence = []
    source[keyword] = DataElement(keyword, "DA", "20160101")

    def kept(*codes: str, day: str = "20160101", name: str = keyword) -> set[str]:
        def change(outputs: Outputs) -> None:
            _claim(outputs, longitudinal)
            claim(outputs[0], *CLAIMED, *codes)
            outputs[0][keyword].value = ""
            outputs[0][name] = DataElement(name, "DA", day)

        return kinds(verdict_of(change, [source]))

    assert kept("113109") == set()
    assert kept() == {"date-not-moved"}
    assert kept("113109", day="20160102") == {"date-not-moved" if longitudinal == "REMOVED" else "dates-torn"}
    assert kept("113109", name="SeriesDate") == {"date-not-moved"}
    claim(source, "113109")
    assert kept("113109") == {"date-not-moved"}


def test_dates_that_were_moved_before_may_stand_where_full_dates_are_claimed() -> None:
    source = ct()
    source.LongitudinalTemporalInformationModified = "MODIFIED"

    def kept(outputs: Outputs) -> None:
        _claim(outputs, "MODIFIED")
        unmoved(outputs[0], source)

    def claimed(outputs: Outputs, *codes: str) -> None:
        kept(outputs)
        claim(outputs[0], "113100", "113106", "113111", *codes)

    def both(outputs: Outputs) -> None:
        claimed(outputs, "113107")

    def moved(outputs: Outputs) -> None:
        claimed(outputs)
        outputs[0].StudyDate = shifted(STUDY_DATE)

    assert verdict_of(claimed, [source]).passed
    assert kinds(verdict_of(kept, [source])) == kinds(verdict_of(both, [source])) == {"date-not-moved"}
    assert kinds(verdict_of(moved, [source])) == {"dates-torn"}
    del source.LongitudinalTemporalInformationModified
    assert kinds(verdict_of(claimed, [source])) == {"date-not-moved", "marker-missing"}


def test_dates_that_the_source_left_unmodified_are_not_believed() -> None:
    source = ct()
    source.LongitudinalTemporalInformationModified = "UNMODIFIED"

    def change(outputs: Outputs) -> None:
        _claim(outputs, "UNMODIFIED")
        unmoved(outputs[0], source)

    def claimed(outputs: Outputs) -> None:
        change(outputs)
        claim(outputs[0], "113100", "113106", "113111")

    assert kinds(verdict_of(change, [source])) == {"date-not-moved"}
    assert verdict_of(claimed, [source]).passed
    method = rewritten(source).DeidentificationMethodCodeSequence
    method[0].CodeValue = "113106"
    source.DeidentificationMethodCodeSequence = method
    assert "date-not-moved" in kinds(verdict_of(claimed, [source]))


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("2017", "2016", ""),
        ("201703", "201601", ""),
        ("201703+0100", "201601+0100", ""),
        ("2017", "2017", "date-not-moved"),
        ("201703", "201703", "date-not-moved"),
        ("774190", "774190", "date-not-moved"),
        ("774190", "764190", "date-not-moved"),
        ("2017", "2018", "dates-torn"),
        ("201703", "2016", "dates-torn"),
        ("201703+0100", "201601+0200", "dates-torn"),
        ("201703", "nobody", "date-not-moved"),
    ],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR DT")
def test_a_date_time_without_a_day_moves_too(old: str, new: str, kind: str) -> None:
    source = ct()
    source.AcquisitionDateTime = old

    def change(outputs: Outputs) -> None:
        outputs[0].AcquisitionDateTime = new

    assert kinds(verdict_of(change, [source])) == ({kind} if kind else set())


def _flip(output: FileDataset) -> None:
    output.PixelData = bytes([output.PixelData[0] ^ 1]) + output.PixelData[1:]


def _drop_pixels(output: FileDataset) -> None:
    del output.PixelData


def _round(output: FileDataset) -> None:
    output.PixelSpacing = ["0.8", "0.8"]


def _drop_spacing(output: FileDataset) -> None:
    del output.PixelSpacing


def _turn_shape(output: FileDataset) -> None:
    output.Rows, output.Columns = 2, 8


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (_flip, "(7FE0,0010)"),
        (_drop_pixels, "(7FE0,0010)"),
        (_round, "(0028,0030)"),
        (_drop_spacing, "(0028,0030)"),
        (_turn_shape, "(0028,0010)"),
    ],
)
def test_a_changed_picture_is_seen(change: Callable[[FileDataset], None], path: str) -> None:
    verdict = verdict_of(lambda outputs: change(outputs[0]))
    assert kinds(verdict) == {"pixels-differ"}
    assert path in {item.path for item in verdict.findings}


def _with_measures() -> FileDataset:
    source = ct()
    group, measures = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = ["0.75", "0.75"], "2.5"
    group.PixelMeasuresSequence = [measures]
    source.SharedFunctionalGroupsSequence = [group]
    return source


def test_the_geometry_of_a_sequence_that_went_is_missed() -> None:
    def emptied(outputs: Outputs) -> None:
        outputs[0].SharedFunctionalGroupsSequence[0].PixelMeasuresSequence = []

    def removed(outputs: Outputs) -> None:
        del outputs[0].SharedFunctionalGroupsSequence

    def bared(outputs: Outputs) -> None:
        del outputs[0].SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing

    assert kinds(verdict_of(emptied, [_with_measures()])) == {"value-lost"}
    assert kinds(verdict_of(removed, [_with_measures()])) == {"value-lost"}
    assert kinds(verdict_of(bared, [_with_measures()])) == {"pixels-differ"}


def test_a_changed_geometry_inside_of_a_sequence_is_seen() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness = "3"

    verdict = verdict_of(change, [_with_measures()])
    assert {(item.kind, item.path) for item in verdict.findings} == {
        ("pixels-differ", "(5200,9229)[1].(0028,9110)[1].(0018,0050)")
    }


def test_a_date_may_go_with_its_attribute_or_its_sequence() -> None:
    def change(outputs: Outputs) -> None:
        del outputs[0].AcquisitionDateTime
        del outputs[0].RequestAttributesSequence

    assert verdict_of(change, [ct()]).passed


def test_two_slices_with_exchanged_pixels_are_seen() -> None:
    def change(outputs: Outputs) -> None:
        first, second = outputs[:2]
        first.PixelData, second.PixelData = second.PixelData, first.PixelData

    assert len([item for item in verdict_of(change).findings if item.kind == "pixels-differ"]) == 2


def test_a_decimal_may_be_written_in_another_way() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].SliceThickness = "2.50"

    assert verdict_of(change).passed


def test_a_big_endian_source_may_become_a_little_endian_output() -> None:
    source = ct()
    output = as_bytes(rewritten(source))
    words = source.PixelData
    source.PixelData = b"".join(words[at : at + 2][::-1] for at in range(0, len(words), 2))
    assert judged([(big_endian(source), output)]).passed
    source.PixelData = words
    assert kinds(judged([(big_endian(source), output)])) == {"pixels-differ"}
