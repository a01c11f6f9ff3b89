"""Profiles: shipped ones, a site's own, what they claim, and what is said about them."""

from __future__ import annotations

import re
from collections import Counter
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import datadict
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000, UID, CTImageStorage, JPEGBaseline8Bit, RLELossless, SecondaryCaptureImageStorage
from typer.testing import CliRunner

from anonymizer import Anonymizer, Held, Key, Profile, ProfileError, load_profile, profile_names, scope
from anonymizer.difference import Difference, compared
from anonymizer.engine import tables
from anonymizer.engine.overrides import FIXED, FOR_PIXELS, OVERRIDES, faults_of, possible
from anonymizer.engine.private import safe_private_rows
from anonymizer.engine.profile import OPTION_CODES
from anonymizer.engine.rules import Action, Rules
from anonymizer.engine.types import occurring
from anonymizer.engine.vocabulary import Vocabulary
from anonymizer.lines import counts, lines
from anonymizer.statement import statement
from flows.cli import app
from tests import samples
from tests.samples import element, output, sequence, tag

ROOT = Path(__file__).resolve().parents[1]


def site(folder: Path, text: str) -> Path:
    path = folder / "ours.toml"
    path.write_text(text, encoding="utf-8")
    return path


def released(profile: Profile, *elements: bytes) -> bytes:
    result = Anonymizer(Key(samples.SECRET), "profiles", profile).anonymize(samples.ct(*elements))
    assert not isinstance(result, Held)
    return result.data


def test_a_site_extends_a_shipped_profile_by_option_and_by_attribute(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        """
        extends = "research"
        description = "ours"
        [options]
        add = ["retain_institution_identity"]
        remove = ["retain_patient_characteristics"]
        [attributes]
        SeriesDescription = "remove"
        "(0018,0015)" = "empty"
        [vocabulary]
        words = ["zqprotocol"]
        """,
    )
    profile = load_profile(path)
    assert profile.name == "ours"
    found = released(
        profile,
        element(tag("InstitutionName"), "LO", "zqinstitution "),
        element(tag("PatientWeight"), "DS", "77"),
        element(tag("SeriesDescription"), "LO", "CHEST"),
        element(tag("StudyDescription"), "LO", "CHEST zqprotocol"),
        element(tag("BodyPartExamined"), "CS", "CHEST"),
    )
    assert b"zqinstitution" in found
    assert b"77" not in found.split(b"\x10\x00\x30\x10")[-1][:20]
    assert b"LO\x10\0CHEST zqprotocol" in found
    assert found.count(b"CHEST") == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('extends = "none"', "basic, research"),
        ("", "extends"),
        ('extends = "research"\ncolour = 1', "unknown: colour"),
        ('extends = "research"\n[options]\nadd = ["retain_everything"]', "no such option: retain_everything"),
        ('extends = "basic"\n[options]\nremove = ["retain_uids"]', "no option retain_uids to remove"),
        ('extends = "research"\n[options]\nadd = "retain_uids"', "list of texts"),
        ('extends = "research"\n[options]\nadd = ["retain_longitudinal_full_dates"]', "exclude each other"),
        ('extends = "research"\n[attributes]\nNoSuchThing = "keep"', "NoSuchThing"),
        ('extends = "research"\n[attributes]\nStationName = "hide"', "'hide' is none of"),
        ('extends = "research"\n[attributes]\nPatientID = "keep"', "PatientID cannot be treated otherwise"),
        ('extends = "research"\n[attributes]\n"(0009,1001)" = "keep"', "(0009,1001) is private: those that"),
        ('extends = "research"\n[attributes]\nOverlayData = "keep"', "OverlayData cannot be treated otherwise"),
        ('extends = "research"\n[attributes]\n"(6000,3000)" = "keep"', "overlays (groups 60xx) go"),
        ('extends = "research"\n[attributes]\n"(5002,3000)" = "keep"', "curves (groups 50xx) go"),
        ('extends = "research"\n[attributes]\n"(6000,0001)" = "keep"', "overlays (groups 60xx) go"),
        ('extends = "research"\n[attributes]\nSourceImageIDs = "keep"', "repeating attributes"),
        ('extends = "research"\n[attributes]\n"(0020,3102)" = "keep"', "repeating attributes"),
        ('extends = "research"\n[attributes]\n"Patient Comments" = "keep"', "did you mean PatientComments?"),
        ('extends = "research"\n[vocabulary]\nwords = ["Häuser"]', "other letters than a to z"),
        ('extends = "research"\n[vocabulary]\nwords = ["1234"]', "is a number"),
        ('extends = "research"\n[vocabulary]\nwords = ["q"]', "too short"),
        (
            'extends = "research"\n[vocabulary]\nwords = ["zq-protocol"]',
            "list each by itself, in letters and digits: 'zq', 'p",
        ),
        ('extends = "research"\n[attributes]\nRetrieveURL = "keep"', "'keep' is not possible: a link"),
        (
            'extends = "research"\n[attributes]\nMediaStorageSOPInstanceUID = "keep"',
            "File Meta Information is made new",
        ),
        ('extends = "research"\n[attributes]\nItem = "remove"', "no part of a data set"),
        ('extends = "research"\n[attributes]\nExtendedOffsetTable = "remove"', "made new from the frames"),
        ('extends = "research"\n[attributes]\n"(0010,0013)" = "keep"', "newer than the dictionary"),
        ('extends = "research"\n[attributes]\nStudyDate = "empty"\n"(0008,0020)" = "dummy"', "named twice"),
        ('extends = "research"\n[options]\nadd = ["retain_uids"]\nremove = ["retain_uids"]', "at once: retain_uids"),
        ('extends = "research"\n[vocabulary]\nlist = ["oncolung"]', "unknown: list in [vocabulary]"),
        ('extends = "research"\n[attributes]\nStationName = 3', "StationName has to be one of"),
        ('extends = "research"\n[vocabulary]\nwords = ["two words"]', "two words"),
        ("extends = ", "no TOML file"),
    ],
)
def test_what_no_profile_can_say_is_refused_with_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(says)):
        load_profile(site(tmp_path, text))


