"""Pseudonyms, version 1: every one a keyed pure function of the source value.

Frozen. Changing one of these functions breaks every link that was made before, so a change is a new version
with a new number.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache

from anonymizer.engine.keys import Key, Mac
from anonymizer.engine.tables import REGISTERED_UIDS
from anonymizer.errors import ProfileError

VERSION = 1

_CODE_BYTES = 10
_CODE_CHARACTERS = 16
_LONGEST_LO = 64
_LONGEST_UID = 66  # with its padding, and a space that should not be there
_WEEK = 7
_FEWEST_WEEKS = 52
_SHIFTS = 469


@dataclass(frozen=True, slots=True, repr=False)
class Subject:
    """The person (or, where nobody is named, the study) that a data set is about.

    Holds source values: it lives in memory only, and its representation shows none of them.
    """

    texts: tuple[str, ...]

    @classmethod
    def of(cls, patient_id: str, issuer: str, study_instance_uid: str, *, default_issuer: str = "") -> Subject:
        """Tell whom a data set is about.

        An absent issuer is the site's own. An empty patient ID makes the study its own subject, so that two
        unknown patients are never merged; backslashes and spaces alone count as empty.
        """
        if not patient_id.strip(" \\"):
            return cls(("study", study_instance_uid.strip("\0 ")))
        return cls(("id", issuer.strip(" ") or default_issuer.strip(" "), patient_id.strip(" ")))

    def __repr__(self) -> str:
        return "Subject(…)"


class Pseudonyms:
    """Derive what stands in the place of what identified somebody.

    Parameters
    ----------
    key : Key
        The site's secret.
    project : str
        The purpose; pseudonyms of two projects never match.
    patient_id_prefix : str
        Stands before the code in PatientID, so that nobody takes it for a hospital's number.

    Raises
    ------
    ProfileError
        When a PatientID with that prefix would be no valid LO value (PS3.5 6.2).
    """

    def __init__(self, key: Key, project: str, *, patient_id_prefix: str = "DEID-") -> None:
        check_prefix(patient_id_prefix)
        self._mac = Mac(key, project)
        self.patient_id_prefix = patient_id_prefix
        self.key_id = key.key_id(project)
        self._known_uid = lru_cache(maxsize=65536)(self._uid)

    def __repr__(self) -> str:
        return f"Pseudonyms(key {self.key_id})"

    def uid(self, uid: str) -> str:
        """Return the UID that stands for `uid` wherever it stands (PS3.5 B.2).

        A UID that the standard registers is returned as it is, and nothing is kept for its prefix alone.
        """
        # What is too long to be one could be of any length, and is not remembered.
        return self._known_uid(uid) if len(uid) <= _LONGEST_UID else self._uid(uid)

    def _uid(self, uid: str) -> str:
        uid = uid.strip("\0 ")
        if not uid or uid in REGISTERED_UIDS:
            return uid
        octets = bytearray(self._mac("uid", uid)[:16])
        octets[6] = octets[6] & 0x0F | 0x80  # version 8 (RFC 9562 5.8)
        octets[8] = octets[8] & 0x3F | 0x80  # variant 10
        return f"2.25.{int.from_bytes(octets, 'big')}"

    def patient_code(self, subject: Subject) -> str:
        """Return the 16 characters that PatientID and PatientName share."""
        return _code(self._mac("patient", *subject.texts))

    def patient_id(self, subject: Subject) -> str:
        """Return the PatientID of `subject`."""
        return self.patient_id_prefix + self.patient_code(subject)

    def patient_name(self, subject: Subject) -> str:
        """Return the PatientName of `subject`."""
        return f"DEIDENTIFIED^{self.patient_code(subject)}"

    def accession_number(self, accession: str) -> str:
        """Return the AccessionNumber for `accession`; an empty one stays empty."""
        accession = accession.strip(" ")
        return _code(self._mac("accession", accession)) if accession else ""

    def study_id(self, study_instance_uid: str) -> str:
        """Return the StudyID of a study: emptied ones merge same-day studies in some archives."""
        return _code(self._mac("study-id", study_instance_uid.strip("\0 ")))

    def date_shift(self, subject: Subject) -> int:
        """Return by how many days the dates of `subject` move: whole weeks back, one to ten years."""
        number = int.from_bytes(self._mac("date", *subject.texts)[:8], "big")
        return -_WEEK * (_FEWEST_WEEKS + number % _SHIFTS)

    def token(self, purpose: str, *texts: str) -> str:
        """Return 16 characters that let the site recognise something without naming it.

        For records only (a hospital's study, the state that it was seen in); never part of a data set.
        """
        return _code(self._mac(f"token/{purpose}", *texts))

    def number(self, purpose: str, *texts: str) -> int:
        """Return a number of 63 bits that does what :meth:`token` does in an eighth of the space: for long lists."""
        return int.from_bytes(self._mac(f"number/{purpose}", *texts)[:8], "big") >> 1


def check_prefix(prefix: str) -> None:
    """Refuse a prefix of PatientID that makes no valid value.

    ASCII alone, because a PatientID goes into data sets of every Specific Character Set (PS3.5 6.1.2.1).

    Raises
    ------
    ProfileError
        With what is wrong.
    """
    longest = _LONGEST_LO - _CODE_CHARACTERS
    if len(prefix) > longest or prefix != prefix.lstrip() or not prefix.isascii() or not prefix.isprintable():
        raise ProfileError(f"patient_id_prefix: at most {longest} printable ASCII characters, no space in front")
    if "\\" in prefix:
        raise ProfileError("patient_id_prefix: a backslash would make two PatientIDs of one")


def _code(mac: bytes) -> str:
    return base64.b32encode(mac[:_CODE_BYTES]).decode("ascii")
