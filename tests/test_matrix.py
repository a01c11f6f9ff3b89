"""The matrix: every row of Table E.1-1 at every kind of place, in both encodings, under Basic and under every option.

What has to come out is the oracle's word (:mod:`tests.oracle`), not the engine's. An assertion is a row in a spot of a
file; a test is a file under a profile, and lists every row that fails in it.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid

from anonymizer import Anonymizer, Profile, Released, load_profile
from anonymizer.engine import values
from anonymizer.engine.pseudonyms import Subject
from tests import samples
from tests.oracle import OPTIONS, RESOLUTION, Attribute, Fate, Oracle, Place, Step
from tests.oracle_judge import DUMMIES, Judge, told
from tests.oracle_plants import Plant, Spot, canary, survivors
from tests.oracle_scenes import Scene
from tests.oracle_table import rows, rows_by_tag, vr_of
from tests.oracle_types import PUBLISHED, TABLES, published_types, types_of
from tests.samples import EXPLICIT, IMPLICIT

_DATES = ("retain_longitudinal_full_dates", "retain_longitudinal_modified_dates")
_WITHOUT_DATES = tuple(option for option in OPTIONS if option not in _DATES)
RESEARCH = ("clean_descriptors", _DATES[1], "retain_patient_characteristics", "retain_safe_private")
PROFILES = {
    "basic": (),
    **{option: (option,) for option in OPTIONS},
    "research": RESEARCH,
    "everything, full dates": (*_WITHOUT_DATES, _DATES[0]),
    "everything, modified dates": (*_WITHOUT_DATES, _DATES[1]),
}

# A sequence without a row, one that every IOD has, one of a vendor, one that Table E.3.10-1 lists, and one that is
# newer than the dictionary: without VRs that is what a sequence inside UN comes to.
CT_EXPOSURE, EQUIPMENT = Step(0x00189321), Step(0x0018A001)
PRIVATE, SAFE_PRIVATE = Step(0x00291004, "ZQ VENDOR"), Step(0x2001105F, "Philips Imaging DD 001")
NEWER = Step(0x00100043)
CONTENT, GRAPHICS = Step(samples.CONTENT), Step(0x00700001)
SHARED_GROUPS, FRAME_CONTENT = Step(0x52009229), Step(0x00209111)
REGIONS, OBSERVATIONS = Step(0x30060020), Step(0x30060080)
SEGMENTS = Step(0x00620002)
TOP, IN_GRAPHICS = Spot("top level"), Spot("graphics", (GRAPHICS,))

CT, MR = str(uid.CTImageStorage), str(uid.EnhancedMRImageStorage)
REPORT, STRUCTURES = str(uid.ComprehensiveSRStorage), str(uid.RTStructureSetStorage)
PRESENTATION, SEGMENTATION = str(uid.GrayscaleSoftcopyPresentationStateStorage), str(uid.SegmentationStorage)


def in_both(name: str, sop_class: str, *spots: Spot) -> list[Scene]:
    """Return a scene in explicit and in implicit VR."""
    return [Scene(name, sop_class, how, spots) for how in (EXPLICIT, IMPLICIT)]


def treated() -> list[str]:
    """Return the SOP classes that the engine treats."""
    by_keyword = {entry[4]: number for number, entry in uid.UID_dictionary.items()}  # type: ignore[attr-defined]  # untyped there
    table = tomllib.loads((TABLES / "sop_classes.toml").read_text(encoding="utf-8"))
    return [by_keyword[keyword] for group in table["treated"].values() for keyword in group]


# The five kinds of places of the matrix, and what else may hold a row.
FIVE = [
    *in_both("top level", CT, TOP),
    *in_both("in a sequence", CT, Spot("unlisted", (CT_EXPOSURE,)), Spot("of the IOD", (EQUIPMENT,), undefined=True)),
    *in_both("in a private sequence", CT, Spot("private", (PRIVATE,)), Spot("listed", (SAFE_PRIVATE,))),
    Scene("in UN", CT, EXPLICIT, (Spot("a", (CT_EXPOSURE,), unknown=True), Spot("b", (EQUIPMENT,), True, True))),
    Scene("in UN", CT, IMPLICIT, (Spot("undefined", (NEWER,), undefined=True),)),
    *in_both("in a content item", REPORT, Spot("content", (CONTENT,))),
]
MORE = [
    *in_both(
        "in a private sequence of undefined length",
        CT,
        Spot("private", (PRIVATE,), undefined=True),
        Spot("listed", (SAFE_PRIVATE,), undefined=True),
    ),
    *in_both("in a content item of a content item", REPORT, Spot("content", (CONTENT, CONTENT), undefined=True)),
    Scene("top level, all of it UN", CT, EXPLICIT, (TOP,), unknown=True),
    # Other objects have other Types; how they are encoded changes nothing of that, so once in each way will do.
    *(Scene("top level", one, EXPLICIT, (TOP,)) for one in (MR, REPORT, STRUCTURES, PRESENTATION, SEGMENTATION)),
    Scene("in a functional group", MR, IMPLICIT, (Spot("frame content", (SHARED_GROUPS, FRAME_CONTENT)),)),
    Scene("in regions and observations", STRUCTURES, IMPLICIT, (Spot("a", (REGIONS,)), Spot("b", (OBSERVATIONS,)))),
    Scene("in graphics", PRESENTATION, IMPLICIT, (IN_GRAPHICS,)),
    Scene("in a segment", SEGMENTATION, IMPLICIT, (Spot("segment", (SEGMENTS,)),)),
]
# With descriptions made of words of the vocabulary, under what could let them stay and under what must not.
HARMLESS = [replace(scene, harmless=True) for scene in (*FIVE, *in_both("in graphics", PRESENTATION, IN_GRAPHICS))]
CLEANERS = (
    "basic",
    "clean_descriptors",
    "clean_graphics",
    "clean_structured_content",
    "retain_patient_characteristics",
    "research",
    "everything, modified dates",
)
# Wherever the IOD itself defines an attribute of the table, at any depth.
DEFINED = [
    Scene("wherever defined", sop_class, EXPLICIT)
    for sop_class in (CT, MR, REPORT, STRUCTURES, PRESENTATION, SEGMENTATION)
]


under_every_option = pytest.mark.parametrize("profile", PROFILES)
oracle = cache(Oracle)


def check(scene: Scene, profile: str) -> None:
    """Anonymize a scene and hold what comes out against the oracle."""
    judged(scene, PROFILES[profile], samples.engine(*PROFILES[profile]))


def judged(scene: Scene, options: tuple[str, ...], engine: Anonymizer) -> None:
    result = engine.anonymize(scene.source)
    assert isinstance(result, Released), result
    complaints = Judge(scene, result.data, engine.pseudonyms).complaints(oracle(*options))
    if complaints:
        pytest.fail(told(complaints), pytrace=False)


@under_every_option
@pytest.mark.parametrize("scene", [*FIVE, *MORE], ids=str)
def test_every_row_comes_out_as_the_table_says(scene: Scene, profile: str) -> None:
    check(scene, profile)


@pytest.mark.parametrize("profile", CLEANERS)
@pytest.mark.parametrize("scene", HARMLESS, ids=str)
def test_known_words_stay_only_where_an_option_cleans(scene: Scene, profile: str) -> None:
    check(scene, profile)


@under_every_option
@pytest.mark.parametrize("scene", DEFINED, ids=str)
def test_wherever_the_iod_defines_an_attribute_its_type_decides(scene: Scene, profile: str) -> None:
    check(scene, profile)


@pytest.mark.parametrize("profile", ["basic", "research"])
@pytest.mark.parametrize("sop_class", sorted(treated()), ids=lambda one: uid.UID(one).keyword)
def test_the_types_decide_in_every_object_that_is_treated(sop_class: str, profile: str) -> None:
    check(Scene("wherever defined", sop_class, EXPLICIT), profile)


# Any options together, but the two about dates.
COMBINED = st.sets(st.sampled_from(OPTIONS), min_size=2).filter(lambda options: not options.issuperset(_DATES))


@pytest.mark.parametrize("scene", [FIVE[0], FIVE[9]], ids=str)
@settings(max_examples=40, deadline=None)
@given(options=COMBINED)
def test_options_combine_freely(scene: Scene, options: set[str]) -> None:
    judged(scene, tuple(sorted(options)), samples.anonymizer(Profile.of("combined", options=options)))


def test_every_row_stands_in_five_places_in_two_encodings() -> None:
    asserted = Counter((scene.name, scene.how.explicit) for scene in FIVE for _ in rows_in(scene))
    assert len(asserted) == 10
    assert set(asserted.values()) == {657}
    assert sum(asserted.values()) == 6570


def rows_in(scene: Scene) -> set[int]:
    """Return the rows that stand in every spot of a scene themselves, not only below another."""
    spots = [
        {
            plant.row.number
            for plant in scene.plants
            if plant.row and plant.spot == spot and plant.place.path == spot.path
        }
        for spot in scene.spots
    ]
    return set.intersection(*spots)


# pydicom expects commands in implicit VR, which those of the source are not.
@pytest.mark.filterwarnings("ignore:Expected implicit VR")
@under_every_option
@pytest.mark.parametrize("scene", FIVE, ids=str)
def test_every_assertion_can_fail(scene: Scene, profile: str) -> None:
    """Who keeps everything fails in all that is not to be kept, and who removes everything in the rest."""
    pseudonyms = samples.engine().pseudonyms
    of_another = scene.bare.replace(samples.INSTANCE.encode(), samples.INSTANCE[:-1].encode() + b"2")
    failed = {
        complaint.plant
        for output in (scene.source, of_another)
        for complaint in Judge(scene, output, pseudonyms).complaints(oracle(*PROFILES[profile]))
    }
    assert [str(plant.row) for plant in scene.plants if plant.row and plant not in failed] == []


@pytest.mark.parametrize("scene", [*FIVE, *MORE, *DEFINED], ids=str)
def test_every_canary_is_found_in_the_source(scene: Scene) -> None:
    planted = {plant.canary for plant in scene.plants if plant.canary}
    assert len(planted) > 500
    assert planted <= survivors(scene.source)
    assert not planted - {samples.INSTANCE.encode()} & survivors(scene.bare)


# An attribute of the top level for every fate: in what object, under which options.
FATES = {
    Fate.REMOVED: (CT, "InstitutionName", ()),
    Fate.EMPTY: (CT, "ReferringPhysicianName", ()),
    Fate.DUMMY: (MR, "DeviceSerialNumber", ()),
    Fate.UID: (CT, "FrameOfReferenceUID", ()),
    Fate.PSEUDONYM: (CT, "PatientID", ()),
    Fate.MOVED: (CT, "AcquisitionDateTime", RESEARCH),
    Fate.CAPPED: (CT, "PatientAge", RESEARCH),
    Fate.KEPT: (CT, "PatientSex", RESEARCH),
    Fate.ITEMS: (CT, "ReferencedImageSequence", ()),
}
# Another value that is as valid, for each VR of these.
NEARLY = {"AS": "001D", "DT": "19000102000000", "PN": "DEIDENTIFIED^DOE", "UI": "2.25.1", "CS": "NONE", "LO": "NONE"}


def answers(plant: Plant, subject: Subject) -> dict[Fate, bytes]:
    """Return what an engine could write for an element of the top level: by what the judge has to find in it."""
    pseudonyms, number, vr, text = samples.engine().pseudonyms, plant.attribute.tag, plant.vr, plant.value.decode()
    if vr == "SQ":
        one = samples.item()
        items = {Fate.EMPTY: (), Fate.ITEMS: (one,), Fate.OTHER: (one, one)}
        return {Fate.REMOVED: b"", **{fate: samples.sequence(number, *these) for fate, these in items.items()}}
    values = {
        Fate.EMPTY: "",
        Fate.KEPT: text,
        Fate.OTHER: f"{text}X",
        **({Fate.DUMMY: DUMMIES[vr].decode()} if vr in DUMMIES else {}),
        **({Fate.UID: pseudonyms.uid(text)} if vr == "UI" else {}),
        **({Fate.CAPPED: "090Y"} if vr == "AS" else {}),
        **({Fate.PSEUDONYM: pseudonyms.patient_id(subject)} if number == samples.tag("PatientID") else {}),
    }
    if vr == "DT":
        day = date(int(text[:4]), int(text[4:6]), int(text[6:8])) + timedelta(days=pseudonyms.date_shift(subject))
        values[Fate.MOVED] = f"{day:%Y%m%d}{text[8:]}"
    return {Fate.REMOVED: b"", **{fate: samples.element(number, vr, value) for fate, value in values.items()}}


@pytest.mark.parametrize("fate", FATES, ids=lambda fate: fate.name.lower())
def test_every_wrong_answer_is_told_and_the_right_one_is_not(fate: Fate) -> None:
    sop_class, keyword, options = FATES[fate]
    scene = next(
        one for one in [*FIVE, *MORE] if one.sop_class == sop_class and one.spots == (TOP,) and one.how.explicit
    )
    plant = next(one for one in scene.plants if one.attribute.tag == samples.tag(keyword) and not one.item)
    subject = Subject.of(*scene.subject(()), scene.study)
    own = [one for one in scene.own() if one[:4] != samples.header(plant.attribute.tag, "UN", 0)[:4]]
    objected = set()
    for answer, written in answers(plant, subject).items():
        output = samples.file(samples.merged(own, [written] if written else []), sop_class=sop_class)
        judge = Judge(scene, output, samples.engine().pseudonyms)
        found = [one for one in judge.complaints(oracle(*options)) if one.plant is plant]
        assert judge.fate(plant) is answer
        objected |= {answer} if found else set()
    assert objected == set(answers(plant, subject)) - {fate}


@pytest.mark.parametrize("fate", [one for one in FATES if one not in {Fate.REMOVED, Fate.EMPTY, Fate.ITEMS}])
def test_a_valid_value_that_is_not_the_dummy_is_none(fate: Fate) -> None:
    sop_class, keyword, _ = FATES[fate]
    scene = next(one for one in [*FIVE, *MORE] if one.sop_class == sop_class and one.spots == (TOP,))
    plant = next(one for one in scene.plants if one.attribute.tag == samples.tag(keyword) and not one.item)
    own = [one for one in scene.own() if one[:4] != samples.header(plant.attribute.tag, "UN", 0)[:4]]
    for value, expected in ((NEARLY[plant.vr], Fate.OTHER), (DUMMIES.get(plant.vr, b"").decode(), Fate.DUMMY)):
        output = samples.file(
            samples.merged(own, [samples.element(plant.attribute.tag, plant.vr, value)]), sop_class=sop_class
        )
        if value:
            assert Judge(scene, output, samples.engine().pseudonyms).fate(plant) is expected


def test_the_judge_knows_a_dummy_for_every_vr_that_the_rows_have() -> None:
    vrs = {plant.vr for scene in FIVE for plant in scene.plants}
    assert vrs - set(DUMMIES) == {"OB", "OW", "SQ", "UI", "UN", "US"}
    for scene in FIVE:
        assert [plant.value for plant in scene.plants if plant.value in DUMMIES.values()] == []


def test_the_dummies_of_the_engine_are_the_judges_word_for_word() -> None:
    """Of a VR that no row comes to a dummy in, too: a site's own profile can ask for one of any attribute."""
    assert {vr: values.dummy(vr, canary(vr, 7)) for vr in DUMMIES} == DUMMIES
    assert {values.dummy(vr, b"Quillfeather" * size) for vr in ("OB", "OW") for size in (1, 9)} == {b"\0\0"}
    assert (values.dummy("US", b"\1\2\3\4"), values.dummy("FD", bytes(range(8)))) == (bytes(4), bytes(8))
    assert (values.dummy("DS", b"1.5\\2\\3"), values.dummy("UN", b"Quillfeather")) == (b"0\\0\\0", None)


