"""What the gate does with an element, by its tag and VR: in the file, in the dictionary, and by private creator."""

from __future__ import annotations

from functools import lru_cache

from pydicom.datadict import dictionary_VR, private_dictionary_VR

from anonymizer.gate.identifiers import TEXT_TAGS
from anonymizer.gate.leftovers import has_to_go, is_private_tag
from anonymizer.gate.memory import Element
from anonymizer.gate.pixels import GEOMETRY, PIXELS
from anonymizer.gate.reading import text_values

UID, DATE, SEQUENCE, NAME, TEXT, SHAPE, SAMPLES, UNKNOWN, LEFTOVER, POINTER = (1 << bit for bit in range(10))
"""What the gate does with an element; bits, because one element may be looked at in several ways."""


@lru_cache(maxsize=1 << 16)
def use_of(tag: int, vr: str | None, creator: str) -> int:
    """Say what the gate does with an element.

    Both the VR in the file and the one in the dictionary count, so that a date remains a date where a vendor
    wrote it as text.

    Parameters
    ----------
    tag : int
        The tag.
    vr : str or None
        The VR in the file; None in implicit VR.
    creator : str
        The private creator in force; empty for public tags.
    """
    known = vr_of(tag, creator)
    kinds = {str(vr) if vr else known, known}
    use = LEFTOVER if has_to_go(tag) or is_private_tag(tag) else 0
    if vr == "SQ" or (known == "SQ" and vr in (None, "UN")):
        return use | SEQUENCE
    if "UI" in kinds:
        use |= UID
    if kinds & {"DA", "DT"}:
        use |= DATE
    if "PN" in kinds:
        use |= NAME
    elif tag in TEXT_TAGS:
        use |= TEXT
    if "AT" in kinds:
        use |= POINTER
    if tag in GEOMETRY:
        use |= SHAPE
    if tag in PIXELS:
        use |= SAMPLES
    if vr in (None, "UN") and not known:
        use |= UNKNOWN
    return use


def vr_of(tag: int, creator: str) -> str:
    """Return the VR of a tag in pydicom's dictionaries; empty if it is unknown or depends."""
    try:
        vr = private_dictionary_VR(tag, creator) if tag >> 16 & 1 else dictionary_VR(tag)
    except KeyError:
        return ""
    return str(vr)


def creator_of(element: Element, tag: int, creators: dict[int, str]) -> str:
    """Return the private creator in force for a private element; note it if it is one itself.

    The block that (gggg,00bb) reserves is (gggg,bb00) to (gggg,bbFF) (PS3.5 7.8.1).

    Parameters
    ----------
    element : Element
        The element.
    tag : int
        Its tag.
    creators : dict of int to str
        The creators of this data set so far, by the upper three bytes of the tags in their block.
    """
    if tag & 0xFF00 == 0:
        creators[tag >> 16 << 8 | tag & 0xFF] = "".join(text_values(element)[:1])
    return creators.get(tag >> 8, "")
