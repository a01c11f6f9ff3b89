"""Anonymize DICOM instances deterministically under a key: bytes in, bytes and a report out.

No network, no database. :mod:`anonymizer.gate` proves what the engine did without knowing how.
"""

from anonymizer.engine.anonymize import Anonymizer
from anonymizer.engine.keys import Key
from anonymizer.engine.outcome import TWO_PATIENTS, Held, Identity, Reason, Released, Report
from anonymizer.engine.profile import OPTION_CODES, Profile, load_profile, profile_names
from anonymizer.engine.pseudonyms import VERSION as PSEUDONYMS_VERSION
from anonymizer.engine.pseudonyms import Pseudonyms, check_prefix
from anonymizer.engine.tables import known_modalities
from anonymizer.errors import AnonymizerError, KeyFileError, ProfileError, TableError

__all__ = [
    "OPTION_CODES",
    "PSEUDONYMS_VERSION",
    "TWO_PATIENTS",
    "Anonymizer",
    "AnonymizerError",
    "Held",
    "Identity",
    "Key",
    "KeyFileError",
    "Profile",
    "ProfileError",
    "Pseudonyms",
    "Reason",
    "Released",
    "Report",
    "TableError",
    "check_prefix",
    "known_modalities",
    "load_profile",
    "profile_names",
]
