"""The file around a data set: preamble and File Meta Information (PS3.10 7.1), read and made new."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from pydicom import uid

from anonymizer.engine import encode, tables
from anonymizer.engine.outcome import HoldError
from anonymizer.engine.parse import EXPLICIT_BIG, EXPLICIT_LITTLE, HAS_LONG_LENGTH, IMPLICIT_LITTLE, Syntax, parse

_PREAMBLE = 128
_LARGEST_INFLATED = 1 << 30  # a few kilobytes can be made to fill a machine
_PREFIX = b"DICM"
_GROUP_LENGTH = 0x00020000
_SOP_CLASS = 0x00020002
_TRANSFER_SYNTAX = 0x00020010

# Names Entwash and the pseudonyms' version in a file; a fixed number, since outputs are to stay equal.
IMPLEMENTATION_CLASS_UID = "2.25.212402183862474226372826149127519402849"
IMPLEMENTATION_VERSION_NAME = "ENTWASH_1"

_SYNTAXES = {
    uid.ImplicitVRLittleEndian: IMPLICIT_LITTLE,
    uid.ExplicitVRBigEndian: EXPLICIT_BIG,
}
# Pixels that stand elsewhere, or a stream that is no file.
_NOT_IN_THE_FILE = ("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.7")


@dataclass(frozen=True, slots=True)
class File:
    """A DICOM file, opened.

    Attributes
    ----------
    data : bytes
        What holds the data set: the file itself, or what was deflated in it.
    start : int
        Where the data set begins.
    transfer_syntax : str
        To be written: the source's, but of a deflated one the plain one, because what a compressor makes
        of equal bytes differs from version to version.
    syntax : Syntax
        How the data set is encoded.
    sop_class : str
        What the file meta claims, empty when it claims nothing.
    """

    data: bytes
    start: int
    transfer_syntax: str
    syntax: Syntax
    sop_class: str


def open_file(data: bytes) -> File:
    """Read preamble and File Meta Information.

    Raises
    ------
    HoldError
        When the bytes are no DICOM file, or their transfer syntax is unknown.
    """
    if data[_PREAMBLE : _PREAMBLE + 4] != _PREFIX:
        raise HoldError("not-dicom", "no DICOM file: the prefix DICM is not where PS3.10 has it")
    start = _end_of_meta(data)
    meta = {element.tag: element for element in parse(data, _PREAMBLE + 4, start, EXPLICIT_LITTLE)}

    def text(tag: int) -> str:
        element = meta.get(tag)
        return data[element.start : element.stop].decode("latin-1").strip("\0 ") if element else ""

    transfer_syntax = text(_TRANSFER_SYNTAX)
    entry = tables.REGISTERED_UIDS.get(transfer_syntax)
    if not entry or entry[1] != "Transfer Syntax" or transfer_syntax.startswith(_NOT_IN_THE_FILE):
        raise HoldError(
            "transfer-syntax-not-treated",
            "a transfer syntax that is unknown, or whose pixels stand elsewhere",
            tag=_TRANSFER_SYNTAX,
            vr="UI",
        )
    if transfer_syntax == uid.DeflatedExplicitVRLittleEndian:
        inflated = _inflate(data[start:])
        return File(inflated, 0, str(uid.ExplicitVRLittleEndian), EXPLICIT_LITTLE, text(_SOP_CLASS))
    syntax = _SYNTAXES.get(uid.UID(transfer_syntax), EXPLICIT_LITTLE)
    return File(data, start, transfer_syntax, syntax, text(_SOP_CLASS))


def new_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax: str) -> bytes:
    """Return an empty preamble, the prefix and File Meta Information of our own (PS3.15 E.1.1)."""
    group = b"".join(
        bytes(part)
        for tag, vr, value in (
            (0x00020001, "OB", b"\0\1"),
            (_SOP_CLASS, "UI", sop_class_uid.encode("ascii")),
            (0x00020003, "UI", sop_instance_uid.encode("ascii")),
            (_TRANSFER_SYNTAX, "UI", transfer_syntax.encode("ascii")),
            (0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
            (0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
        )
        for part in encode.element(tag, vr, value, EXPLICIT_LITTLE)
    )
    length = encode.element(_GROUP_LENGTH, "UL", len(group).to_bytes(4, "little"), EXPLICIT_LITTLE)
    return bytes(_PREAMBLE) + _PREFIX + b"".join(bytes(part) for part in length) + group


def _end_of_meta(data: bytes) -> int:
    """Return where group 0002 ends; its own length is not believed, since many writers get it wrong."""
    at = _PREAMBLE + 4
    while data[at : at + 2] == b"\x02\x00" and at + 8 <= len(data):
        if data[at + 4 : at + 6].decode("latin-1") in HAS_LONG_LENGTH:
            at += 12 + int.from_bytes(data[at + 8 : at + 12], "little")
        else:
            at += 8 + int.from_bytes(data[at + 6 : at + 8], "little")
    if at > len(data):
        raise HoldError("truncated", "the file ends inside its meta information")
    return at


def _inflate(deflated: bytes) -> bytes:
    """Return what a deflated data set holds (PS3.5 A.5); bytes behind the stream are dropped."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(deflated, _LARGEST_INFLATED)
    except zlib.error:
        raise HoldError("truncated", "the deflated data set cannot be inflated") from None
    if len(inflated) == _LARGEST_INFLATED:
        raise HoldError("too-large", "the deflated data set is larger than a gibibyte")
    if not inflater.eof:
        raise HoldError("truncated", "the deflated data set ends too soon")
    return inflated