FAULTY = """
extends = "basic"
colour = 1
[options]
add = ["retain_everything", "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"]
remove = ["retain_uids"]
[attributes]
NoSuchThing = "keep"
StudyDate = "delete"
PatientName = "keep"
PatientComments = "uid"
StationName = 3
Rows = "remove"
[vocabulary]
words = ["two words", "fine", "x"]
"""
FAULTS = (
    *(
        "colour",
        "retain_everything",
        "exclude each other",
        "no option retain_uids",
        "NoSuchThing",
        "StudyDate: 'delete'",
    ),
    *("PatientName", "PatientComments (LT): 'uid'", "StationName", "Rows (US): 'remove'", "'two words'", "'x'"),
)


def test_all_that_is_wrong_is_told_at_once_a_fault_a_line_under_the_name_of_the_file(tmp_path: Path) -> None:
    path = site(tmp_path, FAULTY)
    with pytest.raises(ProfileError) as told:
        load_profile(path)
    first, *others = str(told.value).splitlines()
    assert first == f"profile {path} cannot be used:"
    assert len(others) == len(FAULTS)
    assert [sum(fault in line for line in others) for fault in FAULTS] == [1] * len(FAULTS)


def test_a_text_with_other_letters_never_stays_as_the_advice_about_such_words_says() -> None:
    assert not Vocabulary(["hauser"]).allows("Häuser")
    with pytest.raises(ProfileError, match="leave the word out"):
        Vocabulary(["Häuser"])


def test_what_is_wrong_beside_a_list_that_holds_no_text_is_told_in_the_same_round(tmp_path: Path) -> None:
    path = site(
        tmp_path,
        """
        extends = "research"
        [options]
        add = ["retain_longitudinal_full_dates", 3]
        [vocabulary]
        words = ["two words", 5, "x", true]
        """,
    )
    with pytest.raises(ProfileError) as told:
        load_profile(path)
    for fault in ("add has to be a list", "entries that are none: 2", "'two words'", "'x'", "exclude each other"):
        assert fault in str(told.value)


def test_what_depends_on_the_profile_that_is_extended_is_told_for_each_where_it_is_not_clear(tmp_path: Path) -> None:
    text = '[options]\nadd = ["retain_longitudinal_full_dates"]\n[attributes]\nStudyDate = "uid"\nRows = "remove"'
    with pytest.raises(ProfileError) as told:
        load_profile(site(tmp_path, text))
    lines_told = str(told.value).splitlines()[1:]
    assert [line.strip().split(":")[0] for line in lines_told] == [
        "extends has to name a shipped profile",
        "StudyDate (DA)",
        "Rows (US)",
        'with extends = "research"',
    ]
    assert "exclude each other" in lines_told[-1]


def test_whoever_asks_for_an_option_that_there_is_not_reads_which_there_are() -> None:
    with pytest.raises(ProfileError) as told:
        Profile.of("x", options=["retain_uid"])
    shown = CliRunner().invoke(app, ["profile", "--help"]).stdout
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for option in OPTION_CODES:
        assert option in str(told.value)
        assert f"- {option} " in shown.replace("•", "-") + " "
        assert f"`{option}`" in readme


def test_the_readme_names_each_attribute_of_which_a_site_can_say_nothing() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"No word at all is taken for these:\n\n(.*?)\n\n", readme, flags=re.DOTALL)
    named = set(re.findall(r"\w+", "".join(row.split("|")[1] for row in table.splitlines())))
    for tags in FIXED.values():
        assert {keyword_for_tag(number) for number in tags} <= named


@pytest.mark.parametrize("command", [["show"], ["statement"], ["diff", "basic"]])
def test_the_command_tells_each_fault_on_a_line_of_its_own(tmp_path: Path, command: list[str]) -> None:
    path = site(tmp_path, FAULTY)
    result = CliRunner().invoke(app, ["profile", *command, str(path), *(["."] if command[0] == "diff" else [])])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == f"entwash: profile {path} cannot be used:"
    assert len(result.stderr.splitlines()) == 1 + len(FAULTS)


def test_a_profile_that_is_made_by_hand_tells_all_that_is_wrong_too() -> None:
    with pytest.raises(ProfileError) as told:
        Profile.of("hand", options=["none"], overrides={tag("PatientID"): "keep"}, words=["a b", "c d"])
    assert len(str(told.value).splitlines()) == 5


def test_a_profile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="No such file"):
        load_profile(tmp_path / "none.toml")


