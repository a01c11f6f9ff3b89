"""The file around a data set: preamble and File Meta Information (PS3.10 7.1), read and made new."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct

from pydicom import uid

from anonymizer.engine import encode, tables
from anonymizer.engine.outcome import HoldError
from anonymizer.engine.parse import (
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    HAS_LONG_LENGTH,
    IMPLICIT_LITTLE,
    VRS,
    Buffer,
    Syntax,
)

_PREAMBLE = 128
# A few kilobytes can be made to fill a machine: what is larger than the first has to be of a file that is not much
# smaller. Pixels deflate to a half or a third, but the masks of a segmentation may to nothing.
_INFLATED = 1 << 27
_LARGEST_INFLATED = 1 << 30
_LARGEST_RATIO = 16
_PREFIX = b"DICM"
_GROUP_LENGTH = 0x00020000
_SOP_CLASS = 0x00020002
_SYNTAX = 0x00020010
_HEAD = Struct("<HH2sH")

# Names Entwash and the pseudonyms' version in a file; a fixed number, since outputs are to stay equal.
IMPLEMENTATION_CLASS_UID = "2.25.212402183862474226372826149127519402849"
IMPLEMENTATION_VERSION_NAME = "ENTWASH_1"

_SYNTAXES = {
    str(uid.ImplicitVRLittleEndian): IMPLICIT_LITTLE,
    str(uid.ExplicitVRBigEndian): EXPLICIT_BIG,
}
DEFLATED_IMAGE_FRAMES = "1.2.840.10008.1.2.8.1"  # PS3.5 A.4.13
_JPEG_XL = ("1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111", "1.2.840.10008.1.2.4.112")
TOO_NEW = frozenset({DEFLATED_IMAGE_FRAMES, *_JPEG_XL})  # not in the dictionary of pydicom 3.0
# Pixels that stand elsewhere, or a stream that is no file.
_NOT_IN_THE_FILE = (
    *("1.2.840.10008.1.2.4.94", "1.2.840.10008.1.2.4.95"),
    *("1.2.840.10008.1.2.4.204", "1.2.840.10008.1.2.4.205"),
    "1.2.840.10008.1.2.7",
)


@dataclass(frozen=True, slots=True)
class File:
    """A DICOM file, opened.

    Attributes
    ----------
    data : bytes-like
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
    inflated : bool
        Whether it was deflated, and so may be far larger than the file.
    """

    data: Buffer
    start: int
    transfer_syntax: str
    syntax: Syntax
    sop_class: str
    inflated: bool = False


def open_file(data: Buffer) -> File:
    """Read preamble and File Meta Information.

    Raises
    ------
    HoldError
        When the bytes are no DICOM file, or their transfer syntax is unknown.
    """
    if data[_PREAMBLE : _PREAMBLE + 4] != _PREFIX:
        raise HoldError("not-dicom", "no DICOM file: the prefix DICM is not where PS3.10 has it")
    meta, start = _meta(data)
    transfer_syntax, sop_class = (meta.get(tag, b"").decode("latin-1").strip("\0 ") for tag in (_SYNTAX, _SOP_CLASS))
    if not _is_treated(transfer_syntax):
        raise HoldError(
            "transfer-syntax-not-treated",
            "a transfer syntax that is unknown, or whose pixels stand elsewhere",
            tag=_SYNTAX,
            vr="UI",
        )
    if transfer_syntax == uid.DeflatedExplicitVRLittleEndian:
        inflated = _inflate(data[start:])
        return File(inflated, 0, str(uid.ExplicitVRLittleEndian), EXPLICIT_LITTLE, sop_class, inflated=True)
    return File(data, start, transfer_syntax, _SYNTAXES.get(transfer_syntax, EXPLICIT_LITTLE), sop_class)


@lru_cache(maxsize=256)
def _is_treated(transfer_syntax: str) -> bool:
    if transfer_syntax in TOO_NEW:
        return True
    entry = tables.REGISTERED_UIDS.get(transfer_syntax)
    return bool(entry and entry[1] == "Transfer Syntax" and not transfer_syntax.startswith(_NOT_IN_THE_FILE))


def new_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax: str) -> bytes:
    """Return an empty preamble, the prefix and File Meta Information of our own (PS3.15 E.1.1)."""
    before, after = _around(sop_class_uid, len(sop_instance_uid), transfer_syntax)
    return before + sop_instance_uid.encode("ascii") + after


@lru_cache(maxsize=256)
def _around(sop_class_uid: str, length: int, transfer_syntax: str) -> tuple[bytes, bytes]:
    """Return all of the meta information in front of an instance's UID, and all behind it."""
    unset = b"\1" * length
    group = b"".join(
        encode.element(tag, vr, value, EXPLICIT_LITTLE)
        for tag, vr, value in (
            (0x00020001, "OB", b"\0\1"),
            (_SOP_CLASS, "UI", sop_class_uid.encode("ascii")),
            (0x00020003, "UI", unset),
            (_SYNTAX, "UI", transfer_syntax.encode("ascii")),
            (0x00020012, "UI", IMPLEMENTATION_CLASS_UID.encode("ascii")),
            (0x00020013, "SH", IMPLEMENTATION_VERSION_NAME.encode("ascii")),
        )
    )
    head = encode.element(_GROUP_LENGTH, "UL", len(group).to_bytes(4, "little"), EXPLICIT_LITTLE)
    before, after = group.split(unset, 1)
    return bytes(_PREAMBLE) + _PREFIX + head + before, after


def _meta(data: Buffer) -> tuple[dict[int, bytes], int]:
    """Return the values of group 0002 and where it ends; its own length is not believed, many writers get it wrong."""
    found: dict[int, bytes] = {}
    at = _PREAMBLE + 4
    while data[at : at + 2] == b"\x02\x00" and at + 8 <= len(data):
        group, number, vr, length = _HEAD.unpack_from(data, at)
        tag = group << 16 | number
        name = VRS.get(vr)
        if name is None:
            raise HoldError("invalid-vr", "two letters that are no VR, or bytes that are no element", tag=tag)
        at += 8
        if name in HAS_LONG_LENGTH:
            length = int.from_bytes(data[at : at + 4], "little")
            at += 4
        if tag in found:
            raise HoldError("element-twice", "stands twice in one data set", tag=tag, vr=name)
        found[tag] = data[at : at + length]
        at += length
    if at > len(data):
        raise HoldError("truncated", "the file ends inside its meta information")
    return found, at


def _inflate(deflated: bytes) -> bytes:
    """Return what a deflated data set holds (PS3.5 A.5); bytes behind the stream are dropped."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    largest = min(max(_INFLATED, _LARGEST_RATIO * len(deflated)), _LARGEST_INFLATED)
    try:
        inflated = inflater.decompress(deflated, largest)
    except zlib.error:
        raise HoldError("truncated", "the deflated data set cannot be inflated") from None
    if len(inflated) == largest:
        raise HoldError("too-large", "the deflated data set is far larger than the file, or than a gibibyte")
    if not inflater.eof:
        raise HoldError("truncated", "the deflated data set ends too soon")
    return inflated
