"""Profiles: which options of PS3.15 hold and which attributes a site treats its own way. Data, with a digest."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pydicom

from anonymizer.engine import concepts, content, private, tables, types, vocabulary
from anonymizer.engine.overrides import FULL_DATES, MODIFIED_DATES, OVERRIDES, faults_of, tag_named
from anonymizer.errors import ProfileError

# The options of Table E.1-1, by the names of its columns, with their codes of CID 7050.
OPTION_CODES = {
    "clean_graphics": "113103",
    "clean_structured_content": "113104",
    "clean_descriptors": "113105",
    "retain_longitudinal_full_dates": "113106",
    "retain_longitudinal_modified_dates": "113107",
    "retain_patient_characteristics": "113108",
    "retain_device_identity": "113109",
    "retain_uids": "113110",
    "retain_safe_private": "113111",
    "retain_institution_identity": "113112",
}
BASIC_CODE = "113100"
CLEAN_DESCRIPTORS = "clean_descriptors"
PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
RETAIN_UIDS = "retain_uids"

_SECTIONS = {"description": str, "extends": str, "options": dict, "attributes": dict, "vocabulary": dict}


@dataclass(frozen=True, slots=True)
class Profile:
    """A named choice of options over the Basic profile, and what a site adds to it.

    Attributes
    ----------
    name, description : str
        For people.
    options : tuple of str
        Columns of Table E.1-1, as the table file spells them.
    overrides : tuple of (tag, word)
        Attributes that are treated otherwise; the words are those of :mod:`anonymizer.engine.overrides`.
    words : tuple of str
        The site's own vocabulary, beside the shipped one.
    digest : str
        SHA-256 over what decides the answers: all of the above but name and description, the tables, and the
        version of pydicom, whose dictionary decides what an attribute is.
    """

    name: str
    description: str
    options: tuple[str, ...]
    overrides: tuple[tuple[int, str], ...]
    words: tuple[str, ...]
    digest: str

    @classmethod
    def of(
        cls,
        name: str,
        *,
        options: Iterable[str] = (),
        overrides: Mapping[int, str] | None = None,
        words: Iterable[str] = (),
        description: str = "",
    ) -> Profile:
        """Make a profile.

        Raises
        ------
        ProfileError
            When an option, an override or a word is none, an override cannot be done, or two options exclude each
            other; all that is wrong is told, one fault a line.
        """
        chosen = tuple(sorted(set(options)))
        changes = tuple(sorted((overrides or {}).items()))
        own_words = tuple(sorted(set(words)))
        if faults := _faults(chosen, changes, own_words):
            raise _refused(repr(name), faults)
        decides = {
            "options": chosen,
            "overrides": changes,
            "words": own_words,
            "edition": tables.EDITION,
            "pydicom": pydicom.__version__,
            "method_codes": tables.method_codes(),
            "table": tables.rows_digest([[row.tag, row.basic, row.options] for row in tables.confidentiality_rows()]),
            "kept": tables.kept().digest,
            "newer": sorted(tables.newer().items()),
            "sop_classes": tables.sop_classes().digest,
            "types": types.digest(),
            "vocabulary": vocabulary.digest(),
            "coding_schemes": concepts.digest(),
            "content": content.digest(),
            "safe_private": private.digest(),
        }
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        return cls(name, description, chosen, changes, own_words, digest)

    @property
    def moves_dates(self) -> bool:
        """Tell whether dates move (113107)."""
        return MODIFIED_DATES in self.options

    @property
    def keeps_dates(self) -> bool:
        """Tell whether dates stay (113106)."""
        return FULL_DATES in self.options


def profile_names() -> list[str]:
    """Return the names of the shipped profiles."""
    folder = files("anonymizer").joinpath("profiles")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_profile(name: str | Path) -> Profile:
    """Read a profile: a shipped one by its name, or a site's own by the path of its file.

    Raises
    ------
    ProfileError
        When there is none, or its file says what no profile can say; all that is wrong is in one message.
    """
    if str(name) in profile_names():
        text = files("anonymizer").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8")
        data = tomllib.loads(text)
        return Profile.of(str(name), options=data["options"], description=data["description"])
    path = Path(name)
    if path.suffix != ".toml":
        shipped = ", ".join(profile_names())
        raise ProfileError(f"there is no profile {str(name)!r}; there are: {shipped}, and files that end with .toml")
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"profile {path}: {error.strerror}") from None
    except ValueError as error:
        raise ProfileError(f"profile {path} is no TOML file: {error}") from None
    return _extended(path, data)


def _extended(path: Path, data: dict[str, Any]) -> Profile:
    """Return a site's profile: a shipped one, with what the site adds and takes away."""
    faults = [f"unknown: {section}" for section in data if section not in _SECTIONS]
    faults += [f"{name} has to be a {kind.__name__}" for name, kind in _SECTIONS.items() if _is_other(data, name, kind)]
    base = data.get("extends")
    is_base = base in profile_names()
    if not is_base:
        faults.append(f"extends has to name a shipped profile: {', '.join(profile_names())}")
    added, removed = _lists(data, "options", ("add", "remove"), faults)
    (words,) = _lists(data, "vocabulary", ("words",), faults)
    if both := sorted(set(added) & set(removed)):
        faults.append(f"added and removed at once: {', '.join(both)}")
    changes = _changes(data.get("attributes", {}), faults)
    faults += [*_unknown([*added, *removed]), *_faults_of_words(words)]
    # Where nobody can tell which one is meant, what is wrong with either is told, so that it is not told next time.
    bases = [str(base)] if is_base else profile_names()
    of_bases = {one: _faults_of_choice(one, added, removed, changes) for one in bases}
    faults += [fault for fault in of_bases[bases[0]] if all(fault in found for found in of_bases.values())]
    for one, found in of_bases.items():
        faults += [f'with extends = "{one}": {fault}' for fault in found if fault not in faults]
    if faults:
        raise _refused(str(path), faults)
    return Profile.of(
        path.stem,
        options=_chosen(str(base), added, removed),
        overrides=changes,
        words=words,
        description=data.get("description", f"{base}, with changes of the site's own"),
    )


