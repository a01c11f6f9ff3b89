"""Attributes that say how the rest is to be read: what is believed of them here has to stand in the output too."""

from __future__ import annotations

import re

from anonymizer.engine.outcome import HoldError
from anonymizer.engine.parse import by_dictionary

# Specific Character Set, Samples per Pixel, Photometric Interpretation, Planar Configuration, Number of Frames, Rows,
# Columns, Bits Allocated, Bits Stored, High Bit, Pixel Representation.
DECIDING = (
    *(0x00080005, 0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011),
    *(0x00280100, 0x00280101, 0x00280102, 0x00280103),
)
_CHARACTER_SET = 0x00080005
# One value each, but of character sets (PS3.6); PS3.5 6.2 says of what. None at all decides nothing.
_CS = rb"[A-Z0-9 _]{0,16}"
_FORMS = {
    "CS": re.compile(rb"%b\0?" % _CS),
    "IS": re.compile(rb" *+(?:\+?\d{1,12} *+)?+\0?"),
    "US": re.compile(rb"(?s:..)?"),
}
_CHARACTER_SETS = re.compile(rb"%b(?:\\%b)*+\0?" % (_CS, _CS))


def check(tag: int, vr: str, value: bytes) -> None:
    """Hold a value that cannot be one of its attribute: it would be believed or passed over here, and be gone there.

    Parameters
    ----------
    tag : int
        One of :data:`DECIDING`.
    vr : str
        As the file has it.
    value : bytes
        As it stands in the file.
    """
    form = _CHARACTER_SETS if tag == _CHARACTER_SET else _FORMS[by_dictionary(tag)]
    if not form.fullmatch(value):
        raise HoldError("invalid-value", "is there, but with a value that it cannot have", tag=tag, vr=vr)
