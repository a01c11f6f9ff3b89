"""The form of the sites file, and everything that can be wrong with one.

Two looks, so that one attempt shows every problem: at the form (sections, keys, values), and at this
machine (variables, key files). A problem says where it is and what is expected, never what stood there:
that may be a password in the wrong line.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError

from anonymizer import AnonymizerError, Key, check_prefix, load_profile, profile_names
from flows.errors import SitesError
from flows.settings.closed import Closed
from flows.settings.hours import Hours
from flows.settings.selectionrow import NOTHING_SELECTED, Patterns, SelectionRow

__all__ = ["Hold", "ServerRow", "SiteRow", "SitesFile", "beside", "is_own_profile", "listed", "read_sites_file"]

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_LO = 64  # characters that a value of VR LO may have (PS3.5 6.2)


def _text(value: str) -> str:
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError("must not be empty, nor begin or end with a space, nor hold control characters")
    return value


def _url(value: str) -> str:
    _text(value)
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as a port that is no number; its message would show the whole address
        usable = False
    if not usable:
        raise ValueError("must be an address such as http://127.0.0.1:8042 or https://host/orthanc")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user name or password; use username and password_env")
    if parts.query or parts.fragment:
        raise ValueError("must end with the path: no ? and no #")
    return value.rstrip("/")


def _username(value: str) -> str:
    if ":" in _text(value):  # RFC 7617, 2
        raise ValueError("must not hold a colon")
    return value


def _variable(value: str) -> str:
    # Strict, because a password may have been put here, and the name of a missing variable is printed.
    if not _VARIABLE.fullmatch(value):
        raise ValueError("must be the name of an environment variable: upper-case letters, digits and _")
    return value


def _profile(value: str) -> str:
    if value not in (known := profile_names()) and not is_own_profile(value):
        raise ValueError(f"no such profile; there is {listed(known)}, and files that end with .toml")
    return value


def _prefix(value: str) -> str:
    try:
        check_prefix(value)
    except AnonymizerError as error:
        raise ValueError(str(error).removeprefix("patient_id_prefix: ")) from None
    return value


def _issuer(value: str) -> str:
    if len(value) > _LO or not value.isprintable() or "\\" in value:
        raise ValueError(f"must be at most {_LO} characters, without control characters and backslashes")
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise ValueError("a name is of lower-case letters, digits and hyphens")
    return value


def _hours(value: str) -> str:
    Hours.read(value)
    return value


Hold = Literal["study", "instance"]
"""What one held instance holds: its study, or itself and what points at it."""
Release = Literal["study", "instance"]
"""What leaves at once: a study when it is stable, or each instance when it arrives."""
_Text = Annotated[str, AfterValidator(_text)]
_Name = Annotated[str, AfterValidator(_name)]


class ServerRow(Closed):
    """Hold what every Orthanc needs."""

    url: Annotated[str, AfterValidator(_url)]
    username: Annotated[str, AfterValidator(_username)]
    password_env: Annotated[str, AfterValidator(_variable)]


class SiteRow(ServerRow):
    """Hold `[sites.NAME]`."""

    key_file: _Text
    work_pool: _Text | None = None
    default_issuer: Annotated[str, AfterValidator(_issuer)] = ""
    hold: Hold | None = None  # the project's, where nothing is said
    release: Release | None = None  # likewise
    stable_age: Annotated[int, Field(ge=0, le=86400)] = 60  # seconds; Orthanc's own default
    busy: Annotated[str, AfterValidator(_hours)] = "mon-fri 07:00-19:00"
    doorbell: bool = True
    selection: SelectionRow | None = None  # the one of the whole file, where nothing is said
    live_from: date | None = None  # StudyDate
    patient_lists: Mapping[_Name, _Text] = Field(default_factory=dict)
    description_lists: Mapping[_Name, Patterns] = Field(default_factory=dict)


class ProjectRow(Closed):
    """Hold `[project]`."""

    name: _Text
    profile: Annotated[str, AfterValidator(_profile)] = Field("research", validate_default=True)
    patient_id_prefix: Annotated[str, AfterValidator(_prefix)] = "DEID-"
    hold: Hold = "study"
    release: Release = "study"


class LineageRow(Closed):
    """Hold `[lineage]`."""

    directory: _Text = "lineage"


class SitesFile(Closed):
    """Hold the whole file."""

    cloud: ServerRow
    project: ProjectRow
    lineage: LineageRow = LineageRow()
    selection: SelectionRow | None = None
    sites: Annotated[dict[_Name, SiteRow], Field(min_length=1)]


def read_sites_file(path: Path, only: str | None, *, here: bool = True) -> SitesFile:
    """Read a sites file and find all its problems.

    Parameters
    ----------
    path
        The file; its folder is where relative paths begin.
    only
        The one site whose password and key file this machine must have; None for all.
    here
        Whether this machine must have any of that, and not the form alone be right.

    Raises
    ------
    SitesError
        With every problem, one line each.
    """
    content = _content(path)
    problems: list[_Problem] = []
    try:
        form = SitesFile.model_validate(content)
    except ValidationError as invalid:
        form = None
        problems += [_problem(error["loc"], error["type"], error["msg"]) for error in invalid.errors()]
    problems += _unselected(content)
    if here:
        problems += _missing(content, path.parent, only)
    if form is None or problems:
        order = {section: place for place, section in enumerate(_sections(content))}
        problems.sort(key=lambda problem: order.get(problem.section, len(order)))
        lines = [f"[{section}]{' ' * bool(key)}{key}: {text}" for section, key, text in problems]
        raise SitesError("\n".join([f"{path} cannot be used; nothing was started:", *lines]))
    return form


_SITE = 2  # names of a site's own section: sites, and its name
_DICTS = {
    "wait_for": 'such as {RTSTRUCT = ["CT", "MR"]}',
    "patient_lists": 'such as {trial-a = "trial-a.txt"}',
    "description_lists": 'such as {thorax = ["*thorax*"]}',
}
_OF_A_SITE: Mapping[str, type[Closed]] = {"selection": SelectionRow}


class _Problem(NamedTuple):
    section: str
    key: str
    text: str


def _content(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        advice = "copy deployments/sites.example.toml there, or name another file in ENTWASH_SITES"
        problem = f"There is no sites file {path}: {advice}"
    except OSError as fault:
        problem = f"The sites file {path} cannot be read: {fault.strerror}"
    except UnicodeDecodeError:
        problem = f"The sites file {path} is not text in UTF-8: save it as such"
    except tomllib.TOMLDecodeError as fault:
        problem = f"The sites file {path} is not TOML: {fault}"
    raise SitesError(problem)


def _sections(content: Mapping[str, Any]) -> Iterator[str]:
    for name, value in content.items():
        yield name
        if name == "sites" and isinstance(value, dict):
            for site, row in value.items():
                yield f"sites.{site}"
                if isinstance(row, dict):
                    yield from (f"sites.{site}.{section}" for section in _OF_A_SITE.keys() & row.keys())


def _problem(loc: tuple[int | str, ...], kind: str, message: str) -> _Problem:
    """Turn one of Pydantic's errors into section, key and a sentence."""
    names = [str(part) for part in loc if part != "[key]"]
    depth = _depth(names)
    section, key = ".".join(names[:depth]), ".".join(names[depth:])
    text = {
        "missing": "is missing",
        "extra_forbidden": f"is not known here; there is {listed(_known(names, depth))}",
        "string_type": "must be text in quotes",
        "model_type": f"must be a section: [{section}]",
        "dict_type": f"must be {_DICTS.get(names[-1], 'sections: [sites.NAME]')}",
        "date_type": "must be a date such as 2026-01-31, without quotes",
        "literal_error": message.replace("Input should be", "must be").replace(" or ", ", or ").replace("'", '"'),
        "tuple_type": "must be a list in brackets",
        "too_short": "there is no hospital; add a section [sites.NAME]",
    }.get(kind, message.removeprefix("Value error, "))
    if kind == "extra_forbidden" and "password" in key.lower():
        text += "; the password itself belongs into the variable that password_env names"
    return _Problem(section, key, text)


