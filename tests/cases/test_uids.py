"""UIDs: one pseudonym for each, wherever it stands, and none for what the standard gave away (cases 66 to 74)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache

import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary  # type: ignore[attr-defined]  # untyped there

from deployments.demo import studies
from tests import samples
from tests.cases import PROFILES, case, clean, engine, in_both_profiles, read, released
from tests.samples import (
    CONTENT,
    EXPLICIT,
    IMPLICIT,
    REFERENCED_IMAGES,
    UNLISTED_SEQUENCE,
    How,
    code,
    element,
    item,
    sequence,
    tag,
)

SOURCE = "1.2.826.0.1.3680043.10.990.1.1.7"
KEEPS_UIDS = "retain_uids"
VALID = re.compile(r"(?=.{1,64}$)[0-2](\.(0|[1-9][0-9]*))+")


def pseudonym(number: str, profile: str = "research") -> str:
    return engine(profile).pseudonyms.uid(number)


# Where one UID can stand: each is a place in a CT image for an element of VR UI.
PLACES: dict[str, Callable[[How], list[bytes]]] = {
    "the instance itself": lambda how: [element(0x00080018, "UI", SOURCE, how)],
    "a reference": lambda how: [
        sequence(REFERENCED_IMAGES, item(element(0x00081155, "UI", SOURCE, how), how=how), how=how)
    ],
    "a reference in items of undefined length": lambda how: [
        sequence(
            REFERENCED_IMAGES,
            item(element(0x00081155, "UI", SOURCE, how), how=how, undefined=True),
            how=how,
            undefined=True,
        )
    ],
    "UN": lambda how: [element(tag("FrameOfReferenceUID"), "UN", SOURCE, how)],
    "a sequence in UN": lambda _how: [
        sequence(REFERENCED_IMAGES, item(element(0x00081155, "UI", SOURCE, IMPLICIT), how=IMPLICIT), vr="UN")
    ],
    "LO instead of UI": lambda how: [element(tag("FrameOfReferenceUID"), "LO", SOURCE, how)],
    "the source of a concatenation": lambda how: [
        element(tag("SOPInstanceUIDOfConcatenationSource"), "UI", SOURCE, how)
    ],
    "the source of a multi-frame object": lambda how: [
        sequence(
            UNLISTED_SEQUENCE, item(element(tag("MultiFrameSourceSOPInstanceUID"), "UI", SOURCE, how), how=how), how=how
        )
    ],
    "a list": lambda how: [element(tag("IrradiationEventUID"), "UI", f"1.2.3\\{SOURCE}\\1.2.4", how)],
    "an annotation group": lambda how: [
        sequence(UNLISTED_SEQUENCE, item(element(tag("AnnotationGroupUID"), "UI", SOURCE, how), how=how), how=how)
    ],
    "a selector": lambda how: [
        sequence(UNLISTED_SEQUENCE, item(element(tag("SelectorUIValue"), "UI", SOURCE, how), how=how), how=how)
    ],
}


@case(66)
@in_both_profiles
@pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
@pytest.mark.parametrize("name", PLACES)
def test_one_uid_has_one_pseudonym_wherever_it_stands(name: str, how: How, profile: str) -> None:
    if name in {"UN", "a sequence in UN", "LO instead of UI"} and how == IMPLICIT:
        how = EXPLICIT  # implicit VR has no way to say so
    found = clean(samples.ct(*PLACES[name](how), how=how), SOURCE, profile=profile)
    expected = pseudonym(SOURCE, profile)
    assert expected == pseudonym(SOURCE, "basic")
    values = {value for _, value in uids(read(found))}
    left_out = {"an annotation group"}  # coded D, and no CT image defines it: it goes (Table E.1-1, Note 13)
    assert expected in values or name in left_out


@case(66)
@in_both_profiles
def test_the_file_meta_has_the_pseudonym_too(profile: str) -> None:
    found = read(released(samples.ct(), profile))
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID == pseudonym(samples.INSTANCE)


@case(66)
@in_both_profiles
def test_a_uid_that_a_report_names_is_the_one_of_the_image(profile: str) -> None:
    reference = item(element(0x00081150, "UI", str(uid.CTImageStorage)), element(0x00081155, "UI", SOURCE))
    data = samples.report(element(tag("UID"), "UI", SOURCE), sequence(tag("ReferencedSOPSequence"), reference))
    (content,) = read(clean(data, SOURCE, profile=profile))[CONTENT].value
    assert content.UID == content.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == pseudonym(SOURCE)


@case(66)
def test_a_uid_in_a_listed_private_attribute_is_the_one_of_the_image() -> None:
    private = [
        element(0x00990010, "LO", "NQHeader"),
        element(0x00991001, "UI", SOURCE),
        element(0x00991002, "UN", SOURCE),
    ]
    data = samples.ct(*private, element(0x00080018, "UI", SOURCE))
    found = read(clean(data, SOURCE, profile="retain_safe_private"))
    assert found[0x00991001].value == found[0x00991002].value == found.SOPInstanceUID == pseudonym(SOURCE)
    assert 0x00991001 not in read(clean(data, SOURCE, profile="basic"))


def series() -> list[bytes]:
    """Return instances that name each other, in several encodings."""
    files = []
    for number in range(1, 7):
        how = (EXPLICIT, IMPLICIT, samples.BIG)[number % 3]
        others = [
            item(element(0x00081155, "UI", f"{samples.SERIES}.{other}", how), how=how)
            for other in range(1, 7)
            if other != number
        ]
        files.append(
            samples.ct(
                element(0x00080018, "UI", f"{samples.SERIES}.{number}", how),
                sequence(REFERENCED_IMAGES, *others, how=how, undefined=number % 2 == 0),
                element(tag("SliceLocation"), "DS", str(number), how),
                how=how,
            )
        )
    return files


IN_ANOTHER_PROCESS = """
import hashlib, json
from tests import samples
from tests.cases.test_uids import series
made = samples.anonymizer()
print(json.dumps([hashlib.sha256(made.anonymize(one).data).hexdigest() for one in reversed(series())]))
"""


@case(67)
def test_other_processes_and_other_orders_give_the_same_bytes() -> None:
    ways = [
        subprocess.run([sys.executable, "-c", IN_ANOTHER_PROCESS], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    forth = [json.loads(one)[::-1] for one in ways]
    here = samples.anonymizer()
    shuffled = {}
    for one in sorted(series(), key=lambda data: data[::-1]):
        shuffled[one] = here.anonymize(one).report.sha256  # type: ignore[union-attr]  # fails where it is held
    assert forth[0] == forth[1] == [shuffled[one] for one in series()]
    assert len(set(forth[0])) == 6


GIVEN_AWAY = {
    number: entry
    for number, entry in UID_dictionary.items()
    if entry[1]
    in {
        "Well-known frame of reference",
        "Well-known SOP Instance",
        "Synchronization Frame of Reference",
        "Coding Scheme",
        "Mapping Resource",
        "SOP Class",
        "Transfer Syntax",
    }
}


@case(68)
@in_both_profiles
@pytest.mark.parametrize(
    ("keyword", "kind"),
    [
        ("FrameOfReferenceUID", "Well-known frame of reference"),
        ("SynchronizationFrameOfReferenceUID", "Synchronization Frame of Reference"),
        ("ReferencedColorPaletteInstanceUID", "Well-known SOP Instance"),
        ("ReferencedSOPInstanceUID", "Well-known SOP Instance"),
        ("CodingSchemeUID", "Coding Scheme"),
        ("MappingResourceUID", "Mapping Resource"),
        ("ReferencedSOPClassUID", "SOP Class"),
        ("SOPClassesInStudy", "SOP Class"),
        ("StoredInstanceTransferSyntaxUID", "Transfer Syntax"),
        ("AvailableTransferSyntaxUID", "Transfer Syntax"),
    ],
)
def test_what_the_standard_registered_is_kept(keyword: str, kind: str, profile: str) -> None:
    kept = [number for number, entry in GIVEN_AWAY.items() if entry[1] == kind]
    assert kept
    inside = [item(element(tag(keyword), "UI", number)) for number in kept]
    found = read(released(samples.ct(sequence(UNLISTED_SEQUENCE, *inside)), profile))
    assert [str(one[keyword].value) for one in found[UNLISTED_SEQUENCE].value] == kept


@case(68)
@in_both_profiles
def test_an_atlas_that_an_image_stands_in_is_kept_at_the_top_too(profile: str) -> None:
    data = samples.ct(
        element(tag("FrameOfReferenceUID"), "UI", "1.2.840.10008.1.4.1.1"),
        element(tag("SynchronizationFrameOfReferenceUID"), "UI", "1.2.840.10008.15.1.1"),
    )
    found = read(released(data, profile))
    assert found.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"
    assert found.SynchronizationFrameOfReferenceUID == "1.2.840.10008.15.1.1"
    assert found.SOPClassUID == uid.CTImageStorage


ODD = {
    "leading zeros": "1.2.840.0113619.007.7741902",
    "a trailing dot": "1.2.840.113619.7741902.",
    "a leading dot": ".1.2.840.113619.7741902",
    "two dots": "1.2..840.113619.7741902",
    "65 characters": "1.2.840.113619." + "7741902" * 7 + "7",
    "100 characters": "1.2.840.113619." + "7741902" * 12 + "7",
    "a first arc that is none": "9.9.7741902",
    "letters": "1.2.840.MRN.7741902",
    "one component": "7741902",
    "a minus": "1.2.840.-7741902",
}


@case(69)
@in_both_profiles
@pytest.mark.parametrize("name", ODD)
def test_a_uid_that_is_none_becomes_a_valid_one_and_always_the_same(name: str, profile: str) -> None:
    odd = ODD[name]
    reference = sequence(REFERENCED_IMAGES, item(element(0x00081155, "UI", odd)))
    data = samples.ct(element(0x00080018, "UI", odd), element(tag("FrameOfReferenceUID"), "UI", odd), reference)
    found = read(clean(data, "7741902", profile=profile))
    assert VALID.fullmatch(found.SOPInstanceUID)
    assert found.SOPInstanceUID == found.FrameOfReferenceUID == pseudonym(odd)
    assert found.ReferencedImageSequence[0].ReferencedSOPInstanceUID == found.SOPInstanceUID
    assert len({pseudonym(one) for one in ODD.values()}) == len(ODD)


@case(70)
@in_both_profiles
@pytest.mark.parametrize(
    "fake",
    [
        "1.2.840.10008.7741902",
        "1.2.840.10008.1.4.1.7741902",
        "1.2.840.10008.5.1.4.1.1.2.7741902",
        "1.2.840.10008.1.2.7741902",
        "1.2.840.10008.15.1.1.7741902",
    ],
)
def test_a_number_that_only_begins_like_the_standards_own_is_replaced(fake: str, profile: str) -> None:
    keywords = ["SOPInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"]
    nested = [
        "ReferencedSOPClassUID",
        "CodingSchemeUID",
        "MappingResourceUID",
        "ContextUID",
        "ReferencedSOPInstanceUID",
    ]
    inside = item(*samples.merged([], (element(tag(keyword), "UI", fake) for keyword in nested)))
    data = samples.ct(*(element(tag(one), "UI", fake) for one in keywords), sequence(UNLISTED_SEQUENCE, inside))
    found = read(clean(data, "7741902", profile=profile))
    assert {str(found[keyword].value) for keyword in keywords} == {pseudonym(fake)}
    (left,) = found[UNLISTED_SEQUENCE].value
    assert left.ReferencedSOPInstanceUID == pseudonym(fake)
    assert {str(one.value) for one in left} == {pseudonym(fake)}


@case(71)
@in_both_profiles
def test_a_reference_to_what_nobody_sent_dangles_under_the_name_that_it_will_have(profile: str) -> None:
    later = "1.2.826.0.1.3680043.10.990.5.1.1"
    pointing = samples.ct(sequence(REFERENCED_IMAGES, item(element(0x00081155, "UI", later))))
    (reference,) = read(clean(pointing, later, profile=profile)).ReferencedImageSequence
    arrived = read(released(samples.ct(element(0x00080018, "UI", later)), profile))
    assert reference.ReferencedSOPInstanceUID == arrived.SOPInstanceUID
    assert reference.ReferencedSOPInstanceUID != read(released(samples.ct(), profile)).SOPInstanceUID


# Where Source Image Sequence or Referenced Image Sequence is of Type 1C, 2 or 3, or not defined at all.
KINDS = (
    "CTImageStorage",
    "MRImageStorage",
    "EnhancedMRImageStorage",
    "SegmentationStorage",
    "NuclearMedicineImageStorage",
)


@case(72)
@in_both_profiles
@pytest.mark.parametrize("keyword", ["ReferencedImageSequence", "SourceImageSequence"])
@pytest.mark.parametrize("kind", KINDS)
def test_references_to_images_stay_in_every_object_with_their_uids_replaced(
    kind: str, keyword: str, profile: str
) -> None:
    """X/Z/U* would let them go where they are optional; references hold in every output, so they stay."""
    sop_class = str(getattr(uid, kind))
    reference = item(
        element(0x00081150, "UI", str(uid.CTImageStorage)),
        element(0x00081155, "UI", SOURCE),
        element(tag("ReferencedFrameNumber"), "IS", "3"),
    )
    elements = [*samples.common(sop_class=sop_class), *samples.picture()]
    data = samples.file(samples.merged(elements, [sequence(tag(keyword), reference)]), sop_class=sop_class)
    (left,) = read(clean(data, SOURCE, profile=profile))[keyword].value
    assert left.ReferencedSOPInstanceUID == pseudonym(SOURCE)
    assert (left.ReferencedSOPClassUID, left.ReferencedFrameNumber) == (uid.CTImageStorage, 3)


@cache
def treatment() -> tuple[Dataset, ...]:
    """Return a CT series and everything that can point at it, and at each other."""
    scan = studies.ct(7, 1, 1, 3, rows=8)
    structures = studies.structure_set(7, 1, 2, scan)
    plan = studies.plan(7, 1, 3, structures)
    return (
        *scan,
        structures,
        plan,
        studies.dose(7, 1, 4, plan, structures),
        studies.segmentation(7, 1, 5, scan),
        studies.report(7, 1, 6, scan),
        studies.key_objects(7, 1, 7, scan),
        studies.presentation(7, 1, 8, scan),
        studies.registration(7, 1, 9, scan, fixed_frame="1.2.840.10008.1.4.1.1"),
    )


def uids(at: Dataset, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield where each UID of a data set stands, and the UID."""
    for one in at:
        here = f"{path}/{one.tag}"
        if one.VR == "SQ":
            for number, inside in enumerate(one.value):
                yield from uids(inside, f"{here}[{number}]")
        elif one.VR == "UI" and one.value:
            for number, value in enumerate([one.value] if isinstance(one.value, str) else one.value):
                yield f"{here}.{number}", str(value)