def test_what_decides_changes_the_digest_and_a_name_does_not() -> None:
    basic = Profile.of("basic")
    assert Profile.of("other", description="of the same").digest == basic.digest
    others = [
        Profile.of("basic", options=["retain_uids"]),
        Profile.of("basic", overrides={tag("StationName"): "remove"}),
        Profile.of("basic", words=["zqword"]),
    ]
    assert len({one.digest for one in (basic, *others)}) == 4


@pytest.mark.parametrize("option", OPTION_CODES)
def test_each_option_claims_its_code(option: str) -> None:
    assert Rules(Profile.of(option, options=[option])).claims == ("113100", OPTION_CODES[option])


def test_device_identity_with_modified_dates_is_done_by_the_stricter_code_and_not_claimed() -> None:
    both = ["retain_device_identity", "retain_longitudinal_modified_dates"]
    rules = Rules(Profile.of("both", options=both))
    assert rules.claims == ("113100", "113107")
    found = released(
        rules.profile,
        element(tag("StationName"), "SH", "zqstation "),
        element(tag("DateOfLastCalibration"), "DA", "20161224"),
    )
    assert b"zqstation" in found
    assert b"20161224" not in found


def test_an_override_that_keeps_more_withdraws_every_claim_and_says_so() -> None:
    weak = Profile.of("weak", overrides={tag("StationName"): "keep"})
    assert Rules(weak).claims == ()
    at = released(weak, element(tag("StationName"), "SH", "zqstation "))
    assert b"zqstation" in at
    assert b"113100" not in at
    assert b"Entwash" in at
    said = statement(weak)
    before = "remove; empty where Type 2; dummy where Type 1"
    assert f"| (0008,1010) StationName | keep | keep | {before} | yes, so no code is claimed |" in said
    assert "- none: the site's own changes" in said


@pytest.mark.parametrize(
    ("keyword", "word", "options"),
    [
        ("ContentSequence", "dummy", []),  # of Type 1, 2 or 3 as without it; where the IOD has none, it stays
        ("AdmittingDiagnosesCodeSequence", "dummy", []),  # coded strings in it stay, and it went
        ("PatientSex", "keep", ["retain_patient_characteristics"]),  # in sequences coded D, where no option holds
        ("CTExposureSequence", "clean", []),  # texts in its items would be dummies
        ("CodeMeaning", "clean", []),  # of a hospital's own code it would be a dummy
        ("DimensionIndexPrivateCreator", "clean", ["retain_safe_private"]),
        ("ICCProfile", "keep", []),
    ],
)
def test_an_override_that_lets_more_stand_anywhere_withdraws_every_claim(
    keyword: str, word: str, options: list[str]
) -> None:
    assert Rules(Profile.of("weak", options=options, overrides={tag(keyword): word})).claims == ()


def test_an_override_that_weakens_only_where_the_iod_has_no_such_attribute_is_seen() -> None:
    weak = Profile.of("weak", overrides={tag("ContentSequence"): "dummy"})
    of_types = {kind: Rules(weak).rule(tag("ContentSequence"), "SQ", kind).action for kind in ("1", "2", "3", "")}
    basic = Rules(Profile.of("basic"))
    assert {
        kind for kind, action in of_types.items() if action is not basic.rule(tag("ContentSequence"), "SQ", kind).action
    } == {""}
    items = sequence(tag("ContentSequence"), samples.item(element(tag("ValueType"), "CS", "ZQTERM")))
    assert b"ZQTERM" in released(weak, items)
    assert b"ZQTERM" not in released(basic.profile, items)
    assert Rules(weak).weakened == (tag("ContentSequence"),)


@pytest.mark.parametrize(
    ("keyword", "word", "options"),
    [
        ("DateOfLastCalibration", "keep", ["retain_device_identity", "retain_longitudinal_full_dates"]),
        ("SeriesDescription", "clean", ["clean_descriptors"]),
        ("Manufacturer", "keep", []),
        ("ReferencedImageSequence", "keep", []),
        ("FrameOfReferenceUID", "uid", []),
    ],
)
def test_an_override_that_says_what_is_done_anyway_withdraws_nothing(
    keyword: str, word: str, options: list[str]
) -> None:
    rules = Rules(Profile.of("same", options=options, overrides={tag(keyword): word}))
    assert rules.claims == ("113100", *sorted(OPTION_CODES[option] for option in options))


@pytest.mark.parametrize("word", ["remove", "empty", "dummy"])
def test_an_override_that_keeps_less_withdraws_nothing(word: str) -> None:
    profile = Profile.of("strict", options=["retain_device_identity"], overrides={tag("StationName"): word})
    assert Rules(profile).claims == ("113100", "113109")
    assert b"zqstation" not in released(profile, element(tag("StationName"), "SH", "zqstation "))


def test_every_row_of_the_table_has_a_line() -> None:
    for name in profile_names():
        told = {line.tag for line in lines(load_profile(name))}
        rows = {
            row.tag for row in tables.confidentiality_rows() if re.fullmatch(r"\([0-9A-F]{4},[0-9A-F]{4}\)", row.tag)
        }
        assert len(rows) == 653
        assert rows <= told