def _chosen(base: str, added: Iterable[str], removed: Iterable[str]) -> set[str]:
    return (set(load_profile(base).options) - set(removed)) | set(added)


def _faults_of_choice(base: str, added: Iterable[str], removed: Iterable[str], changes: Mapping[int, str]) -> list[str]:
    """Return what is wrong with a site's choices beside the options of what it extends."""
    inherited = load_profile(base).options
    missing = sorted(one for one in set(removed) if one in OPTION_CODES and one not in inherited)
    faults = [f"{base} has no option {', '.join(missing)} to remove"] if missing else []
    return faults + _disagreeing(_chosen(base, added, removed), changes.items())


def _lists(data: dict[str, Any], name: str, keys: tuple[str, ...], faults: list[str]) -> list[list[str]]:
    """Return the lists of texts of a section, empty ones for what is missing or wrong; that is added to the faults."""
    section = data.get(name, {})
    if not isinstance(section, dict):
        return [[] for _ in keys]  # told already
    faults += [f"unknown: {key} in [{name}]" for key in section if key not in keys]
    lists: list[list[str]] = []
    for key in keys:
        given = section.get(key, [])
        entries = given if isinstance(given, list) else []
        if not isinstance(given, list):
            faults.append(f'{key} has to be a list of texts, such as {key} = ["…", "…"]')
        lists.append([one for one in entries if isinstance(one, str)])
        if others := len(entries) - len(lists[-1]):
            faults.append(f"{key} has to be a list of texts in quotes; entries that are none: {others}")
    return lists


def _changes(attributes: object, faults: list[str]) -> dict[int, str]:
    """Return what a site says of attributes, by their tags; what it cannot say of any is added to the faults."""
    changes: dict[int, str] = {}
    for attribute, word in attributes.items() if isinstance(attributes, dict) else ():
        tag = tag_named(attribute)
        if isinstance(tag, str):
            faults.append(tag)
        elif not isinstance(word, str):
            faults.append(f"{attribute} has to be one of {', '.join(OVERRIDES)}")
        elif tag in changes:
            faults.append(f"{attribute} is named twice")
        else:
            changes[tag] = word
    return changes


def _is_other(data: dict[str, Any], name: str, kind: type) -> bool:
    return name in data and not isinstance(data[name], kind)


def _refused(name: str, faults: Iterable[str]) -> ProfileError:
    return ProfileError("\n  ".join([f"profile {name} cannot be used:", *faults]))


def _faults(options: Collection[str], changes: Iterable[tuple[int, str]], words: Iterable[str]) -> list[str]:
    """Return all that is wrong with a profile."""
    return [*_unknown(options), *_disagreeing(options, changes), *_faults_of_words(words)]


def _unknown(options: Iterable[str]) -> list[str]:
    unknown = sorted({option for option in options if option not in OPTION_CODES})
    return [f"no such option: {', '.join(unknown)}; there are: {', '.join(OPTION_CODES)}"] if unknown else []


def _disagreeing(options: Collection[str], changes: Iterable[tuple[int, str]]) -> list[str]:
    """Return which options exclude each other, and what cannot be said of an attribute beside them."""
    faults = []
    if FULL_DATES in options and MODIFIED_DATES in options:
        faults.append(
            f"{FULL_DATES} and {MODIFIED_DATES} exclude each other (PS3.15 E.3.6): name one of them under remove"
        )
    return [*faults, *(fault for tag, word in changes for fault in faults_of(tag, word, options))]


def _faults_of_words(words: Iterable[str]) -> list[str]:
    return [fault for word in sorted(set(words)) if (fault := vocabulary.fault_of(word))]