def _depth(names: Sequence[str]) -> int:
    """Return how many of the names are those of a section."""
    if names[0] != "sites":
        return 1
    return 3 if len(names) > _SITE and names[_SITE] in _OF_A_SITE else min(len(names), _SITE)


def _known(names: Sequence[str], depth: int) -> Iterable[str]:
    if len(names) == depth == 1:
        return SitesFile.model_fields
    rows: dict[str, type[Closed]] = {
        "cloud": ServerRow,
        "project": ProjectRow,
        "lineage": LineageRow,
        "sites": SiteRow,
        **_OF_A_SITE,
    }
    return rows[names[_SITE] if depth > _SITE else names[0]].model_fields


def _unselected(content: Mapping[str, Any]) -> Iterator[_Problem]:
    """Find out that nobody chose what leaves."""
    sites = content.get("sites")
    rows = sites.values() if isinstance(sites, dict) else ()
    if "selection" not in content and not (rows and all(isinstance(row, dict) and "selection" in row for row in rows)):
        yield _Problem("selection", "", f"is missing; {NOTHING_SELECTED}")


def _missing(content: Mapping[str, Any], folder: Path, only: str | None) -> Iterator[_Problem]:
    """Find what the file names and this machine does not have. The form may still be wrong."""
    sites = content.get("sites")
    sites = sites if isinstance(sites, dict) else {}
    if only is not None and sites and only not in sites:
        yield _Problem("sites", "", f"there is no site of the name asked for; there is {listed(sites)}")
    here = {f"sites.{name}": row for name, row in sites.items() if only in {None, name}}
    cloud = content.get("cloud")
    for section, row in {"cloud": cloud, **here}.items():
        if not isinstance(row, dict):
            continue
        variable = row.get("password_env")
        if isinstance(variable, str) and _VARIABLE.fullmatch(variable) and not os.environ.get(variable):
            yield _Problem(section, "password_env", f"the environment variable {variable} is not set or empty")
        key_file = row.get("key_file")
        if isinstance(key_file, str) and key_file:
            try:
                Key.load(beside(folder, key_file))
            except AnonymizerError as error:
                yield _Problem(section, "key_file", str(error))
        if section != "cloud" and isinstance(cloud, dict) and _address(row) == _address(cloud) is not None:
            yield _Problem(section, "url", "is the cloud's own: a hospital must not be loaded into itself")
    yield from _own_profile(content, folder)
    lineage = content.get("lineage")
    directory = lineage.get("directory", "lineage") if isinstance(lineage, dict) else "lineage"
    if isinstance(directory, str) and (place := beside(folder, directory)).exists() and not place.is_dir():
        yield _Problem("lineage", "directory", f"{place} is a file; name a folder")


def _own_profile(content: Mapping[str, Any], folder: Path) -> Iterator[_Problem]:
    """Find what is wrong with the profile that a site wrote itself."""
    project = content.get("project")
    name = project.get("profile") if isinstance(project, dict) else None
    if isinstance(name, str) and is_own_profile(name):
        try:
            load_profile(beside(folder, name))
        except AnonymizerError as error:
            said, *faults = str(error).splitlines()
            if faults:  # they quote what somebody wrote, and this message goes to Prefect
                said += f" it has {len(faults)} faults, and `entwash profile show {name}` tells them"
            yield _Problem("project", "profile", said)


def _address(row: Mapping[str, Any]) -> str | None:
    url = row.get("url")
    return url.rstrip("/").lower() if isinstance(url, str) else None


def beside(folder: Path, name: str) -> Path:
    """Begin a relative path at the folder of the sites file."""
    return folder / Path(name).expanduser()


def is_own_profile(name: str) -> bool:
    """Tell whether a profile is named by the path of its file."""
    return name.endswith(".toml")


def listed(names: Iterable[str]) -> str:
    """Write names as one list for a message."""
    return ", ".join(names) or "none"