def test_a_line_says_what_happens_by_which_code_and_where_that_stands() -> None:
    told = {line.name: str(line) for line in lines(load_profile("research"))}
    assert told["StudyDate"].startswith("(0008,0020) StudyDate DA | move")
    assert "retain_longitudinal_modified_dates" in told["StudyDate"]
    assert "remove; empty where Type 2; dummy where Type 1" in told["DeviceSerialNumber"]
    assert "else remove" in told["SeriesDescription"]


@pytest.mark.parametrize("name", profile_names())
def test_every_line_of_a_row_shows_the_code_of_the_table_or_of_the_option_that_it_names(name: str) -> None:
    rows = {row.tag: row for row in tables.confidentiality_rows()}
    told = [line for line in lines(load_profile(name)) if line.tag in rows and line.why.startswith("Table E.1-1")]
    assert len(told) > 640
    for line in told:
        row = rows[line.tag]
        assert line.code == row.options.get(line.why.removeprefix("Table E.1-1, "), row.basic), line
    pseudonyms = {line.name: line.code for line in told if line.action == "pseudonym"}
    assert pseudonyms == {"PatientName": "Z", "PatientID": "Z/D", "AccessionNumber": "Z", "StudyID": "Z"}


TYPES = {"Type 1": "1", "Type 2": "2", "Type 3": "3", "the IOD has none": ""}


@pytest.mark.parametrize("name", profile_names())
def test_a_line_names_no_type_that_no_iod_gives_the_attribute(name: str) -> None:
    named = 0
    for line in lines(load_profile(name)):
        for where in re.findall(r"where ([^;]*)", line.action):
            kinds = {TYPES[one] for one in where.split(" or ")} - {""}
            assert kinds <= occurring().get(number_of(line.tag), set())
            named += len(kinds)
    assert named > 50


@pytest.mark.parametrize("name", profile_names())
def test_a_line_names_every_action_that_an_attribute_can_get_in_any_iod(name: str) -> None:
    rules = Rules(load_profile(name))
    told = {line.tag: line for line in lines(load_profile(name))}
    for number, kinds in occurring().items():
        line = told[f"({number >> 16:04X},{number & 0xFFFF:04X})"]
        if line.action.startswith("made new"):
            continue
        for kind in {*kinds, ""}:
            action = rules.rule(number, line.vr, kind).action
            words = "keep" if action is Action.MOVE_DATE and line.vr == "TM" else WORDS[action]
            parts = line.action.split("; ")
            named = [part.split(" where ")[0] for part in parts if re.search(rf"where .*{NAMES[kind]}", part)]
            assert (named or parts[:1])[0].startswith(words)


WORDS = {
    Action.REMOVE: "remove",
    Action.EMPTY: "empty",
    Action.DUMMY: "dummy",
    Action.UID: "new UID",
    Action.MOVE_DATE: "move",
    Action.EVENT_DATE: "as other dates, of an event",
    Action.CLEAN: "clean",
    Action.CLEAN_ITEMS: "clean items",
    Action.WALK: "treat items",
    Action.CAP_AGE: "keep",
    Action.KEEP: "keep",
    **dict.fromkeys((Action.PATIENT_ID, Action.PATIENT_NAME, Action.ACCESSION_NUMBER, Action.STUDY_ID), "pseudonym"),
}
NAMES = {kind: name for name, kind in TYPES.items()}


def test_a_time_is_said_to_stay_where_dates_move_and_what_is_none_to_become_a_dummy() -> None:
    told = {line.name: line.action for line in lines(load_profile("research"))}
    assert (told["StudyDate"], told["StudyTime"]) == ("move, else dummy", "keep, else dummy")
    assert {line.action.split(",")[0] for line in lines(load_profile("research")) if line.vr == "TM"} <= {
        *("keep", "remove", "dummy", "empty", "as other dates", "remove; dummy where Type 1"),
    }
    at = output(samples.ct(element(tag("StudyTime"), "TM", "101112"), element(tag("SeriesTime"), "TM", "at ten")))
    assert (at.StudyTime, at.SeriesTime) == ("101112", "000000")


def test_what_the_engine_writes_itself_is_said_to_be_made_new_or_inserted() -> None:
    told = {line.tag: line.action for line in lines(load_profile("research"))}
    assert told["(0002,0003)"] == "made new: the output's SOP Instance UID"
    assert told["(7FE0,0001)"] == told["(7FE0,0002)"] == "made new from the frames"
    at = output(samples.ct())
    assert at.file_meta.MediaStorageSOPInstanceUID == at.SOPInstanceUID
    assert told["(0012,0062)"] == f"insert {at.PatientIdentityRemoved}"
    assert told["(0012,0063)"] == f"insert {at.DeidentificationMethod}"
    assert told["(0028,0303)"].startswith(f"insert {at.LongitudinalTemporalInformationModified},")


@pytest.mark.parametrize("options", [(), ("retain_safe_private",), ("clean_descriptors", "retain_uids")])
def test_the_counts_add_up_to_every_row_of_the_table(options: tuple[str, ...]) -> None:
    changed = Profile.of("x", options=options, overrides={tag("StationName"): "empty", tag("Rows"): "keep"})
    for profile in (Profile.of("x", options=options), changed):
        counted = counts(lines(profile))
        assert sum(counted.values()) == len(tables.confidentiality_rows()) == 657
        stated = re.findall(r"^\| ([^|]+) \| (\d+) \|$", statement(profile), flags=re.MULTILINE)
        assert sum(int(count) for action, count in stated if action != "all") == 657
    private = [action for action in counted if action.startswith("keep what Table E.3.10-1 lists")]
    assert bool(private) == ("retain_safe_private" in options)