Edge = tuple[str, str, str]


def graph(objects: Iterable[Dataset]) -> set[Edge]:
    """Return which object names which other UID, and where."""
    return {(str(one.SOPInstanceUID), path, value) for one in objects for path, value in uids(one)}


@case(73)
@in_both_profiles
def test_the_graph_of_references_is_the_same_graph_afterwards(profile: str) -> None:
    sources = list(treatment())
    assert {one.Modality for one in sources} == {"CT", "RTSTRUCT", "RTPLAN", "RTDOSE", "SEG", "SR", "KO", "PR", "REG"}
    outputs = [read(released(studies.to_bytes(one), profile)) for one in sources]
    before, after = graph(sources), graph(outputs)
    renamed = {one: pseudonym(one) for edge in before for one in (edge[0], edge[2])}
    assert len(set(renamed.values())) == len(renamed)
    assert after <= {(renamed[one], path, renamed[other]) for one, path, other in before}
    instances = {str(one.SOPInstanceUID) for one in sources}
    pointing = {edge for edge in before if edge[2] in instances and edge[2] != edge[0]}
    assert len(pointing) > 40
    lost = {edge for edge in pointing if (renamed[edge[0]], edge[1], renamed[edge[2]]) not in after}
    assert lost == set()


@case(73)
@in_both_profiles
def test_frames_of_reference_series_and_studies_hang_together_as_before(profile: str) -> None:
    sources = list(treatment())
    outputs = [read(released(studies.to_bytes(one), profile)) for one in sources]
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        was = [str(one.get(keyword)) for one in sources]
        now = [str(one.get(keyword)) for one in outputs]
        assert [was.index(one) for one in was] == [now.index(one) for one in now]