def test_a_canary_that_moved_elsewhere_is_told() -> None:
    scene = FIVE[0]
    plant = next(one for one in scene.plants if one.attribute.tag == samples.tag("InstitutionName") and not one.item)
    output = samples.file(samples.merged(scene.own(), [samples.element(0x00080070, "LO", b"of " + plant.value)]))
    found = Judge(scene, output, samples.engine().pseudonyms).complaints(oracle())
    assert [one.found for one in found if one.plant is plant] == ["its canary elsewhere"]


# What the standard says in so many words, or the decisions do: SOP class, path, options, fate.
SAID = [
    (CT, "DeviceSerialNumber", (), Fate.REMOVED),  # X/Z/D, Type 3
    (MR, "DeviceSerialNumber", (), Fate.DUMMY),  # Type 1
    (MR, "DeviceSerialNumber", ("retain_device_identity",), Fate.KEPT),
    (CT, "ContentDate", (), Fate.EMPTY),  # Z/D, Type 3
    (MR, "ContentDate", (), Fate.DUMMY),
    (CT, "OperatorsName", (), Fate.REMOVED),
    (CT, "StudyDate", (), Fate.EMPTY),
    (CT, "StudyDate", ("retain_longitudinal_full_dates",), Fate.KEPT),
    (CT, "StudyDate", RESEARCH, Fate.MOVED),
    (CT, "ReferencedImageSequence", (), Fate.ITEMS),
    (CT, "ReferencedImageSequence/ReferencedSOPInstanceUID", (), Fate.UID),
    (CT, "ReferencedImageSequence/ReferencedSOPInstanceUID", ("retain_uids",), Fate.KEPT),
    (CT, "RequestAttributesSequence/StudyInstanceUID", (), Fate.REMOVED),
    (CT, "RequestAttributesSequence/StudyInstanceUID", ("clean_descriptors",), Fate.UID),
    (CT, "VerifyingObserverSequence", (), Fate.REMOVED),  # Note 13's own example: D in an image
    (REPORT, "VerifyingObserverSequence", (), Fate.DUMMY),
    (REPORT, "ContentSequence/PersonName", (), Fate.DUMMY),
    (REPORT, "ContentSequence/ContentSequence/PersonName", (), Fate.DUMMY),
    (REPORT, "ContentSequence/UID", ("retain_uids",), Fate.UID),  # U, and no K in any column
    # In a sequence coded D an option brings nothing back: what it retains elsewhere does what it does under Basic.
    (REPORT, "ContentSequence/PatientSize", ("retain_patient_characteristics",), Fate.REMOVED),
    (REPORT, "ContentSequence/PatientSex", ("retain_patient_characteristics",), Fate.EMPTY),
    (REPORT, "ContentSequence/SeriesDescription", ("clean_descriptors",), Fate.REMOVED),
    (REPORT, "ContentSequence/RequestAttributesSequence", ("clean_descriptors",), Fate.REMOVED),
    (REPORT, "ContentSequence/StationName", ("retain_device_identity",), Fate.REMOVED),
    (REPORT, "ContentSequence/DateTime", ("retain_longitudinal_full_dates",), Fate.DUMMY),  # Type 1
    (REPORT, "ContentSequence/AcquisitionDate", ("retain_longitudinal_full_dates",), Fate.REMOVED),
    # But a date that moved is a replacement itself, and references have to hold.
    (REPORT, "ContentSequence/ObservationDateTime", RESEARCH, Fate.MOVED),
    # Of what a content item is the date, only its concept tells.
    (REPORT, "ContentSequence/DateTime", RESEARCH, Fate.DUMMY),
    (REPORT, "ContentSequence/AcquisitionDate", RESEARCH, Fate.MOVED),
    (REPORT, "ContentSequence/ReferencedStudySequence/ReferencedSOPInstanceUID", ("retain_uids",), Fate.KEPT),
    (REPORT, "ContentSequence/NumericValue", RESEARCH, Fate.DUMMY),  # no row, and no code to follow but the sequence's
    (PRESENTATION, "PresentationCreationDate", (), Fate.DUMMY),  # X, but Type 1
    (CT, "CalibrationDate", RESEARCH, Fate.REMOVED),  # shared by patients: it does not move
    (CT, "CalibrationDate", ("retain_device_identity",), Fate.KEPT),
    (CT, "CalibrationDate", ("retain_device_identity", _DATES[1]), Fate.REMOVED),  # the stricter of the two
    (CT, "BeamHoldTransitionDateTime", ("retain_device_identity", _DATES[1]), Fate.MOVED),
    (CT, "AffectedSOPInstanceUID", ("retain_uids",), Fate.REMOVED),  # a command's
    (CT, "IconImageSequence", OPTIONS, Fate.REMOVED),
]


