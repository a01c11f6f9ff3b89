"""What no output may have whatever it claims, and private attributes, which stand by a claim only."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from tests.gate_samples import claim, ct, kinds, rewritten, shifted, structure_set, verdict_of

Outputs = list[FileDataset]


@pytest.mark.parametrize(
    ("keyword", "path"),
    [
        ("IconImageSequence", "(0088,0200)"),
        ("EncryptedAttributesSequence", "(0400,0500)"),
        ("OriginalAttributesSequence", "(0400,0561)"),
        ("ModifiedAttributesSequence", "(0400,0550)"),
        ("NonconformingModifiedAttributesSequence", "(0400,0551)"),
        ("MACParametersSequence", "(4FFE,0001)"),
        ("DigitalSignaturesSequence", "(FFFA,FFFA)"),
    ],
)
@pytest.mark.parametrize("items", [[Dataset()], []])
def test_a_sequence_of_what_was_before_or_was_signed_has_to_go(keyword: str, path: str, items: list[Dataset]) -> None:
    def change(outputs: Outputs) -> None:
        setattr(outputs[0], keyword, Sequence(items))

    assert {(item.kind, item.path) for item in verdict_of(change, [ct()]).findings} == {("left-behind", path)}


@pytest.mark.parametrize(
    ("tag", "vr"),
    [
        (0x00041130, "CS"),
        (0x50000022, "LO"),
        (0x501E3000, "OW"),
        (0x60000010, "US"),
        (0x601E1500, "LO"),
        (0x60FE3000, "OW"),
        (0xFFFCFFFC, "OB"),
    ],
)
def test_directory_records_curves_overlays_and_padding_have_to_go(tag: int, vr: str) -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].add_new(tag, vr, None)

    assert {(item.kind, item.path) for item in verdict_of(change, [ct()]).findings} == {
        ("left-behind", f"({tag >> 16:04X},{tag & 0xFFFF:04X})")
    }


def test_what_has_to_go_is_seen_at_any_depth() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].RequestAttributesSequence[0].IconImageSequence = []

    verdict = verdict_of(change, [ct()])
    assert {(item.kind, item.path) for item in verdict.findings} == {("left-behind", "(0040,0275)[1].(0088,0200)")}


def test_the_preamble_has_to_be_empty() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].preamble = b"II*\0".ljust(128, b"\0")

    verdict = verdict_of(change, [ct()])
    assert {(item.kind, item.path) for item in verdict.findings} == {("left-behind", "")}


@pytest.mark.parametrize(
    ("keyword", "value", "path"),
    [
        ("SourceApplicationEntityTitle", "AE", "(0002,0016)"),
        ("SendingApplicationEntityTitle", "AE", "(0002,0017)"),
        ("ReceivingApplicationEntityTitle", "AE", "(0002,0018)"),
        ("SourcePresentationAddress", "host", "(0002,0026)"),
        ("PrivateInformationCreatorUID", UID("1.2.840.10008.1.1"), "(0002,0100)"),
        ("PrivateInformation", b"\1\2", "(0002,0102)"),
    ],
)
def test_the_file_meta_names_no_application_and_no_address(keyword: str, value: object, path: str) -> None:
    def change(outputs: Outputs) -> None:
        setattr(outputs[0].file_meta, keyword, value)

    verdict = verdict_of(change, [ct()])
    assert ("left-behind", path) in {(item.kind, item.path) for item in verdict.findings}


def _claim_nothing_private(outputs: Outputs) -> None:
    for output in outputs:
        claim(output, "113100", "113107")


def test_a_private_attribute_without_a_claim_is_left() -> None:
    verdict = verdict_of(_claim_nothing_private, [ct()])
    assert {(item.kind, item.path) for item in verdict.findings} == {
        ("private-left", "(0009,0010)"),
        ("private-left", "(0009,1001)"),
        ("private-left", "(0009,1002)"),
    }


def test_an_output_without_private_attributes_needs_no_claim() -> None:
    def change(outputs: Outputs) -> None:
        _claim_nothing_private(outputs)
        outputs[0].remove_private_tags()

    assert verdict_of(change, [ct()]).passed


def test_a_private_attribute_inside_of_a_sequence_is_left_and_its_own_items_are_told_once() -> None:
    source = ct()
    inner, outer = Dataset(), Dataset()
    inner.private_block(0x0011, "SAMPLE VENDOR", create=True).add_new(0x01, "LO", "")
    outer.private_block(0x0011, "SAMPLE VENDOR", create=True).add_new(0x01, "SQ", [inner])
    source.remove_private_tags()
    source.RequestAttributesSequence = [outer]
    left = {item.path for item in verdict_of(_claim_nothing_private, [source]).findings if item.kind == "private-left"}
    assert left == {"(0040,0275)[1].(0011,0010)", "(0040,0275)[1].(0011,1001)"}


def test_the_length_of_a_private_group_is_no_private_attribute() -> None:
    def change(outputs: Outputs) -> None:
        _claim_nothing_private(outputs)
        outputs[0].remove_private_tags()
        outputs[0].add_new(0x00090000, "UL", 0)

    assert verdict_of(change, [ct()]).passed


def test_a_claim_that_the_source_made_lets_no_private_attribute_stand() -> None:
    source = ct()
    claim(source, "113111")
    assert kinds(verdict_of(lambda outputs: None, [source])) == {"private-left"}


def test_a_claim_lets_the_private_attributes_of_its_own_instance_stand() -> None:
    def change(outputs: Outputs) -> None:
        claim(outputs[1], "113100", "113107")

    sources = [ct(instance=1), ct(instance=2)]
    verdict = verdict_of(change, sources)
    assert {(item.kind, item.instance) for item in verdict.findings} == {
        ("private-left", rewritten(sources[1]).SOPInstanceUID)
    }


@pytest.mark.parametrize("vr", ["DA", "DT"])
def test_a_private_date_is_compared_under_the_claim(vr: str) -> None:
    source = ct()
    source.add_new(0x00091003, vr, "20170301")

    def change(weeks: int) -> set[str]:
        def changed(outputs: Outputs) -> None:
            outputs[0].add_new(0x00091003, vr, shifted("20170301", weeks))

        return kinds(verdict_of(changed, [source]))

    assert change(60) == set()
    assert change(0) == {"date-not-moved"}
    assert change(61) == {"dates-torn"}


def test_a_private_uid_is_compared_under_the_claim() -> None:
    source = ct()

    def change(outputs: Outputs) -> None:
        outputs[0][0x0009, 0x1001].value = source[0x0009, 0x1001].value

    assert "uid-kept" in kinds(verdict_of(change, [source]))


def test_an_output_that_tells_its_method_in_words_needs_no_code_and_is_not_believed() -> None:
    source = ct()

    def change(outputs: Outputs) -> None:
        del outputs[0].DeidentificationMethodCodeSequence
        outputs[0].DeidentificationMethod = "Entwash"

    assert kinds(verdict_of(change, [source])) == {"private-left"}
    source.remove_private_tags()
    assert verdict_of(change, [source]).passed

    def retained(outputs: Outputs) -> None:
        change(outputs)
        outputs[0].ImageComments = "station 61234"

    assert kinds(verdict_of(retained, [source])) == {"identifier-left"}


def test_a_sequence_of_codes_without_codes_is_no_better_for_words() -> None:
    source = ct()
    source.remove_private_tags()

    def change(outputs: Outputs) -> None:
        claim(outputs[0])
        outputs[0].DeidentificationMethod = "Entwash"

    assert kinds(verdict_of(change, [source])) == {"marker-missing"}


def test_what_stands_in_original_attributes_only_is_no_reference() -> None:
    sources = [ct(series=1), ct(series=2)]
    before, changed = Dataset(), Dataset()
    before.SeriesInstanceUID = sources[1].SeriesInstanceUID
    changed.ModifiedAttributesSequence = [before]
    sources[0].OriginalAttributesSequence = [changed]

    def change(outputs: Outputs) -> None:
        del outputs[0].OriginalAttributesSequence

    verdict = verdict_of(change, sources)
    assert verdict.passed
    assert verdict.checks["references_removed"] == 1


def test_a_reference_that_stands_elsewhere_too_has_to_hold_though_the_original_attributes_go() -> None:
    sources = [ct(), structure_set([ct()])]
    before, changed = Dataset(), Dataset()
    before.ReferencedSOPInstanceUID = sources[0].SOPInstanceUID
    changed.ModifiedAttributesSequence = [before]
    sources[1].OriginalAttributesSequence = [changed]

    def change(outputs: Outputs) -> None:
        del outputs[1].OriginalAttributesSequence

    def lost(outputs: Outputs) -> None:
        change(outputs)
        outputs[1].ReferencedFrameOfReferenceSequence = []

    assert verdict_of(change, sources).passed
    assert kinds(verdict_of(lost, sources)) == {"reference-lost"}