@case(74)
def test_where_uids_are_retained_those_of_content_items_and_signatures_are_replaced_all_the_same() -> None:
    concept = sequence(tag("ConceptNameCodeSequence"), code("112040", "DCM", "Tracking Unique Identifier"))
    signature = sequence(0xFFFAFFFA, item(element(0x04000100, "UI", f"{SOURCE}.9")))
    image = samples.ct(
        element(tag("FrameOfReferenceUID"), "UI", SOURCE),
        sequence(REFERENCED_IMAGES, item(element(0x00081155, "UI", SOURCE))),
        sequence(UNLISTED_SEQUENCE, item(element(0x04000100, "UI", f"{SOURCE}.9"))),
        signature,
    )
    found = read(clean(image, f"{SOURCE}.9", profile=KEEPS_UIDS))
    assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID == samples.INSTANCE
    assert (found.StudyInstanceUID, found.SeriesInstanceUID) == (samples.STUDY, samples.SERIES)
    assert found.FrameOfReferenceUID == found.ReferencedImageSequence[0].ReferencedSOPInstanceUID == SOURCE
    report = samples.report(concept, element(tag("UID"), "UI", SOURCE))
    (content,) = read(clean(report, SOURCE, profile=KEEPS_UIDS))[CONTENT].value
    replaced = pseudonym(SOURCE)
    assert content.get("UID") == replaced
    assert read(released(report, KEEPS_UIDS)).SOPInstanceUID == samples.INSTANCE


@case(74)
def test_no_other_option_retains_a_uid() -> None:
    for profile in (*PROFILES, "retain_device_identity", "retain_institution_identity", "retain_safe_private"):
        clean(samples.ct(), samples.INSTANCE, samples.STUDY, profile=profile)
