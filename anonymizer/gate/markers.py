"""Read what an output claims about itself (PS3.15 E.1.1, E.2; CID 7050)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from anonymizer.gate.dates import CLAIMS
from anonymizer.gate.findings import Flaw, Position
from anonymizer.gate.identifiers import DATE, DEVICE, INSTITUTION, UID
from anonymizer.gate.meanings import is_meaning
from anonymizer.gate.memory import Element
from anonymizer.gate.reading import first_value, text_values

if TYPE_CHECKING:
    from anonymizer.gate.side import Side

PATIENT_IDENTITY_REMOVED = 0x00120062
DEIDENTIFICATION_METHOD = 0x00120063
DEIDENTIFICATION_METHOD_CODE_SEQUENCE = 0x00120064
LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED = 0x00280303
INSERTED = frozenset(
    {
        PATIENT_IDENTITY_REMOVED,
        DEIDENTIFICATION_METHOD,
        DEIDENTIFICATION_METHOD_CODE_SEQUENCE,
        LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,
    }
)
"""What an output says of its own de-identification, whatever its source says."""
CODE_VALUE, CODING_SCHEME_DESIGNATOR, CODE_MEANING = 0x00080100, 0x00080102, 0x00080104
_OF_A_CODE = frozenset({CODE_VALUE, CODING_SCHEME_DESIGNATOR, CODE_MEANING})

# Codes of CID 7050 that an output may claim.
BASIC = "113100"  # Basic Application Confidentiality Profile
FULL_DATES = "113106"  # Retain Longitudinal Temporal Information Full Dates Option
MODIFIED_DATES = "113107"  # Retain Longitudinal Temporal Information Modified Dates Option
CHARACTERISTICS = "113108"  # Retain Patient Characteristics Option
DEVICE_IDENTITY = "113109"  # Retain Device Identity Option
UIDS = "113110"  # Retain UIDs Option
SAFE_PRIVATE = "113111"  # Retain Safe Private Option
INSTITUTION_IDENTITY = "113112"  # Retain Institution Identity Option

DEVICES_WITHOUT_DATES = "Devices retained without their dates"
"""What no code of CID 7050 says: Retain Device Identity Option, but for the dates."""

RETAINED: Mapping[str, str] = {
    FULL_DATES: DATE,
    DEVICE_IDENTITY: DEVICE,
    DEVICES_WITHOUT_DATES: DEVICE,
    UIDS: UID,
    INSTITUTION_IDENTITY: INSTITUTION,
}
"""What an output may still say if it claims one of these. No option retains the date of birth."""

CHARACTERISTIC_TAGS = frozenset(
    {
        0x00100040,  # PatientSex
        0x00101010,  # PatientAge
        0x00101020,  # PatientSize
        0x00101030,  # PatientWeight
        0x00102160,  # EthnicGroup
        0x001021A0,  # SmokingStatus
    }
)
"""What stands by the claim of Retain Patient Characteristics Option alone."""

ASKED = INSERTED | CHARACTERISTIC_TAGS
"""The elements that `check` looks at: one of them decides what another one may be."""

_NOTHING = frozenset({"", "0", "000D", "DEIDENTIFIED", "DE_IDENTIFIED"})
"""What says nothing in one of them."""

_METHODS = frozenset({"", "Entwash", DEVICES_WITHOUT_DATES})
"""What DeidentificationMethod may say."""


def claimed_by(code: Mapping[int, Element]) -> set[str]:
    """Return the code that an item of DeidentificationMethodCodeSequence claims, given its elements; or none."""
    return {first_value(code, CODE_VALUE)} if first_value(code, CODING_SCHEME_DESIGNATOR) == "DCM" else set()


def claims_of(side: Side) -> frozenset[str]:
    """Return the codes in DeidentificationMethodCodeSequence, and the words for what no code says."""
    return frozenset(side.claims | _methods_of(side) & {DEVICES_WITHOUT_DATES})


def _methods_of(side: Side) -> set[str]:
    method = side.element(DEIDENTIFICATION_METHOD)
    return set(text_values(method)) if method is not None else set()


def retained_by(claims: Iterable[str]) -> frozenset[str]:
    """Return the groups of identifiers that an output with these claims may still hold."""
    return frozenset(RETAINED[claim] for claim in claims if claim in RETAINED)


def longitudinal_claim(output: Side, source: Side, claims: frozenset[str]) -> str:
    """Return what an output claims of its dates beside its source's; that they stand is believed only with the code.

    Parameters
    ----------
    output, source : Side
        The two files.
    claims : frozenset of str
        Codes that the output has and its source has not: what the source said of itself proves nothing.
    """
    claim = output.value(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED)
    if claim == "UNMODIFIED":
        return claim if FULL_DATES in claims else ""
    before = source.value(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED)
    # Dates that somebody moved before, and that were retained as they came.
    is_retained = claim == before == "MODIFIED" and FULL_DATES in claims and MODIFIED_DATES not in claims
    return "UNMODIFIED" if is_retained else claim


def check(output: Side, source: Side) -> Iterator[Flaw]:
    """Yield the markers that an output lacks, and what it says in them that nobody can believe.

    What is asked of the two files is in `ASKED`.
    """
    if output.value(PATIENT_IDENTITY_REMOVED) != "YES":
        rule = "PatientIdentityRemoved has to be YES"
        yield Flaw("marker-missing", (PATIENT_IDENTITY_REMOVED,), rule)
    has_codes = output.element(DEIDENTIFICATION_METHOD_CODE_SEQUENCE) is not None
    is_told = output.value(DEIDENTIFICATION_METHOD) and not has_codes
    if not is_told and not claims_of(output):
        # Whoever did less than a profile of the standard says what in words; the gate then believes nothing.
        rule = "DeidentificationMethodCodeSequence has to hold the codes of what was done"
        yield Flaw("marker-missing", (DEIDENTIFICATION_METHOD_CODE_SEQUENCE,), rule)
    if output.value(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED) not in CLAIMS:
        rule = "LongitudinalTemporalInformationModified has to be UNMODIFIED, MODIFIED or REMOVED"
        yield Flaw("marker-missing", (LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,), rule)
    if not _methods_of(output) <= _METHODS:
        yield Flaw("marker-wrong", (DEIDENTIFICATION_METHOD,), "DeidentificationMethod names no program that is known")
    if has_codes:
        yield from _unclaimed(output, source, claims_of(output))


def check_code(code: Mapping[int, Element], position: Position) -> Iterator[Flaw]:
    """Yield a flaw if an item of an output's DeidentificationMethodCodeSequence says what no standard says."""
    value, scheme, meaning = (first_value(code, tag) for tag in (CODE_VALUE, CODING_SCHEME_DESIGNATOR, CODE_MEANING))
    if scheme != "DCM" or code.keys() - _OF_A_CODE or not is_meaning(value, meaning):
        yield Flaw("marker-wrong", (*position, CODE_MEANING), "a code of what was done is none of the standard's")


def _unclaimed(output: Side, source: Side, claims: frozenset[str]) -> Iterator[Flaw]:
    """Yield what an output that claims codes does and does not claim."""
    if BASIC not in claims:
        rule = "an output that claims options has to claim the Basic Application Confidentiality Profile"
        yield Flaw("marker-missing", (DEIDENTIFICATION_METHOD_CODE_SEQUENCE,), rule)
    longitudinal = output.value(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED)
    is_ours = longitudinal != source.value(LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED)
    if longitudinal == "MODIFIED" and is_ours and MODIFIED_DATES not in claims:
        rule = "dates were modified, and no code claims it"
        yield Flaw("marker-missing", (DEIDENTIFICATION_METHOD_CODE_SEQUENCE,), rule)
    if CHARACTERISTICS not in claims:
        for tag in CHARACTERISTIC_TAGS:
            if output.value(tag) not in _NOTHING:
                yield Flaw("marker-missing", (tag,), "a characteristic of the patient stands, and no code claims it")