# What a word does, by what is seen of it: of a sequence, another word than of a value.
SEEN = {"remove": "gone", "empty": "empty", "dummy": "dummy", "uid": "new UID", "clean": "same", "keep": "same"}
SEEN_OF_SEQUENCES = {**SEEN, "clean": "cleaned", "keep": "treated"}
TOLD = {
    **{"remove": "gone", "empty": "empty", "dummy": "dummy", "new UID": "new UID", "keep": "same", "clean": "same"},
    **{"treat items": "treated", "clean items": "cleaned"},
}
VALUES = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "PN"), b"CHEST "),
    **{"AE": b"ZQAE", "CS": b"ZQTERM", "UR": b"zq:/", "AS": b"045Y", "DA": b"20161224", "TM": b"101112"},
    **{"DT": b"20161224101112", "DS": b"7.25", "IS": b"72", "UI": b"1.2.826.0.1.77", "AT": b"\x18\0\x50\0"},
    **dict.fromkeys(("US", "SS"), b"\7\7"),
    **dict.fromkeys(("UL", "SL", "FL"), b"\7\7\7\7"),
}
UNLISTED_TEXT = tag("ManufacturerRelatedModelGroup")  # a dummy where items are treated, cleaned where they are cleaned
KEPT_TEXT = tag("ReceiveCoilName")  # kept where items are treated, a dummy where all of them becomes one
NOT_ASKED = {
    tag("BurnedInAnnotation"),  # holds the instance
    tag("LUTData"),  # is held without its descriptor
}


def all_kinds() -> dict[int, str]:
    """Return every attribute of the dictionary that a data set can have, with the first of its VRs."""
    known = {number: dictionary_VR(number).split(" ")[0] for number in datadict.DicomDictionary}  # type: ignore[attr-defined]  # untyped there
    return {number: vr for number, vr in known.items() if number >> 16 >= 8 and vr != "NONE"}


def planted(number: int, vr: str) -> bytes:
    if vr != "SQ":
        return element(number, vr, VALUES.get(vr, bytes(range(1, 9))))
    inside = (element(KEPT_TEXT, "SH", "ZQCOIL"), element(UNLISTED_TEXT, "LO", "CHEST "))
    return sequence(number, samples.item(*sorted(inside)))


def seen(at: Dataset, number: int, vr: str) -> str:
    """Return what became of an attribute, as another reader sees it."""
    if number not in at:
        return "gone"
    if vr == "SQ":
        items = at[number].value
        if not items:
            return "empty"
        texts = [str(items[0][one].value) for one in (KEPT_TEXT, UNLISTED_TEXT)]
        return {"ZQCOIL": {"CHEST": "cleaned"}.get(texts[1], "treated")}.get(texts[0], "dummy")
    raw = at.get_item(number).value or b""
    if raw.rstrip(b"\0 ") == VALUES.get(vr, bytes(range(1, 9))).rstrip(b"\0 "):
        return "same"
    return "new UID" if raw.startswith(b"2.25.") else "dummy" if raw else "empty"


@pytest.mark.parametrize(
    ("options", "every"),
    [
        (load_profile("research").options, 1),
        ((), 8),
        (("retain_longitudinal_full_dates", "retain_device_identity", "retain_uids"), 7),
        (("clean_structured_content", "clean_graphics", "retain_safe_private"), 9),
    ],
    ids=["research", "basic", "full dates", "structured"],
)
@pytest.mark.parametrize("word", OVERRIDES)
def test_of_every_attribute_each_word_does_what_it_says_and_what_the_line_says_or_is_refused(
    word: str, options: tuple[str, ...], every: int
) -> None:
    """Of every attribute under one profile, and of some of each VR under others."""
    number_in_vr = Counter[str]()
    kinds = {}
    for number, vr in all_kinds().items():
        if word in possible(number, options) and number not in {KEPT_TEXT, UNLISTED_TEXT}:
            if number_in_vr[vr] % every == 0:
                kinds[number] = vr
            number_in_vr[vr] += 1
    assert len(kinds) > 100 or word == "uid"
    profile = Profile.of("every", options=options, overrides=dict.fromkeys(kinds, word))
    told = {number_of(line.tag): line.action for line in lines(profile)}
    # What says how the pixels are read stays as the sample has it: only "keep" is possible there.
    asked = {number: vr for number, vr in kinds.items() if number not in NOT_ASKED | FOR_PIXELS}
    at = pydicom.dcmread(BytesIO(released(profile, *(planted(number, vr) for number, vr in asked.items()))))
    wrong = []
    for number, vr in asked.items():
        found, action = seen(at, number, vr), told[number]
        said = (SEEN_OF_SEQUENCES if vr == "SQ" else SEEN)[word]
        if (word, vr) == ("dummy", "UI"):
            said = "new UID"
        expected = TOLD.get(re.split("[,;]", action)[0])
        if word == "keep" and action.startswith("keep in objects made of it"):
            said = expected = "gone"  # in a CT
        if not found == said == expected:
            wrong.append((f"{number:08X}", vr, action, found))
    assert wrong == []


