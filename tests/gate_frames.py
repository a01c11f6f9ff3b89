"""Codestreams written byte by byte, and images that hold them, for the gate's tests."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from struct import pack

from pydicom.dataset import FileDataset
from pydicom.uid import UID

from anonymizer.gate import Verdict
from tests.gate_samples import as_bytes, ct, judged, rewritten

JPEG = "1.2.840.10008.1.2.4.50"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_2000 = "1.2.840.10008.1.2.4.90"
HTJ2K = "1.2.840.10008.1.2.4.201"
JPEG_XL = "1.2.840.10008.1.2.4.110"
MPEG_4 = "1.2.840.10008.1.2.4.102"
FRAGMENTABLE_MPEG_4 = "1.2.840.10008.1.2.4.102.1"
RLE = "1.2.840.10008.1.2.5"
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
ENCAPSULATED = "1.2.840.10008.1.2.1.98"

JFIF = b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
"""JFIF 1.1 of density 1 to 1, without thumbnail."""


def adobe(transform: int, *, version: int = 100, flags: int = 0) -> bytes:
    """Return the content of Adobe's APP14 segment."""
    return b"Adobe" + pack(">HHHB", version, flags, 0, transform)


def segment(marker: int, content: bytes) -> bytes:
    """Return a segment of JPEG, JPEG-LS or JPEG 2000: marker, length, content."""
    return bytes([0xFF, marker]) + pack(">H", len(content) + 2) + content


TABLE = segment(0xDB, b"\0" + bytes(range(1, 65)))
"""The table of quantization of every JPEG here."""


def app(number: int, content: bytes) -> bytes:
    """Return an application segment."""
    return segment(0xE0 + number, content)


def jpeg(*header: bytes, scan: bytes = b"\x12\xff\0\x34", end: bytes = b"", before_scan: bytes = b"") -> bytes:
    """Return a JPEG codestream of one scan.

    Parameters
    ----------
    *header : bytes
        Segments behind the start of the image.
    scan, before_scan, end : bytes
        The samples, segments in front of their header, and what stands behind the end of the image.
    """
    frame = TABLE + segment(0xC0, b"\x08\0\x04\0\x04\x01\x01\x11\0") + segment(0xC4, b"\0\1" + bytes(16))
    start = segment(0xDA, b"\x01\x01\0\0\x3f\0")
    return b"\xff\xd8" + b"".join(header) + frame + before_scan + start + scan + b"\xff\xd9" + end


def jpeg_ls(*header: bytes, scan: bytes = b"\x12\xff\x7f\x34") -> bytes:
    """Return a JPEG-LS codestream."""
    frame = segment(0xF7, b"\x08\0\x04\0\x04\x01\x01\x11\0")
    start = segment(0xDA, b"\x01\x01\0\0\0\0")
    return b"\xff\xd8" + b"".join(header) + frame + start + scan + b"\xff\xd9"


def tile_part(data: bytes, *header: bytes, index: int = 0, length: int | None = None) -> bytes:
    """Return a tile-part of JPEG 2000; `length` is written in the place of its own."""
    inside = b"".join(header) + b"\xff\x93" + data
    return segment(0x90, pack(">HLBB", index, len(inside) + 12 if length is None else length, 0, 1)) + inside


def jpeg_2000(*tile_parts: bytes, header: Sequence[bytes] = (), end: bytes = b"\xff\xd9") -> bytes:
    """Return a JPEG 2000 codestream of these tile-parts, or of one."""
    size = pack(">H8LH3B", 0, 4, 4, 0, 0, 4, 4, 0, 0, 1, 7, 1, 1)
    main = segment(0x51, size) + segment(0x52, b"\0\0\0\1\0\0\4\4\0\1") + segment(0x5C, b"\x40\x40")
    return b"\xff\x4f" + main + b"".join(header) + b"".join(tile_parts or [tile_part(b"\x80\x81\xff\x01")]) + end


def lengths(*tile_parts: bytes) -> bytes:
    """Return a TLM segment that tells the lengths of tile-parts."""
    return segment(0x55, b"\0\x40" + b"".join(pack(">L", len(part)) for part in tile_parts))


def box(kind: bytes, content: bytes) -> bytes:
    """Return a box of JP2 or JPEG XL."""
    return pack(">L4s", len(content) + 8, kind) + content


def jp2(codestream: bytes, *header: bytes) -> bytes:
    """Return a JP2 file."""
    start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
    return start + box(b"jp2h", b"".join([box(b"ihdr", bytes(14)), *header])) + box(b"jp2c", codestream)


def jxl(*boxes: bytes) -> bytes:
    """Return a JPEG XL file of these boxes."""
    return box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ") + b"".join(boxes)


def rle(*segments: bytes, unused: int = 0) -> bytes:
    """Return an RLE frame of these segments, each as it stands."""
    offsets = [64 + sum(map(len, segments[:index])) for index in range(len(segments))]
    numbers = [len(segments), *offsets, *[unused] * (15 - len(segments))]
    return pack("<16L", *numbers) + b"".join(segments)


def deflated(samples: bytes) -> bytes:
    """Return samples as a deflated stream without header."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(samples) + stream.flush()


def items(*fragments: bytes, table: Sequence[int] = ()) -> bytes:
    """Return encapsulated pixel data: the Basic Offset Table and the fragments, made even."""
    parts = [b"".join(pack("<L", offset) for offset in table), *fragments]
    padded = [part + bytes(len(part) % 2) for part in parts]
    return b"".join(b"\xfe\xff\x00\xe0" + pack("<L", len(part)) + part for part in padded)


def image(value: bytes, syntax: str, *, frames: int = 1) -> FileDataset:
    """Return an image of 4 x 4 pixels of one byte with encapsulated pixel data."""
    dataset = ct()
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.PixelData = value
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    return dataset


def written(dataset: FileDataset) -> bytes:
    """Write an image as a file, also in a transfer syntax that pydicom does not know."""
    syntax = dataset.file_meta.TransferSyntaxUID
    known = UID(JPEG if len(syntax) <= len(JPEG) else HTJ2K)
    dataset.file_meta.TransferSyntaxUID = syntax if syntax.is_transfer_syntax else known
    data = as_bytes(dataset)
    if not syntax.is_transfer_syntax:
        data = data.replace(known.encode(), syntax.encode().ljust(len(known), b"\0"), 1)
        dataset.file_meta.TransferSyntaxUID = syntax
    return data


def verdict_on(source: FileDataset, value: bytes, **attributes: object) -> Verdict:
    """Return the verdict over an output of `source` with other pixel data, and other attributes.

    Parameters
    ----------
    source : FileDataset
        The source.
    value : bytes
        The encapsulated pixel data of its output.
    **attributes
        What else the output says, by keyword.
    """
    output = rewritten(source)
    output.PixelData = value
    output["PixelData"].VR = "OB"
    output["PixelData"].is_undefined_length = True
    for keyword, content in attributes.items():
        setattr(output, keyword, content)
    return judged([(written(source), written(output))])


def verdict_on_frame(syntax: str, source: bytes, output: bytes) -> Verdict:
    """Return the verdict over an image of one frame whose output has another one."""
    return verdict_on(image(items(source), syntax), items(output))
