"""Read what an output claims about itself (PS3.15 E.1.1, E.2; CID 7050)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from anonymizer.gate.dates import CLAIMS
from anonymizer.gate.findings import Flaw
from anonymizer.gate.identifiers import DATE, DEVICE, INSTITUTION, UID
from anonymizer.gate.memory import Element
from anonymizer.gate.pairing import items_of
from anonymizer.gate.reading import text_values

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
CODE_VALUE, CODING_SCHEME_DESIGNATOR = 0x00080100, 0x00080102

FULL_DATES = "113106"
"""CID 7050: Retain Longitudinal Temporal Information Full Dates Option."""

DEVICE_IDENTITY = "113109"
"""CID 7050: Retain Device Identity Option."""

UIDS = "113110"
"""CID 7050: Retain UIDs Option."""

SAFE_PRIVATE = "113111"
"""CID 7050: Retain Safe Private Option."""

RETAINED: Mapping[str, str] = {
    # CID 7050: what an output may still say if it claims one of these. No option retains the date of birth.
    FULL_DATES: DATE,
    DEVICE_IDENTITY: DEVICE,
    UIDS: UID,
    "113112": INSTITUTION,  # Retain Institution Identity Option
}


def first_value(elements: Mapping[int, Element], tag: int) -> str:
    """Return the first value of an element, or the empty text."""
    values = text_values(elements[tag]) if tag in elements else ()
    return values[0] if values else ""


def claims_of(elements: Mapping[int, Element]) -> frozenset[str]:
    """Return the codes in DeidentificationMethodCodeSequence.

    Parameters
    ----------
    elements : mapping of int to Element
        The top level elements of a file by tag.
    """
    sequence = elements.get(DEIDENTIFICATION_METHOD_CODE_SEQUENCE)
    items = items_of(sequence, is_sequence=True) if sequence is not None else None
    codes = [{int(element.tag): element for element in item.elements} for item in items or ()]
    return frozenset(
        first_value(code, CODE_VALUE) for code in codes if first_value(code, CODING_SCHEME_DESIGNATOR) == "DCM"
    )


def retained_by(claims: Iterable[str]) -> frozenset[str]:
    """Return the groups of identifiers that an output with these claims may still hold."""
    return frozenset(RETAINED[claim] for claim in claims if claim in RETAINED)


def longitudinal_claim(elements: Mapping[int, Element], claims: frozenset[str]) -> str:
    """Return what an output claims of its dates; that they stand is believed only with the code that says so.

    Parameters
    ----------
    elements : mapping of int to Element
        The top level elements of an output by tag.
    claims : frozenset of str
        Codes that the output has and its source has not: what the source said of itself proves nothing.
    """
    claim = first_value(elements, LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED)
    return "" if claim == "UNMODIFIED" and FULL_DATES not in claims else claim


def check(elements: Mapping[int, Element]) -> Iterator[Flaw]:
    """Yield the markers that an output lacks."""
    if first_value(elements, PATIENT_IDENTITY_REMOVED) != "YES":
        rule = "PatientIdentityRemoved has to be YES"
        yield Flaw("marker-missing", (PATIENT_IDENTITY_REMOVED,), rule)
    is_told = first_value(elements, DEIDENTIFICATION_METHOD) and DEIDENTIFICATION_METHOD_CODE_SEQUENCE not in elements
    if not is_told and not claims_of(elements):
        # Whoever did less than a profile of the standard says what in words; the gate then believes nothing.
        rule = "DeidentificationMethodCodeSequence has to hold the codes of what was done"
        yield Flaw("marker-missing", (DEIDENTIFICATION_METHOD_CODE_SEQUENCE,), rule)
    if first_value(elements, LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED) not in CLAIMS:
        rule = "LongitudinalTemporalInformationModified has to be UNMODIFIED, MODIFIED or REMOVED"
        yield Flaw("marker-missing", (LONGITUDINAL_TEMPORAL_INFORMATION_MODIFIED,), rule)