@pytest.mark.parametrize("options", [(), ("retain_longitudinal_full_dates",), ("retain_longitudinal_modified_dates",)])
def test_a_word_that_cannot_be_done_is_refused_with_those_that_can(options: tuple[str, ...]) -> None:
    refused = Counter[str]()
    for number, vr in all_kinds().items():
        words = possible(number, options)
        for word in OVERRIDES:
            if word in words:
                continue
            (fault,) = faults_of(number, word, options)
            assert not words or fault.endswith(f"; possible here: {', '.join(words)}")
            refused[f"{word} {vr}"] += 1
    assert {"uid LT", "clean DA", "keep UN", "keep UR", "dummy OF", "remove US"} <= refused.keys()
    assert ("keep DA" in refused) == ("retain_longitudinal_full_dates" not in options)


ESSENTIAL = ("Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel", "PixelRepresentation")
COLOURS = ("PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "RedPaletteColorLookupTableData")


@pytest.mark.parametrize("keyword", [*ESSENTIAL, *COLOURS, "SOPClassUID", "SpecificCharacterSet", "TransferSyntaxUID"])
@pytest.mark.parametrize("word", ["remove", "empty", "dummy"])
def test_nothing_goes_without_which_an_instance_cannot_be_read(keyword: str, word: str) -> None:
    with pytest.raises(ProfileError, match=r"cannot be read without it|File Meta Information is made new"):
        Profile.of("blind", overrides={tag(keyword): word})


def number_of(text: str) -> int:
    """Return the tag that a line names, 0 where it names a range."""
    match = re.fullmatch(r"\(([0-9A-F]{4}),([0-9A-F]{4})\)", text)
    return int(match[1] + match[2], 16) if match else 0


def test_no_line_and_no_statement_says_that_a_link_stays() -> None:
    everything = [option for option in OPTION_CODES if option != "retain_longitudinal_modified_dates"]
    for profile in (load_profile("research"), Profile.of("everything", options=everything)):
        links = [line for line in lines(profile) if line.vr == "UR"]
        assert {"(0010,0047)", "(0072,0071)", "(0040,E012)"} <= {line.tag for line in links}
        assert [line for line in links if line.action.startswith("keep")] == []
        assert "A link (VR UR) never stays" in statement(profile)


def test_the_command_shows_states_and_compares(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["profile", "show", "basic"])
    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == [str(line) for line in lines(load_profile("basic"))]
    (tmp_path / "ct.dcm").write_bytes(samples.ct(element(tag("PatientWeight"), "DS", "77.25")))
    (tmp_path / "notes.txt").write_text("none")
    compared = CliRunner().invoke(app, ["profile", "diff", "basic", "research", str(tmp_path)])
    assert compared.exit_code == 0
    assert "PatientWeight: gone -> kept (1)" in compared.stdout
    assert "StudyDate: empty -> replaced (1)" in compared.stdout
    assert "77.25" not in compared.output
    assert CliRunner().invoke(app, ["profile", "show", "none"]).exit_code == 2
    assert CliRunner().invoke(app, ["profile", "diff", "basic", "research", str(tmp_path / "no")]).exit_code == 2
    (tmp_path / "empty").mkdir()
    empty = CliRunner().invoke(app, ["profile", "diff", "basic", "research", str(tmp_path / "empty")])
    assert (empty.exit_code, "no file in it" in empty.stderr) == (2, True)


def test_equal_profiles_differ_in_nothing_and_what_was_read_is_told() -> None:
    basic = load_profile("basic")
    screen = samples.file(samples.common(sop_class=str(SecondaryCaptureImageStorage)), sop_class="")
    found = compared(basic, basic, [samples.ct(), b"none", screen, screen, None])
    assert found.differences == []
    assert str(found) == (
        "4 files read, 1 compared, 0 held by one profile alone, 2 held by both (2 burned-in-risk), 1 no DICOM, "
        "1 that could not be read; 0 differences"
    )
    found = compared(basic, Profile.of("x", options=["retain_uids"]), [samples.ct()])
    assert {"SOPInstanceUID", "StudyInstanceUID"} <= {one.path for one in found.differences}


def test_what_one_profile_holds_and_the_other_releases_is_told_first_by_its_reason() -> None:
    """Letters that no character set of the file has hold what is kept, and are nothing to what is removed."""
    odd = samples.ct(element(0x00080005, "CS", "ISO_IR 6"), element(tag("StationName"), "SH", b"z\xfc"))
    basic, keeping = load_profile("basic"), Profile.of("x", overrides={tag("StationName"): "keep"})
    found = compared(basic, keeping, [odd, odd, samples.ct(element(tag("StationName"), "SH", "zq"))])
    assert found.differences[0] == Difference("", "released", "held, undecodable-text", 2)
    assert (found.read, found.compared, found.held) == (3, 1, {})
    assert "2 held by one profile alone" in str(found)
    turned = compared(keeping, basic, [odd])
    assert str(turned.differences[0]) == "instance: held, undecodable-text -> released (1)"


def test_the_command_says_at_the_end_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "ct.dcm").write_bytes(samples.ct())
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / "link").symlink_to(tmp_path)
    told = CliRunner().invoke(app, ["profile", "diff", "basic", "research", str(tmp_path)])
    last = told.stderr.splitlines()[-1]
    assert last.startswith(
        "2 files read, 1 compared, 0 held by one profile alone, 0 held by both, 1 no DICOM, 1 that could"
    )
    assert last.endswith(f"{len(told.stdout.splitlines())} differences")


