"""Profiles: which options of PS3.15 hold. Data, with a digest."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass
from importlib.resources import files

import pydicom

from anonymizer.engine import tables
from anonymizer.errors import ProfileError

# Options of Table E.1-1 that the engine carries out, with their codes of CID 7050.
OPTION_CODES = {
    "retain_longitudinal_modified_dates": "113107",
    "retain_patient_characteristics": "113108",
}
BASIC_CODE = "113100"


@dataclass(frozen=True, slots=True)
class Profile:
    """A named choice of options over the Basic profile.

    Attributes
    ----------
    name, description : str
        For people.
    options : tuple of str
        Columns of Table E.1-1, as the table file spells them.
    digest : str
        SHA-256 over what decides the answers: the options, the tables, and the version of pydicom, whose
        dictionary decides what an attribute is.
    """

    name: str
    description: str
    options: tuple[str, ...]
    digest: str

    @property
    def moves_dates(self) -> bool:
        """Tell whether dates move (113107) instead of going."""
        return "retain_longitudinal_modified_dates" in self.options

    @property
    def method_codes(self) -> tuple[str, ...]:
        """Return the codes of CID 7050 that an output may claim."""
        return (BASIC_CODE, *(OPTION_CODES[option] for option in self.options))


def profile_names() -> list[str]:
    """Return the names of the shipped profiles."""
    folder = files("anonymizer").joinpath("profiles")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_profile(name: str) -> Profile:
    """Read a shipped profile.

    Raises
    ------
    ProfileError
        When there is none of that name, or it names an option that the engine does not carry out.
    """
    if name not in profile_names():
        raise ProfileError(f"there is no profile {name!r}; there are: {', '.join(profile_names())}")
    data = tomllib.loads(files("anonymizer").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8"))
    options = tuple(sorted(data["options"]))
    unknown = [option for option in options if option not in OPTION_CODES]
    if unknown:
        raise ProfileError(f"profile {name!r}: no such option: {', '.join(unknown)}")
    decides = {
        "options": options,
        "edition": tables.EDITION,
        "pydicom": pydicom.__version__,
        "method_codes": tables.method_codes(),
        "table": tables.rows_digest([[row.tag, row.basic, row.options] for row in tables.confidentiality_rows()]),
        "kept": tables.kept().digest,
        "sop_classes": tables.sop_classes().digest,
    }
    digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
    return Profile(name, data["description"], options, digest)
