"""Text out of bytes, by the Specific Character Set in force (PS3.5 6.1); never a guess."""

from __future__ import annotations

from pydicom.charset import decode_bytes, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from anonymizer.engine.outcome import HoldError

_ESCAPE = b"\x1b"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_UNKNOWN = ""
ASCII = ("ascii",)


def encodings_of(character_set: bytes) -> tuple[str, ...]:
    """Return Python's names for a Specific Character Set (0008,0005); "" for a term that nobody defined."""
    terms = [term.strip(" \0") for term in character_set.decode("latin-1").split("\\")]
    if terms in ([""], ["ISO_IR 6"]):
        return ASCII
    terms[0] = terms[0] or "ISO 2022 IR 6"
    return tuple(python_encoding.get(term, _UNKNOWN) for term in terms)


def decode(value: bytes, encodings: tuple[str, ...], tag: int, vr: str) -> str:
    """Return a text without its padding.

    Raises
    ------
    HoldError
        When the bytes are none of the character set's: a pseudonym of a misread text would link nobody.
    """
    value = value.rstrip(b"\0 ")
    if value.isascii() and _ESCAPE not in value:
        return value.decode("ascii")
    text = _REPLACEMENT
    if _UNKNOWN not in encodings:
        try:
            escaped = _ESCAPE in value
            text = decode_bytes(value, encodings, TEXT_VR_DELIMS) if escaped else value.decode(encodings[0])
        except (UnicodeError, LookupError, UserWarning):  # pydicom warns, and where warnings are errors it raises
            text = _REPLACEMENT
    if _REPLACEMENT in text or "\x1b" in text:
        raise HoldError(
            "undecodable-text",
            "bytes that the data set's Specific Character Set does not explain",
            tag=tag,
            vr=vr,
        )
    return text