@pytest.mark.parametrize(
    ("sop_class", "keywords", "options", "fate"),
    SAID,
    ids=[f"{path.split('/')[-1]}-{uid.UID(one).keyword}-{number}" for number, (one, path, *_) in enumerate(SAID)],
)
def test_the_oracle_says_what_the_standard_says(
    sop_class: str, keywords: str, options: tuple[str, ...], fate: Fate
) -> None:
    *sequences, number = map(samples.tag, keywords.split("/"))
    place = Place(sop_class, tuple(map(Step, sequences)))
    assert Oracle(*options).fate(Attribute(number, vr_of(number)), place) is fate


def test_the_oracle_knows_every_code_and_every_option_of_the_table() -> None:
    assert {row.basic for row in rows()} == set(RESOLUTION)
    assert {option for row in rows() for option in row.options} == set(OPTIONS)
    assert set(load_profile("research").options) == set(RESEARCH)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="what the Types were condensed from is not beside this project")
@pytest.mark.parametrize("sop_class", sorted(treated()), ids=lambda one: uid.UID(one).keyword)
def test_the_oracle_reads_the_types_as_they_are_published(sop_class: str) -> None:
    shipped = types_of(sop_class)
    differ = [
        "/".join(f"{tag:08X}" for tag in path)
        for path, attribute_type in published_types(sop_class).items()
        if rows_by_tag()[path[-1]].basic != "U" and shipped.type_of(path) != attribute_type
    ]
    assert differ == []
