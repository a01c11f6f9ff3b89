"""Text out of bytes, by the Specific Character Set in force (PS3.5 6.1); never a guess."""

from __future__ import annotations

from pydicom.charset import decode_bytes, python_encoding
from pydicom.valuerep import TEXT_VR_DELIMS

from anonymizer.engine.outcome import HoldError

_ESCAPE = b"\x1b"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
ASCII = ("ascii",)


def encodings_of(character_set: bytes) -> tuple[str, ...]:
    """Return Python's names for a Specific Character Set (0008,0005).

    Raises
    ------
    HoldError
        When a term is none that PS3.3 C.12.1.1.2 defines: it would stay, and every text is read by it.
    """
    terms = [term.strip(" \0") for term in character_set.decode("latin-1").split("\\")]
    if terms in ([""], ["ISO_IR 6"]):
        return ASCII
    terms[0] = terms[0] or "ISO 2022 IR 6"
    if not all(term in python_encoding for term in terms):
        raise HoldError(
            "unknown-character-set", "holds a term that the standard does not define", tag=0x00080005, vr="CS"
        )
    return tuple(python_encoding[term] for term in terms)


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
