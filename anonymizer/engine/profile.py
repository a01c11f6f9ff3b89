"""Profiles: which options of PS3.15 hold and which attributes a site treats its own way. Data, with a digest."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag, tag_for_keyword

from anonymizer.engine import concepts, content, private, tables, types, vocabulary
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
FULL_DATES, MODIFIED_DATES = "retain_longitudinal_full_dates", "retain_longitudinal_modified_dates"
PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
RETAIN_UIDS = "retain_uids"

OVERRIDES = ("remove", "empty", "dummy", "uid", "clean", "keep")
"""What a site may say of an attribute, from what tells least to what tells most."""

# Their pseudonyms and what an output says of itself are not a site's to choose.
_FIXED = frozenset(
    tag_for_keyword(keyword)
    for keyword in (
        "SpecificCharacterSet",
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "PatientName",
        "PatientID",
        "AccessionNumber",
        "StudyID",
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "DeidentificationMethodCodeSequence",
        "LongitudinalTemporalInformationModified",
        "PixelData",
        "FloatPixelData",
        "DoubleFloatPixelData",
    )
)
_TAG = re.compile(r"\(([0-9A-Fa-f]{4}),([0-9A-Fa-f]{4})\)")
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
        Attributes that are treated otherwise; the words are those of :data:`OVERRIDES`.
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
            When an option or an override is none, or two exclude each other.
        """
        chosen = tuple(sorted(set(options)))
        changes = tuple(sorted((overrides or {}).items()))
        own_words = tuple(sorted(set(words)))
        if faults := [*_faults_of_options(chosen), *(fault for change in changes for fault in _faults_of(*change))]:
            raise ProfileError(f"profile {name!r}: {'; '.join(faults)}")
        vocabulary.Vocabulary(own_words)  # refuses what is no word
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
    if base not in profile_names():
        faults.append(f"extends has to name a shipped profile: {', '.join(profile_names())}")
    options, attributes, words = (data.get(name, {}) for name in ("options", "attributes", "vocabulary"))
    for section, allowed in ((options, {"add", "remove"}), (words, {"words"})):
        if isinstance(section, dict):
            faults += [f"unknown: {key}" for key in section if key not in allowed]
            faults += [f"{key} has to be a list of texts" for key in allowed if not _is_texts(section.get(key, []))]
    tags: dict[int, str] = {}
    for attribute, word in attributes.items() if isinstance(attributes, dict) else ():
        tag = _tag_of(attribute)
        if tag is None:
            faults.append(f"{attribute} is no attribute of the standard: give its keyword or (gggg,eeee)")
        elif not isinstance(word, str):
            faults.append(f"{attribute} has to be one of {', '.join(OVERRIDES)}")
        else:
            tags[tag] = word
    if faults:
        raise ProfileError(f"profile {path}: {'; '.join(faults)}")
    inherited = set(load_profile(str(base)).options)
    missing = sorted(set(options.get("remove", [])) - inherited)
    if missing:
        raise ProfileError(f"profile {path}: {base} has no option {', '.join(missing)} to remove")
    return Profile.of(
        path.stem,
        options=(inherited - set(options.get("remove", []))) | set(options.get("add", [])),
        overrides=tags,
        words=words.get("words", []),
        description=data.get("description", f"{base}, with changes of the site's own"),
    )


def _is_other(data: dict[str, Any], name: str, kind: type) -> bool:
    return name in data and not isinstance(data[name], kind)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _tag_of(attribute: str) -> int | None:
    match = _TAG.fullmatch(attribute)
    tag = int(match[1] + match[2], 16) if match else tag_for_keyword(attribute)
    return tag if tag is not None and dictionary_has_tag(tag) else None


def _faults_of_options(options: tuple[str, ...]) -> list[str]:
    faults = [f"no such option: {option}" for option in options if option not in OPTION_CODES]
    if FULL_DATES in options and MODIFIED_DATES in options:
        faults.append(f"{FULL_DATES} and {MODIFIED_DATES} exclude each other (PS3.15 E.3.6)")
    return faults


def _faults_of(tag: int, word: str) -> list[str]:
    name = keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    if word not in OVERRIDES:
        return [f"{name}: {word!r} is none of {', '.join(OVERRIDES)}"]
    if tag in _FIXED or tag >> 16 < 0x0008 or not dictionary_has_tag(tag):
        return [f"{name} cannot be treated otherwise than it is"]
    if word == "keep" and dictionary_VR(tag) == "UR":
        return [f"{name} cannot be kept: a link leads to where it came from"]
    return []
