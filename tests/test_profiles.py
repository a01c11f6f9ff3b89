"""Profiles: shipped ones, a site's own, what they claim, and what is said about them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydicom.uid import CTImageStorage
from typer.testing import CliRunner

from anonymizer import Anonymizer, Held, Key, Profile, ProfileError, load_profile, profile_names
from anonymizer.difference import differences
from anonymizer.engine import tables
from anonymizer.engine.profile import OPTION_CODES
from anonymizer.engine.rules import Action, Rules
from anonymizer.engine.types import occurring
from anonymizer.statement import lines, statement
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
        ('extends = "research"\n[attributes]\n"(0009,1001)" = "keep"', "no attribute of the standard"),
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
    assert "(0008,1010) StationName: keep (lets more stand than the profile" in said
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
        for kind in {*kinds, ""}:
            words = WORDS[rules.rule(number, line.vr, kind).action]
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


def test_equal_profiles_differ_in_nothing_and_a_held_instance_is_told() -> None:
    basic = load_profile("basic")
    files = [samples.ct(), b"none", samples.file(samples.common())]
    assert differences(basic, basic, files) == []
    found = differences(basic, Profile.of("x", options=["retain_uids"]), [samples.ct()])
    assert {"SOPInstanceUID", "StudyInstanceUID"} <= {one.path for one in found}


@pytest.mark.parametrize("name", profile_names())
def test_the_statement_in_the_documentation_is_what_the_rules_say(name: str) -> None:
    page = ROOT / "docs" / "conformance" / f"{name}.md"
    assert page.read_text(encoding="utf-8") == statement(load_profile(name))


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