@pytest.mark.parametrize("name", profile_names())
def test_the_statement_in_the_documentation_is_what_the_rules_say(name: str) -> None:
    page = ROOT / "docs" / "conformance" / f"{name}.md"
    assert page.read_text(encoding="utf-8") == statement(load_profile(name))


OURS = """
extends = "research"
description = "Lung screening of 2026"
[options]
remove = ["retain_patient_characteristics"]
[attributes]
ProtocolName = "remove"
StationName = "keep"
"(0018,0061)" = "empty"
[vocabulary]
words = ["oncolung", "zqprotocol", "apexscan"]
"""


def test_the_statement_of_a_sites_own_file_says_how_it_was_made_and_names_no_folder(tmp_path: Path) -> None:
    path = site(tmp_path, OURS)
    said = CliRunner().invoke(app, ["profile", "statement", str(path)]).stdout
    assert "Made by `entwash profile statement ours.toml` from that file, a profile of the site's own." in said
    assert "Lung screening of 2026." in said
    assert f"`{load_profile(path).digest}`" in said
    assert str(tmp_path) not in said
    assert "a test holds" not in said
    assert "a test holds" not in statement(Profile.of("research"))  # a name alone makes nobody's profile ours


def test_the_statement_lists_each_change_and_each_word_of_the_sites_own(tmp_path: Path) -> None:
    said = statement(load_profile(site(tmp_path, OURS)), "ours.toml")
    before = "clean, else remove; clean, else dummy where Type 1"
    rows = [line for line in said.splitlines() if line.endswith(("| no |", "| yes, so no code is claimed |"))]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| (0008,1010) StationName", "keep", "keep"],
        ["| (0018,0061) -", "empty", "empty"],
        ["| (0018,1030) ProtocolName", "remove", "remove"],
    ]
    assert [row.split(" | ")[-1] for row in rows] == ["yes, so no code is claimed |", "no |", "no |"]
    assert before in rows[2]
    assert "Words of the site's own (3)" in said
    assert "`apexscan`, `oncolung`, `zqprotocol`" in said


@pytest.mark.parametrize("name", profile_names())
def test_the_statement_says_how_pseudonyms_are_made_and_what_is_inserted(name: str) -> None:
    said = " ".join(statement(load_profile(name)).split())
    for fact in (
        "HKDF-SHA256",
        "HMAC-SHA256",
        "`entwash/1/` project `/` purpose",
        "modulo 469",
        "default issuer",
        "`DEID-`",
    ):
        assert fact in said
    at = output(samples.ct(), name)
    assert "| (0012,0062) PatientIdentityRemoved | YES |" in said
    assert f"| (0012,0063) DeidentificationMethod | {at.DeidentificationMethod} |" in said
    assert f"LongitudinalTemporalInformationModified | {at.LongitudinalTemporalInformationModified}" in said
    for one in at.DeidentificationMethodCodeSequence:
        assert f"({one.CodeValue}, {one.CodingSchemeDesignator}, “{one.CodeMeaning}”)" in said
    for cut in ("COM", "APP0 to APP15", "PLM, PLT", "Exif, XML", "RLE", "ICC profile"):
        assert cut in said


def test_the_statement_names_every_sop_class_and_every_transfer_syntax_that_is_treated() -> None:
    said = statement(load_profile("basic"))
    classes = tables.sop_classes()
    assert all(f"- {UID(one).name} ({one})" in said for one in classes.treated)
    held = [line for line in said.splitlines() if line.startswith("- `")]
    for one, (code, message) in classes.held.items():
        assert any(line.startswith(f"- `{code}`, {message}: ") and UID(one).name in line for line in held)
    plain, framed = scope.transfer_syntaxes()
    assert all(f"- {scope.name_of(one)} ({one})" in said for one in (*plain, *framed))
    assert plain == [*(f"1.2.840.10008.1.2{end}" for end in ("", ".1", ".1.99", ".2"))]
    assert {JPEGBaseline8Bit, JPEG2000, RLELossless, "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.8.1"} <= set(framed)
    assert "1.2.840.10008.1.2.4.102" not in framed  # video
    assert not any("JPIP" in scope.name_of(one) for one in framed)


def test_the_statement_names_the_concepts_by_which_content_is_told_where_any_is() -> None:
    dates, people = "- (111060, DCM) Study Date", "- (121029, DCM) Subject Name"
    basic, research = (statement(load_profile(name)) for name in ("basic", "research"))
    structured = statement(Profile.of("x", options=["clean_structured_content"]))
    assert [dates in one for one in (basic, research, structured)] == [False, True, False]
    assert all(people in one for one in (basic, research, structured))
    assert "coded D" in basic.split("## Content items")[1].split("##")[0]


def test_a_statement_under_retain_uids_does_not_say_that_no_uid_stays() -> None:
    said = statement(Profile.of("x", options=["retain_uids"]))
    assert "Retain UIDs holds" in said
    assert "Every UID is replaced" not in said


