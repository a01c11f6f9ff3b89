"""UIDs, subjects and markers, as the gate sees them."""

from __future__ import annotations

import pickle

import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian, RTPlanStorage

from anonymizer.gate import examine, reading
from tests.gate_samples import (
    as_bytes,
    big_endian,
    ct,
    deflated,
    judged,
    kinds,
    pseudonym,
    rewritten,
    structure_set,
    study,
    verdict_of,
)

Outputs = list[FileDataset]


def test_a_clean_study_passes() -> None:
    verdict = verdict_of(lambda outputs: None)
    assert verdict.passed
    assert verdict.checks["instances"] == verdict.checks["searched"] == 4
    assert verdict.checks["uids"] > 40
    assert verdict.checks["pixels"] == 3


def test_two_clean_studies_of_one_patient_pass_together() -> None:
    sources = [ct(study=1), ct(study=2)]
    assert verdict_of(lambda outputs: None, sources).passed


def test_a_deflated_source_may_become_a_plain_output() -> None:
    source = ct()
    assert judged([(deflated(source), as_bytes(rewritten(source)))]).passed


def test_the_order_of_adding_does_not_matter() -> None:
    def change(outputs: Outputs) -> None:
        outputs[1].StudyInstanceUID = pseudonym("another")

    def turned(outputs: Outputs) -> None:
        change(outputs[::-1])

    sources = study()[:3]
    assert verdict_of(change, sources) == verdict_of(turned, sources[::-1])


def test_one_series_with_two_pseudonyms_is_a_split() -> None:
    def change(outputs: Outputs) -> None:
        outputs[1].SeriesInstanceUID = pseudonym("another")

    finding = next(item for item in verdict_of(change).findings if item.kind == "uid-split")
    assert finding.path == "(0020,000E)"


def test_a_split_in_a_private_attribute_is_seen() -> None:
    def change(outputs: Outputs) -> None:
        outputs[1][0x0009, 0x1001].value = pseudonym("another")

    sources = [ct(), ct()]
    assert kinds(verdict_of(change, sources)) == {"uid-split"}


def test_a_file_meta_uid_that_was_not_updated_is_seen() -> None:
    source = ct()
    output = as_bytes(rewritten(source))
    uid = pseudonym(source.SOPInstanceUID).encode()
    other = uid[:-1] + bytes([uid[-1] ^ 1])
    assert kinds(judged([(as_bytes(source), output.replace(uid, other, 1))])) == {"uid-split"}


def test_two_instances_with_one_pseudonym_are_merged() -> None:
    def change(outputs: Outputs) -> None:
        uid = outputs[1].SOPInstanceUID
        outputs[0].SOPInstanceUID = outputs[0].file_meta.MediaStorageSOPInstanceUID = uid

    assert "uids-merged" in kinds(verdict_of(change, study()[:3]))


def test_a_kept_uid_is_seen_at_any_depth() -> None:
    source = structure_set([ct()])

    def change(outputs: Outputs) -> None:
        in_study = outputs[0].ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence[0]
        in_study.ReferencedSOPInstanceUID = source.StudyInstanceUID

    verdict = verdict_of(change, [source])
    for kind in ("uid-kept", "identifier-left"):
        finding = next(item for item in verdict.findings if item.kind == kind)
        assert finding.path == "(3006,0010)[1].(3006,0012)[1].(0008,1155)"


def test_a_kept_uid_in_an_encoded_sequence_of_unknown_vr_is_seen() -> None:
    source = ct()
    item = b"\x08\x00\x55\x11\x0a\x00\x00\x001.2.3.4.55"
    source.add_new(0x00091005, "UN", b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item)

    def change(outputs: Outputs) -> None:
        outputs[0][0x0009, 0x1005].value = source[0x0009, 0x1005].value

    verdict = verdict_of(change, [source])
    assert "(0009,1005)[1].(0008,1155)" in {item.path for item in verdict.findings if item.kind == "uid-kept"}


def test_an_encoded_sequence_of_unknown_vr_is_little_endian_in_a_big_endian_file_too() -> None:
    source = ct()
    del source.PixelData
    item = b"\x08\x00\x55\x11\x0a\x00\x00\x001.2.3.4.55"
    source.add_new(0x00091005, "UN", b"\xfe\xff\x00\xe0" + len(item).to_bytes(4, "little") + item)
    source.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    output = rewritten(source)
    assert judged([(big_endian(source), big_endian(output))]).passed
    output[0x0009, 0x1005].value = source[0x0009, 0x1005].value
    verdict = judged([(big_endian(source), big_endian(output))])
    assert "(0009,1005)[1].(0008,1155)" in {item.path for item in verdict.findings if item.kind == "uid-kept"}


def test_an_item_in_implicit_vr_is_read_though_its_first_length_looks_like_a_vr() -> None:
    source = ct()
    source.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    item = Dataset()
    item.LongCodeValue = "x" * int.from_bytes(b"LO", "little")
    item.ReferencedSOPInstanceUID = source.StudyInstanceUID
    source.ReferencedStudySequence = [item]
    assert verdict_of(lambda outputs: None, [source]).passed


def test_a_registered_uid_must_stay() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].SOPClassUID = outputs[0].file_meta.MediaStorageSOPClassUID = RTPlanStorage

    assert kinds(verdict_of(change)) == {"registered-uid-changed"}


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.8.1", "1.2.840.10008.1.2.4.110"])
def test_a_registered_uid_that_pydicom_does_not_know_must_stay(syntax: str) -> None:
    source = ct()
    source.AvailableTransferSyntaxUID = UID(syntax)

    def change(outputs: Outputs) -> None:
        outputs[0].AvailableTransferSyntaxUID = UID("2.25.12345")

    assert verdict_of(lambda outputs: None, [source]).passed
    assert kinds(verdict_of(change, [source])) == {"registered-uid-changed"}


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_an_invalid_uid_is_seen() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0][0x0009, 0x1001].value = "1.02.3"

    assert kinds(verdict_of(change)) == {"uid-invalid"}


