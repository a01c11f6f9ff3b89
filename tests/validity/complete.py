"""Complete instances: of each SOP class one that has every attribute that dciodvfy knows in its IOD.

The corpus has few attributes and few SOP classes. An instance that has all of them shows every removal that an IOD
does not allow. Nobody has to write one: ``dciodvfy -v`` says what an object could have and has not, so it is given
that, sequence by sequence, until there is nothing more to add.
"""

from __future__ import annotations

import re
from typing import Any

from pydicom.datadict import DicomDictionary, tag_for_keyword  # type: ignore[attr-defined]  # not in its __all__
from pydicom.dataset import Dataset

from deployments.demo import studies
from tests import samples
from tests.validity.validator import run

DEPTH = 5
_ROUNDS = 2 * DEPTH
_SAYS = re.compile(r"(\t+)(?:(Element|Sequence|Macro|EndMacro|Module) <([^>]*)>(?: (not present))?|(Item))")
_NOT_OF_THE_IOD = re.compile(r"Attribute is not present in standard DICOM IOD - \(0x(.{4}),0x(.{4})\)")
# One value of each VR that anonymizing has to answer. dciodvfy knows no 64-bit integers: it ends at one.
_VALUES: dict[str, Any] = {
    **dict.fromkeys(("LO", "LT", "SH", "ST", "UC", "UT"), "Quillfeather"),
    **dict.fromkeys(("US", "SS", "UL", "SL", "FL", "FD"), 1),
    **dict.fromkeys(("OB", "OW", "OF", "OD", "OL", "UN"), bytes(8)),
    "AE": "PLACE",
    "AS": "044Y",
    "AT": 0x00100010,
    "CS": "YES",
    "DA": samples.STUDY_DATE,
    "DS": "1.5",
    "DT": f"{samples.STUDY_DATE}101530",
    "IS": "1",
    "PN": samples.NAME,
    "TM": "101530",
    "UI": f"{samples.SERIES}.7",
    "UR": "http://quillfeather.example",
}
_PICTURE: dict[str, Any] = {
    "Rows": 4,
    "Columns": 4,
    "SamplesPerPixel": 1,
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
    "PhotometricInterpretation": "MONOCHROME2",
}
_DESCRIPTORS = frozenset(
    {"LUTDescriptor", *(f"{one}PaletteColorLookupTableDescriptor" for one in ("Red", "Green", "Blue"))}
)
# DICOM's own bookkeeping, non-destructive testing, and what would make a second picture.
_LEFT_OUT_GROUPS = frozenset({0x0000, 0x0002, 0x0004, 0x0014, 0xFFFA, 0xFFFC, 0xFFFE})
_LEFT_OUT = frozenset({"FloatPixelData", "DoubleFloatPixelData", "PixelDataProviderURL"})


def complete(sop_class: str, depth: int = DEPTH) -> bytes:
    """Return an instance that has every attribute of its IOD that dciodvfy knows.

    Parameters
    ----------
    sop_class : str
        Its UID.
    depth : int
        How deep sequences are filled; reports would nest for ever.
    """
    ds = Dataset()
    for tag, (_, _, _, retired, keyword) in DicomDictionary.items():
        if not retired and tag >> 16 < 0x7FE0:
            _add(ds, keyword)
    _name(ds, sop_class)
    for number in range(_ROUNDS):
        _, said = run(studies.to_bytes(ds), "-v")
        added = _grow(ds, said, depth)
        if number == 0:
            _prune(ds, said)
            _name(ds, sop_class)
        if not added:
            break
    _illustrate(ds)
    return studies.to_bytes(ds)


def _name(ds: Dataset, sop_class: str) -> None:
    """Give what every instance needs to be looked at."""
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class, samples.INSTANCE
    ds.StudyInstanceUID, ds.SeriesInstanceUID = samples.STUDY, samples.SERIES
    ds.PatientID = samples.PATIENT_ID


def _illustrate(ds: Dataset) -> None:
    """Make the picture measurable."""
    if "NumberOfFrames" in ds:
        ds.NumberOfFrames = 1
    if "BurnedInAnnotation" in ds:
        ds.BurnedInAnnotation = "NO"
    if "Rows" in ds:
        for keyword, value in _PICTURE.items():
            setattr(ds, keyword, value)
        ds.add_new(0x7FE00010, "OW", bytes(32))


def _add(ds: Dataset, keyword: str) -> bool:
    """Add an attribute that is not there; tell whether it was added."""
    tag = tag_for_keyword(keyword)
    if tag is None or tag in ds or tag >> 16 in _LEFT_OUT_GROUPS or keyword in _LEFT_OUT:
        return False
    vr, multiplicity = DicomDictionary[tag][0].split(" or ")[0], int(DicomDictionary[tag][1].split("-")[0])
    if vr == "SQ":
        ds.add_new(tag, vr, [Dataset()])
    elif keyword in _DESCRIPTORS:
        ds.add_new(tag, vr, [4, 0, 16])  # as long as the tables beside it
    elif vr in _VALUES:
        ds.add_new(tag, vr, _VALUES[vr] if multiplicity == 1 else [_VALUES[vr]] * multiplicity)
    else:
        return False
    return True


def _prune(ds: Dataset, said: str) -> None:
    """Remove what does not belong to the IOD."""
    for group, element in _NOT_OF_THE_IOD.findall(said):
        ds.pop(int(group + element, 16), None)


def _grow(ds: Dataset, said: str, depth: int) -> int:
    """Add what dciodvfy misses; return how much that is.

    Notes
    -----
    It indents by the depth of sequences, but begins anew, with two tabulators, inside each macro.
    """
    added = 0
    item = Dataset()
    macros: list[list[Dataset]] = [[ds]]
    for tabulators, kind, name, is_missing, is_item in _SAYS.findall(said):
        holders, level = macros[-1], len(tabulators) - 2
        if kind == "Module":
            macros = [[ds]]
        elif kind == "Macro" and not is_missing:
            macros.append([holders[min(level, len(holders) - 1)]])
        elif kind == "EndMacro":
            macros = macros[:-1] or [[ds]]
        elif not 0 <= level < len(holders):
            continue
        elif is_item:
            macros[-1] = [*holders[: level + 1], item]
        elif kind == "Sequence" and not is_missing:
            item = holders[level][name].value[0] if name in holders[level] else Dataset()
        elif is_missing and sum(len(macro) - 1 for macro in macros) < depth:
            added += _add(holders[level], name)
    return added