def section(said: str, name: str) -> str:
    return said.split(f"## {name}\n")[1].split("\n## ", maxsplit=1)[0]


def test_the_statement_does_not_promise_a_uid_or_a_reference_that_the_sites_own_changes_break() -> None:
    said = section(statement(Profile.of("x", overrides={tag("FrameOfReferenceUID"): "keep"})), "Referential integrity")
    assert "keep these UIDs: (0020,0052) FrameOfReferenceUID." in said
    assert "Every UID is replaced" not in said
    assert "broken if only one is kept" in " ".join(said.split())
    lost = statement(Profile.of("x", overrides={tag("ReferencedImageSequence"): "remove"}))
    assert "with every reference in them: (0008,1140) ReferencedImageSequence." in section(
        lost, "Referential integrity"
    )
    plain = statement(Profile.of("x", overrides={tag("FrameOfReferenceUID"): "uid"}))
    assert section(plain, "Referential integrity") == section(statement(Profile.of("x")), "Referential integrity")


def test_a_uid_that_the_statement_says_is_kept_is_kept_and_what_points_at_it_is_not() -> None:
    profile = Profile.of("x", overrides={tag("FrameOfReferenceUID"): "keep"})
    frame, other = "1.2.826.0.1.77", tag("ReferencedFrameOfReferenceUID")
    at = pydicom.dcmread(
        BytesIO(released(profile, element(tag("FrameOfReferenceUID"), "UI", frame), element(other, "UI", frame)))
    )
    assert at.FrameOfReferenceUID == frame
    assert at.ReferencedFrameOfReferenceUID.startswith("2.25.")


@pytest.mark.parametrize(
    ("name", "keyword", "word"),
    [
        ("Dates and times", "StudyDate", "remove"),
        ("Descriptions", "StudyDescription", "keep"),
        ("Content items", "ContentSequence", "keep"),
        ("Pictures", "ICCProfile", "remove"),
        ("Pictures", "IconImageSequence", "keep"),
    ],
)
def test_a_general_section_of_the_statement_names_the_change_that_it_is_not_true_of(
    name: str, keyword: str, word: str
) -> None:
    said = statement(Profile.of("x", options=["retain_longitudinal_full_dates"], overrides={tag(keyword): word}))
    changed = [part.splitlines()[0] for part in said.split("\n## ") if f" {keyword}: " in part]
    assert changed == [name]
    assert "come before what is said here" in section(said, name)


def test_the_statement_says_which_dates_and_uids_an_option_keeps_or_replaces() -> None:
    devices = section(statement(Profile.of("x", options=["retain_device_identity"])), "Dates and times")
    assert devices.startswith("\nNone of a patient stays")
    assert "DateOfLastCalibration" in devices
    assert section(statement(Profile.of("x")), "Dates and times").startswith("\nNone stays")
    uids = section(statement(Profile.of("x", options=["retain_uids"])), "Referential integrity")
    assert "(0040,A124) UID" in uids
    assert "(0020,000D)" not in uids


@pytest.mark.parametrize("name", profile_names())
def test_the_statement_leaves_to_the_site_what_else_a_held_instance_holds(name: str) -> None:
    said = " ".join(section(statement(load_profile(name)), "Restrictions").split())
    assert "the site's choice and not the profile's" in said
    for way in (
        "In a flow it holds its study",
        '`hold = "instance"` only itself',
        "`entwash anonymize` holds it alone",
    ):
        assert way in said


def test_the_statement_says_of_private_dates_and_names_what_is_true_that_none_is_listed() -> None:
    listed = {vr for *_, vr in safe_private_rows()}
    assert not listed & {"DA", "DT", "TM", "PN"}
    assert "lists no date, no time and no name" in statement(load_profile("research"))


@pytest.mark.parametrize("name", profile_names())
def test_whoever_looks_for_reports_or_overlays_in_a_statement_is_led_there(name: str) -> None:
    said = statement(load_profile(name))
    for link in re.findall(r"\]\(#([a-z-]+)\)", said):
        assert f"## {link.replace('-', ' ')}" in said.lower()
    assert re.search(r"^\| \(60xx,xxxx\) \| overlays: OverlayData.* \| remove \|", said, flags=re.MULTILINE)
    assert "[Content items](#content-items)" in section(said, "Every attribute")


def test_the_example_of_the_readme_is_a_profile(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(extends.*?)```", readme, flags=re.DOTALL)
    assert load_profile(site(tmp_path, example)).words == ("oncolung",)
    for word in OVERRIDES:
        assert f"| `{word}` |" in readme


@pytest.mark.parametrize("name", profile_names())
def test_the_readme_names_the_options_of_each_profile(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}` |"))
    meanings = tables.method_codes()
    options = [meanings[OPTION_CODES[option]].removesuffix(" Option") for option in load_profile(name).options]
    assert all(option in row for option in options)
    assert f"docs/conformance/{name}.md" in row


def test_a_clean_description_stays_and_another_goes() -> None:
    at = output(
        samples.ct(
            element(tag("SeriesDescription"), "LO", "CHEST AX T1 POST "),
            element(tag("StudyDescription"), "LO", "CHEST OF BARTHOLOMEW"),
        )
    )
    assert at.SOPClassUID == CTImageStorage
    assert at.SeriesDescription == "CHEST AX T1 POST"
    assert "StudyDescription" not in at