def test_a_uid_that_no_source_explains_is_seen() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].IrradiationEventUID = UID("2.25.12345")

    assert kinds(verdict_of(change)) == {"uid-not-mapped"}


def test_a_new_registered_uid_is_allowed() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].MappingResourceUID = UID("1.2.840.10008.8.1.1")

    assert verdict_of(change).passed


def test_a_uid_that_became_a_registered_one_is_seen() -> None:
    source = ct()

    def change(outputs: Outputs) -> None:
        outputs[0][0x0009, 0x1001].value = UID("1.2.840.10008.1.4.1.1")

    verdict = verdict_of(change, [source])
    assert {(item.kind, item.path) for item in verdict.findings} == {("uid-not-mapped", "(0009,1001)")}


def test_two_patients_in_one_study_are_seen() -> None:
    sources = study()
    sources[1].PatientID = "MRN-0000001"
    assert "two-patients" in kinds(verdict_of(lambda outputs: None, sources))


def test_a_patient_and_nobody_in_one_study_are_two() -> None:
    sources = study()
    sources[1].PatientID = ""

    def change(outputs: Outputs) -> None:
        outputs[1].PatientID = outputs[0].PatientID

    assert kinds(verdict_of(change, sources)) == {"two-patients"}


def test_one_patient_id_of_two_issuers_is_two_patients() -> None:
    sources = study()
    sources[0].IssuerOfPatientID, sources[1].IssuerOfPatientID = "NORTH", "SOUTH"
    assert kinds(verdict_of(lambda outputs: None, sources)) == {"two-patients"}


def test_one_patient_without_an_issuer_here_and_there_is_one() -> None:
    sources = study()
    sources[0].IssuerOfPatientID = "NORTH"
    assert verdict_of(lambda outputs: None, sources).passed


def test_two_patients_with_one_pseudonym_are_seen() -> None:
    sources = [ct(study=1), ct(study=2)]
    sources[1].PatientID = "MRN-0000001"

    def change(outputs: Outputs) -> None:
        outputs[1].PatientID = outputs[0].PatientID

    assert kinds(verdict_of(change, sources)) == {"two-patients"}


def test_an_output_has_to_say_that_it_was_deidentified() -> None:
    def change(outputs: Outputs) -> None:
        outputs[0].PatientIdentityRemoved = "NO"
        outputs[1].DeidentificationMethodCodeSequence = Sequence([])
        del outputs[2].LongitudinalTemporalInformationModified

    verdict = verdict_of(change)
    paths = {item.path for item in verdict.findings if item.kind == "marker-missing"}
    assert paths == {"(0012,0062)", "(0012,0064)", "(0028,0303)"}


def test_an_output_that_is_no_dicom_is_a_finding_and_no_exception() -> None:
    verdict = judged([(as_bytes(ct()), b"no DICOM")])
    assert kinds(verdict) == {"unreadable"}


def test_a_source_that_is_no_dicom_is_a_finding_that_names_the_output() -> None:
    output = rewritten(ct())
    verdict = judged([(b"", as_bytes(output))])
    assert kinds(verdict) == {"unreadable"}
    assert {item.instance for item in verdict.findings} == {output.SOPInstanceUID}


def test_a_truncated_output_is_unreadable() -> None:
    source = ct()
    verdict = judged([(as_bytes(source), as_bytes(rewritten(source))[:-4])])
    assert kinds(verdict) == {"unreadable"}


def test_a_tag_that_stands_twice_is_unreadable() -> None:
    source = ct()
    twice = as_bytes(rewritten(source)) + b"\x10\x00\x20\x00LO\x04\x00DEID"
    assert kinds(judged([(as_bytes(source), twice)])) == {"unreadable"}


def test_a_deflated_data_set_that_would_fill_the_memory_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ct()
    pair = (as_bytes(source), deflated(rewritten(source)))
    assert judged([pair]).passed

    monkeypatch.setattr(reading, "_LARGEST_INFLATED", 1000)

    found = judged([pair]).findings
    assert {one.kind for one in found} == {"unreadable"}
    assert all("TooLargeError" in one.rule for one in found)


def test_sequences_too_deep_to_walk_are_unreadable() -> None:
    source = ct()
    deep = b""
    for _ in range(5000):
        deep = b"\x40\x00\x30\xa7" + (len(deep) + 8).to_bytes(4, "little") + _item(deep)
    source.add_new(0x0040A730, "UN", _item(deep))
    source_bytes = as_bytes(source)
    assert {item.kind for item in examine(source_bytes, source_bytes).flaws} == {"unreadable"}


def test_evidence_shows_nothing_of_the_patient_when_printed() -> None:
    source = ct()
    evidence = examine(as_bytes(source), as_bytes(rewritten(source)))
    assert evidence.instance in repr(evidence)
    assert source.StudyInstanceUID not in repr(evidence)
    assert "Quillfeather" not in repr(evidence)


def test_evidence_travels_between_processes() -> None:
    source = ct()
    evidence = examine(as_bytes(source), as_bytes(rewritten(source)))
    assert pickle.loads(pickle.dumps(evidence)) == evidence  # noqa: S301 - our own bytes


def test_a_clean_source_with_a_checksum_behind_its_deflated_data_set_passes() -> None:
    source = ct()
    assert judged([(deflated(source) + b"12345678", as_bytes(rewritten(source)))]).passed


def _item(content: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content
