"""The sites file: what a good one means, and how every problem of a bad one is told at once."""

from __future__ import annotations

import pickle
from datetime import date
from pathlib import Path

import pytest

from flows.errors import SitesError, TerminalError
from flows.settings.sites import Sites, load_sites

GOOD = """
[cloud]
url = "https://cloud.example.org/orthanc/"
username = "entwash"
password_env = "CLOUD_PASSWORD"

[project]
name = "lung-2026"

[selection]
studies = "all"

[sites.north]
url = "http://127.0.0.1:8042"
username = "entwash"
password_env = "NORTH_PASSWORD"
key_file = "keys/north.key"

[sites.south-2]
url = "http://127.0.0.1:8043"
username = "reader"
password_env = "SOUTH_PASSWORD"
key_file = "keys/south.key"
work_pool = "shared"
default_issuer = "South"
"""
SECRETS = {"CLOUD_PASSWORD": "cloud-secret", "NORTH_PASSWORD": "north-secret", "SOUTH_PASSWORD": "south-secret"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a machine that has everything that the good file names."""
    for variable, secret in SECRETS.items():
        monkeypatch.setenv(variable, secret)
    monkeypatch.delenv("ENTWASH_SITES", raising=False)
    (tmp_path / "keys").mkdir()
    for site in ("north", "south"):
        key = tmp_path / "keys" / f"{site}.key"
        key.write_text("0" * 64 + "\n", "utf-8")
        key.chmod(0o600)
    return tmp_path


def load(folder: Path, text: str = GOOD, only: str | None = None) -> Sites:
    file = folder / "sites.toml"
    file.write_text(text, "utf-8")
    return load_sites(file, only)


def problems(folder: Path, text: str, only: str | None = None) -> list[str]:
    """Return the lines below the heading."""
    with pytest.raises(SitesError) as caught:
        load(folder, text, only)
    return str(caught.value).splitlines()[1:]


def without(text: str, *lines: str) -> str:
    for line in lines:
        assert line in text
        text = text.replace(line + "\n", "")
    return text


def test_a_good_file_says_everything_that_a_flow_needs(folder: Path) -> None:
    sites = load(folder)
    assert sites.cloud.url == "https://cloud.example.org/orthanc"
    assert sites.cloud.password.get_secret_value() == "cloud-secret"
    assert sites.project.name == "lung-2026"
    south = sites.site("south-2")
    assert south.server.username == "reader"
    assert south.server.password.get_secret_value() == "south-secret"
    assert (south.work_pool, south.default_issuer) == ("shared", "South")


def test_what_is_left_out_gets_its_default(folder: Path) -> None:
    sites = load(folder)
    assert (sites.project.profile, sites.project.patient_id_prefix) == ("research", "DEID-")
    assert (sites.site("north").work_pool, sites.site("north").default_issuer) == ("north", "")
    assert sites.lineage == folder / "lineage"


def test_what_leaves_at_once_is_said_for_all_sites_or_for_one(folder: Path) -> None:
    def releases(text: str) -> list[str]:
        return [load(folder, text).site(name).release for name in ("north", "south-2")]

    project = GOOD.replace('name = "lung-2026"', 'name = "lung-2026"\nrelease = "instance"')
    assert releases(GOOD) == ["study", "study"]
    assert releases(project) == ["instance", "instance"]
    assert releases(project + 'release = "study"\n') == ["instance", "study"]


def test_what_a_hold_holds_is_said_for_all_sites_or_for_one(folder: Path) -> None:
    def holds(text: str) -> list[str]:
        return [load(folder, text).site(name).hold for name in ("north", "south-2")]

    project = GOOD.replace('name = "lung-2026"', 'name = "lung-2026"\nhold = "instance"')
    assert holds(GOOD) == ["study", "study"]
    assert holds(project) == ["instance", "instance"]
    assert holds(project + 'hold = "study"\n') == ["instance", "study"]


def test_what_leaves_is_said_for_all_sites_or_for_one(folder: Path) -> None:
    def modalities(text: str) -> list[tuple[str, ...] | None]:
        return [load(folder, text).site(name).selection.modalities for name in ("north", "south-2")]

    some = GOOD.replace('studies = "all"', 'modalities = ["CT", "MR"]')
    own = '[sites.south-2.selection]\nmodalities = ["US"]\n'
    assert modalities(GOOD) == [None, None]
    assert modalities(some) == [("CT", "MR"), ("CT", "MR")]
    assert modalities(some + own) == [("CT", "MR"), ("US",)]
    each = without(GOOD, "[selection]", 'studies = "all"') + own + '[sites.north.selection]\nmodalities = ["CT"]\n'
    assert modalities(each) == [("CT",), ("US",)]


def test_a_file_that_does_not_say_what_leaves_is_refused_with_both_ways_to_say_it(folder: Path) -> None:
    nothing = without(GOOD, "[selection]", 'studies = "all"')
    one_only = nothing + '[sites.north.selection]\nstudies = "all"\n'
    empty = without(GOOD, 'studies = "all"')
    denied = GOOD.replace('studies = "all"', 'exclude_study_descriptions = ["*test*"]')
    for text in (nothing, one_only, empty, denied):
        (found,) = problems(folder, text)
        assert found.startswith("[selection]: ")
        assert 'modalities = ["CT", "MR"]' in found
        assert 'studies = "all"' in found


def test_every_problem_of_a_selection_is_told_at_once_with_its_place(folder: Path) -> None:
    text = GOOD.replace('studies = "all"', 'modalities = ["CT", "ct scan"]\nstudies = "some"\nwait_at_most = 0')
    text += '[sites.south-2.selection]\ncolour = 1\nae_titles = []\nsop_classes = "1.2"\nwait_for = {rt = ["CT"]}\n'
    found = dict(line.split(": ", 1) for line in problems(folder, text))
    assert found.keys() == {
        "[selection] modalities.1",
        "[selection] studies",
        "[selection] wait_at_most",
        "[sites.south-2.selection] colour",
        "[sites.south-2.selection] ae_titles",
        "[sites.south-2.selection] sop_classes",
        "[sites.south-2.selection] wait_for.rt",
    }
    assert found["[selection] studies"] == 'must be "all"'
    assert "station_names" in found["[sites.south-2.selection] colour"]
    assert "brackets" in found["[sites.south-2.selection] sop_classes"]
    assert found["[sites.south-2.selection] ae_titles"] == "must not be empty"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('studies = "all"\nmodalities = ["CT"]', "contradict"),
        ('modalities = ["ct"]', "upper-case"),
        ('study_descriptions = ["*"]', "at least one letter"),
        ('ae_titles = ["A TITLE THAT IS TOO LONG"]', "16"),
        ('sop_classes = ["CT Image Storage"]', "UID of a SOP class"),
        ('studies = "all"\nwait_for = ["CT"]', "RTSTRUCT ="),
        ('studies = "all"\nexclude_study_descriptions = "*test*"', "brackets"),
    ],
)
def test_a_selection_that_cannot_be_meant_is_refused(folder: Path, text: str, hint: str) -> None:
    (found,) = problems(folder, GOOD.replace('studies = "all"', text))
    assert found.startswith("[selection]")
    assert hint in found


def test_what_a_backfill_is_narrowed_by_has_a_name(folder: Path) -> None:
    text = GOOD + (
        'live_from = 2026-01-31\npatient_lists = {trial-a = "lists/a.txt"}\n'
        '[sites.south-2.description_lists]\nthorax = ["*thorax*", "*lung*"]\n'
    )
    site = load(folder, text).site("south-2")
    assert site.live_from == date(2026, 1, 31)
    assert site.patient_lists == {"trial-a": folder / "lists" / "a.txt"}
    assert site.description_lists == {"thorax": ("*thorax*", "*lung*")}
    north = load(folder, text).site("north")
    assert (north.live_from, north.patient_lists, north.description_lists) == (None, {}, {})


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ('live_from = "2026-01-31"', "live_from", "without quotes"),
        ("live_from = 2026-01-31T00:00:00", "live_from", "without quotes"),
        ('patient_lists = ["a.txt"]', "patient_lists", "trial-a ="),
        ('patient_lists = {Meier = "a.txt"}', "patient_lists.Meier", "hyphens"),
        ("description_lists = {thorax = []}", "description_lists.thorax", "empty"),
        ('description_lists = {thorax = ["*"]}', "description_lists.thorax.0", "at least one letter"),
    ],
)
def test_what_a_backfill_cannot_be_narrowed_by_is_refused(folder: Path, text: str, place: str, hint: str) -> None:
    (found,) = problems(folder, GOOD + text + "\n")
    assert found.startswith(f"[sites.south-2] {place}: ")
    assert hint in found


def test_a_profile_of_a_sites_own_begins_at_the_file_too(folder: Path) -> None:
    (folder / "ours.toml").write_text('extends = "basic"\n', "utf-8")
    sites = load(folder, GOOD.replace('name = "lung-2026"', 'name = "lung-2026"\nprofile = "ours.toml"'))
    assert sites.project.profile == str(folder / "ours.toml")


def test_the_faults_of_a_profile_are_counted_and_not_quoted(folder: Path) -> None:
    (folder / "ours.toml").write_text('extends = "basic"\n[vocabulary]\nwords = ["Erika Mustermann", "q"]\n', "utf-8")
    with pytest.raises(SitesError) as raised:
        load(folder, GOOD.replace('name = "lung-2026"', 'name = "lung-2026"\nprofile = "ours.toml"'))
    assert "it has 2 faults, and `entwash profile show ours.toml` tells them" in str(raised.value)
    assert "Mustermann" not in str(raised.value)


def test_relative_paths_begin_at_the_file_and_not_at_the_caller(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    sites = load(folder, GOOD + '\n[lineage]\ndirectory = "records/here"\n')
    assert sites.site("north").key_file == folder / "keys" / "north.key"
    assert sites.lineage == folder / "records" / "here"


def test_the_file_is_found_by_argument_then_variable_then_here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("argument", "variable", "sites"):
        (folder / f"{name}.toml").write_text(GOOD.replace("lung-2026", name), "utf-8")
    monkeypatch.chdir(folder)
    assert load_sites().project.name == "sites"
    monkeypatch.setenv("ENTWASH_SITES", str(folder / "variable.toml"))
    assert load_sites().project.name == "variable"
    assert load_sites(folder / "argument.toml").project.name == "argument"


def test_every_problem_is_told_at_once_with_its_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOUTH_PASSWORD")
    (folder / "keys" / "north.key").unlink()
    text = without(GOOD, 'username = "reader"').replace("https://cloud", "ftp://cloud")
    text = text.replace('name = "lung-2026"', 'name = "lung-2026"\nprofile = "lax"\npatient_id_prefix = "A\\\\B"')
    text += "colour = 3\n[sites.North]\n[extra]\n"
    found = problems(folder, text)
    assert [line.split(": ")[0] for line in found] == [
        "[cloud] url",
        "[project] profile",
        "[project] patient_id_prefix",
        "[sites.north] key_file",
        "[sites.south-2] username",
        "[sites.south-2] colour",
        "[sites.south-2] password_env",
        "[sites.North]",
        "[sites.North] url",
        "[sites.North] username",
        "[sites.North] password_env",
        "[sites.North] key_file",
        "[extra]",
    ]
    assert "research" in found[1]
    assert str(folder / "keys" / "north.key") in found[3]
    assert "SOUTH_PASSWORD" in found[6]


@pytest.mark.parametrize(
    ("old", "new", "place", "hint"),
    [
        ("http://127.0.0.1:8042", "127.0.0.1:8042", "[sites.north] url", "http://"),
        ("http://127.0.0.1:8042", "http://127.0.0.1:port", "[sites.north] url", "http://"),
        ("http://127.0.0.1:8042", "http://[oops", "[sites.north] url", "http://"),
        ("http://127.0.0.1:8042", "http://127.0.0.1:8042/?x=1", "[sites.north] url", "no ?"),
        ("http://127.0.0.1:8042", "https://cloud.example.org/orthanc", "[sites.north] url", "cloud's own"),
        ('"reader"', '"rea:der"', "[sites.south-2] username", "colon"),
        ('"reader"', "7", "[sites.south-2] username", "text in quotes"),
        ('"NORTH_PASSWORD"', '""', "[sites.north] password_env", "environment variable"),
        ('"South"', '"So\\u0000uth"', "[sites.south-2] default_issuer", "control characters"),
        ('"shared"', '" shared"', "[sites.south-2] work_pool", "space"),
        ('"lung-2026"', '"lung-2026 "', "[project] name", "space"),
        ("[sites.south-2]", "[sites.south_2]", "[sites.south_2]", "hyphens"),
        ('name = "lung-2026"', f'name = "a"\npatient_id_prefix = "{"P" * 49}"', "[project] patient_id_prefix", "48"),
        ('name = "lung-2026"', 'name = "a"\nprofile = "none.toml"', "[project] profile", "No such file"),
        ('name = "lung-2026"', 'name = "a"\nprofile = "none"', "[project] profile", ".toml"),
        ('name = "lung-2026"', 'name = "a"\nhold = "nothing"', "[project] hold", '"study", or "instance"'),
        ('work_pool = "shared"', "hold = true", "[sites.south-2] hold", '"study", or "instance"'),
        ('name = "lung-2026"', 'name = "a"\npatient_id_prefix = "Ü"', "[project] patient_id_prefix", "ASCII"),
        ('name = "lung-2026"', 'name = "a"\npatient_id_prefix = "a\\tb"', "[project] patient_id_prefix", "printable"),
    ],
)
def test_a_bad_value_is_told_by_place_and_expectation(folder: Path, old: str, new: str, place: str, hint: str) -> None:
    assert old in GOOD
    found = problems(folder, GOOD.replace(old, new))
    assert len(found) == 1
    assert found[0].startswith(f"{place}: ")
    assert hint in found[0]


def test_a_prefix_of_48_characters_still_leaves_room_for_the_code(folder: Path) -> None:
    sites = load(folder, GOOD.replace('name = "lung-2026"', f'name = "a"\npatient_id_prefix = "{"P" * 48}"'))
    assert len(sites.project.patient_id_prefix) + 16 == 64


@pytest.mark.parametrize("section", ["cloud", "project", "sites"])
def test_a_section_that_is_missing_is_named(folder: Path, section: str) -> None:
    kept = [part for part in GOOD.split("\n[") if not part.startswith(section)]
    assert any(line.startswith(f"[{section}]: ") for line in problems(folder, "\n[".join(kept)))


def test_a_file_that_is_no_toml_is_told_with_its_line(folder: Path) -> None:
    with pytest.raises(SitesError, match=r"not TOML.*line 3"):
        load(folder, GOOD.replace('"https://cloud.example.org/orthanc/"', "https://cloud"))


def test_a_file_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SitesError, match="ENTWASH_SITES"):
        load_sites(tmp_path / "none.toml")
    with pytest.raises(SitesError, match="cannot be read"):
        load_sites(tmp_path)


def test_a_lineage_directory_that_is_a_file_is_refused(folder: Path) -> None:
    (folder / "lineage").write_text("", "utf-8")
    assert problems(folder, GOOD)[0].startswith("[lineage] directory: ")


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace('password_env = "NORTH_PASSWORD"', 'password = "planted-secret"'),
        GOOD.replace('"NORTH_PASSWORD"', '"planted-secret"'),
        GOOD.replace("http://127.0.0.1:8042", "http://me:planted-secret@127.0.0.1:8042"),
        GOOD.replace("http://127.0.0.1:8042", "http://me:planted-secret@127.0.0.1:no"),
        GOOD.replace("http://127.0.0.1:8042", "http://me:planted-secret@\u2100.example"),
        GOOD.replace('"NORTH_PASSWORD"', '"planted-secret'),
    ],
)
def test_a_password_in_the_wrong_place_is_refused_and_not_repeated(folder: Path, text: str) -> None:
    with pytest.raises(SitesError) as caught:
        load(folder, text)
    assert "planted-secret" not in str(caught.value)


def test_no_repr_shows_a_password(folder: Path) -> None:
    sites = load(folder)
    shown = repr(sites) + str(sites) + repr(sites.site("north")) + sites.model_dump_json()
    assert not [secret for secret in SECRETS.values() if secret in shown]


def test_a_hospital_needs_its_own_password_and_key_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOUTH_PASSWORD")
    (folder / "keys" / "south.key").unlink()
    assert len(problems(folder, GOOD)) == 2
    sites = load(folder, only="north")
    assert sites.site("north").server.password.get_secret_value() == "north-secret"
    assert sites.names == ("north", "south-2")
    with pytest.raises(SitesError, match="not checked"):
        sites.site("south-2")


def test_a_hospital_still_needs_the_whole_file_to_be_well_formed(folder: Path) -> None:
    assert problems(folder, GOOD + "colour = 3\n", only="north")[0].startswith("[sites.south-2] colour: ")


def test_an_unknown_site_is_answered_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(SitesError, match="north, south-2"):
        load(folder).site("west")
    assert "north, south-2" in problems(folder, GOOD, only="west")[0]


def test_the_error_is_for_a_person_and_survives_a_process_boundary(folder: Path) -> None:
    with pytest.raises(TerminalError) as caught:
        load(folder, "")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301 - our own bytes
