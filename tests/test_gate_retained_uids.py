"""UIDs that an output claims to retain: they may stand, their map stays a function, and references close."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID, RTPlanStorage

from tests.gate_samples import CLAIMED, claim, ct, kinds, pseudonym, rewritten, structure_set, study, verdict_of

Outputs = list[FileDataset]


def _retaining(sources: list[FileDataset]) -> list[FileDataset]:
    """Return outputs that have the UIDs of their sources and say so."""
    outputs = []
    for source in sources:
        output = rewritten(source)
        _copy_uids(source, output)
        output.file_meta.MediaStorageSOPInstanceUID = source.SOPInstanceUID
        claim(output, *CLAIMED, "113110")
        outputs.append(output)
    return outputs


def _copy_uids(source: Dataset, output: Dataset) -> None:
    for element in source:
        if element.VR == "UI":
            output[element.tag].value = element.value
        elif element.VR == "SQ" and element.tag in output:
            for before, after in zip(element.value, output[element.tag].value, strict=False):
                _copy_uids(before, after)


def _verdict_kinds(sources: list[FileDataset], outputs: Outputs) -> set[str]:
    def change(clean: Outputs) -> None:
        clean[:] = outputs

    return kinds(verdict_of(change, sources))


def test_retained_uids_pass_and_are_not_searched() -> None:
    sources = study()
    assert _verdict_kinds(sources, _retaining(sources)) == set()


def test_retained_uids_without_the_claim_are_seen() -> None:
    sources = study()
    outputs = _retaining(sources)
    claim(outputs[0], *CLAIMED)
    assert {"uid-kept", "identifier-left"} <= _verdict_kinds(sources, outputs)


def test_retained_uids_by_the_source_s_own_claim_are_seen() -> None:
    source = ct()
    claim(source, "113110")
    assert {"uid-kept", "identifier-left"} <= _verdict_kinds([source], _retaining([source]))


def test_one_uid_retained_here_and_replaced_there_is_a_split() -> None:
    sources = study()
    outputs = _retaining(sources)
    outputs[1].SeriesInstanceUID = pseudonym(sources[1].SeriesInstanceUID)
    assert "uid-split" in _verdict_kinds(sources, outputs)


def test_two_instances_of_which_one_retains_are_torn_apart() -> None:
    sources = study()[:2]
    outputs = [_retaining(sources)[0], rewritten(sources[1])]
    assert "uid-split" in _verdict_kinds(sources, outputs)


def test_two_retained_uids_that_became_one_are_merged() -> None:
    sources = study()[:2]
    outputs = _retaining(sources)
    outputs[1].SOPInstanceUID = outputs[1].file_meta.MediaStorageSOPInstanceUID = sources[0].SOPInstanceUID
    assert "uids-merged" in _verdict_kinds(sources, outputs)


def test_references_have_to_close_where_uids_are_retained() -> None:
    sources = [ct(), structure_set([ct()])]
    outputs = _retaining(sources)
    outputs[1].ReferencedFrameOfReferenceSequence = []
    assert _verdict_kinds(sources, outputs) == {"reference-lost"}


def test_registered_uids_have_to_stay_where_uids_are_retained() -> None:
    sources = [ct()]
    outputs = _retaining(sources)
    outputs[0].SOPClassUID = outputs[0].file_meta.MediaStorageSOPClassUID = RTPlanStorage
    assert _verdict_kinds(sources, outputs) == {"registered-uid-changed"}


def _with_uids_that_always_go(tracked: str) -> FileDataset:
    source, content = structure_set([ct()]), Dataset()
    content.UID, content.DigitalSignatureUID = UID(tracked), UID("1.2.3.4.66")
    source.ContentSequence = [content]
    source.TrackingUID = UID("1.2.3.4.55")
    return source


@pytest.mark.parametrize("keyword", ["UID", "DigitalSignatureUID"])
def test_uids_of_content_items_and_signatures_are_replaced_all_the_same(keyword: str) -> None:
    sources = [_with_uids_that_always_go("1.2.3.4.55")]
    outputs = _retaining(sources)
    kept = outputs[0].ContentSequence[0]
    kept.UID, kept.DigitalSignatureUID = pseudonym("1.2.3.4.55"), pseudonym("1.2.3.4.66")
    assert _verdict_kinds(sources, outputs) == set()
    kept[keyword].value = sources[0].ContentSequence[0][keyword].value
    assert _verdict_kinds(sources, outputs) == {"uid-kept"}


def test_uids_that_are_replaced_all_the_same_have_one_pseudonym_each() -> None:
    sources = [_with_uids_that_always_go("1.2.3.4.55") for _ in range(2)]
    sources[1].SOPInstanceUID = sources[1].file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4.77")
    outputs = _retaining(sources)
    for output in outputs:
        output.ContentSequence[0].UID = pseudonym("1.2.3.4.55")
        output.ContentSequence[0].DigitalSignatureUID = pseudonym("1.2.3.4.66")
    assert _verdict_kinds(sources, outputs) == set()
    outputs[1].ContentSequence[0].UID = pseudonym("another")
    assert _verdict_kinds(sources, outputs) == {"uid-split"}
    outputs[1].ContentSequence[0].UID = UID("1.2.3.4.77")
    assert "uids-merged" in _verdict_kinds(sources, outputs)


def test_a_content_item_that_named_an_instance_no_longer_names_it() -> None:
    image = ct()
    sources = [image, _with_uids_that_always_go(image.SOPInstanceUID)]
    sources[1].ReferencedFrameOfReferenceSequence = []
    outputs = _retaining(sources)
    outputs[1].ContentSequence[0].UID = pseudonym(image.SOPInstanceUID)
    outputs[1].ContentSequence[0].DigitalSignatureUID = pseudonym("1.2.3.4.66")
    assert _verdict_kinds(sources, outputs) == {"reference-lost"}
