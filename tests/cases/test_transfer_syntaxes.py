"""Transfer syntaxes and pixels: how a picture is written, and what stands beside it (cases 93 to 102)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments, generate_frames, parse_basic_offsets

from tests import real_streams, samples
from tests.cases import (
    case,
    clean,
    held,
    held_clean,
    image,
    in_both_profiles,
    left_in,
    place,
    read,
    released,
    under_every_option,
    written,
)
from tests.samples import (
    BIG,
    EXPLICIT,
    IMPLICIT,
    UNDEFINED,
    UNLISTED_SEQUENCE,
    How,
    element,
    header,
    item,
    sequence,
    tag,
    us,
)

END = bytes.fromhex("feffdde000000000")
BASELINE, JPEG_LS, JPEG_2000 = str(uid.JPEGBaseline8Bit), str(uid.JPEGLSLossless), str(uid.JPEG2000Lossless)
HTJ2K, RLE = str(uid.HTJ2KLossless), str(uid.RLELossless)

in_every_encoding = pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT, BIG], ids=["explicit", "implicit", "big"])
with_a_table = pytest.mark.parametrize("table", ["none", "basic", "extended"])


# Writing and reading frames


@cache
def example(name: str) -> Dataset:
    """Return a file that pydicom ships."""
    path = get_testdata_file(name, download=False)
    assert path is not None, name
    return pydicom.dcmread(Path(str(path)))


def frames_of(found: Dataset) -> list[bytes]:
    return list(generate_frames(found.PixelData, number_of_frames=int(found.get("NumberOfFrames", 1))))


def shape(like: Dataset, frames: int = 1) -> list[bytes]:
    """Return the Image Pixel module of another picture."""
    numbers = ("SamplesPerPixel", "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
    elements = [us(tag(keyword), int(like[keyword].value)) for keyword in numbers]
    if "PlanarConfiguration" in like:
        elements.append(us(tag("PlanarConfiguration"), like.PlanarConfiguration))
    return [
        *elements,
        element(tag("PhotometricInterpretation"), "CS", like.PhotometricInterpretation),
        element(tag("NumberOfFrames"), "IS", str(frames)),
    ]


def encapsulated(frames: list[list[bytes]], syntax: str, like: Dataset, table: str = "none", *others: bytes) -> bytes:
    """Return a CT image with these frames, each in its fragments, and an offset table if there is to be one."""
    padded = [[one + bytes(len(one) % 2) for one in fragments] for fragments in frames]
    sizes = [sum(len(one) + 8 for one in fragments) for fragments in padded]
    offsets = [sum(sizes[:number]) for number in range(len(sizes))]
    basic = struct.pack(f"<{len(offsets)}L", *offsets) if table == "basic" else b""
    extended = [
        element(tag("ExtendedOffsetTable"), "OV", struct.pack(f"<{len(offsets)}Q", *offsets)),
        element(
            tag("ExtendedOffsetTableLengths"),
            "OV",
            struct.pack(f"<{len(offsets)}Q", *(sum(map(len, fragments)) for fragments in padded)),
        ),
    ]
    items = [basic, *(one for fragments in padded for one in fragments)]
    pixels = header(0x7FE00010, "OB", UNDEFINED) + b"".join(map(item, items)) + END
    more = extended if table == "extended" else []
    return samples.ct(*shape(like, len(frames)), *more, *others, pixels, transfer_syntax=syntax)


def table_is_right(found: Dataset, table: str) -> None:
    """Assert that an offset table points at the first fragment of each frame."""
    pieces = list(generate_fragments(found.PixelData[8 + int.from_bytes(found.PixelData[4:8], "little") :]))
    starts = [sum(len(one) + 8 for one in pieces[:number]) for number in range(len(pieces))]
    count = int(found.NumberOfFrames)
    basic = parse_basic_offsets(found.PixelData)
    assert basic == (starts[:count] if table == "basic" else [])
    if table == "extended":
        assert struct.unpack(f"<{count}Q", found.ExtendedOffsetTable) == tuple(starts[:count])
        assert struct.unpack(f"<{count}Q", found.ExtendedOffsetTableLengths) == tuple(map(len, pieces[:count]))
    else:
        assert "ExtendedOffsetTable" not in found


def segments(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the segments of a JPEG or JPEG-LS codestream up to its first scan, and then all the rest as one."""
    at = 2
    while stream[at + 1] != 0xDA:
        length = 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        yield stream[at + 1], stream[at : at + length]
        at += length
    yield 0xDA, stream[at:].rstrip(b"\0")


def plain_jpeg(stream: bytes) -> bytes:
    """Return a JPEG codestream without any APP or COM segment in front of its first scan."""
    kept = [piece for code, piece in segments(stream) if not 0xE0 <= code <= 0xEF and code != 0xFE]
    return stream[:2] + b"".join(kept)


def plain_2000(stream: bytes) -> bytes:
    """Return a JPEG 2000 codestream without comments in its main header."""
    kept, at = [stream[:2]], 2
    while stream[at : at + 2] != b"\xff\x90":
        length = 2 + int.from_bytes(stream[at + 2 : at + 4], "big")
        if stream[at : at + 2] != b"\xff\x64":
            kept.append(stream[at : at + length])
        at += length
    return b"".join([*kept, stream[at:]]).rstrip(b"\0")


def as_it_is(stream: bytes) -> bytes:
    return stream


CODECS: dict[str, tuple[str, str, Callable[[bytes], bytes]]] = {
    "JPEG baseline": ("SC_rgb_small_odd_jpeg.dcm", BASELINE, plain_jpeg),
    "JPEG baseline, RGB": ("SC_jpeg_no_color_transform.dcm", BASELINE, plain_jpeg),
    "JPEG extended": ("JPGExtended.dcm", str(uid.JPEGExtended12Bit), plain_jpeg),
    "JPEG lossless": ("SC_rgb_jpeg_gdcm.dcm", str(uid.JPEGLosslessSV1), plain_jpeg),
    "JPEG-LS": ("MR_small_jpeg_ls_lossless.dcm", JPEG_LS, plain_jpeg),
    "JPEG-LS near lossless": ("JPEGLSNearLossless_08.dcm", str(uid.JPEGLSNearLossless), plain_jpeg),
    "JPEG-LS by line": ("SC_rgb_jls_lossy_line.dcm", str(uid.JPEGLSNearLossless), plain_jpeg),
    "JPEG 2000 lossless": ("MR_small_jp2klossless.dcm", JPEG_2000, plain_2000),
    "JPEG 2000": ("693_J2KI.dcm", str(uid.JPEG2000), plain_2000),
    "JPEG 2000 with a delimiter in it": ("JPEG2000-embedded-sequence-delimiter.dcm", str(uid.JPEG2000), plain_2000),
    "RLE": ("MR_small_RLE.dcm", RLE, as_it_is),
    "RLE of colours": ("SC_rgb_rle_2frame.dcm", RLE, as_it_is),
    "RLE of 32 bits": ("SC_rgb_rle_32bit_2frame.dcm", RLE, as_it_is),
}


@case(93)
@in_both_profiles
@with_a_table
@pytest.mark.parametrize("codec", CODECS)
def test_a_compressed_picture_is_never_decoded_and_comes_out_as_it_was(codec: str, table: str, profile: str) -> None:
    name, syntax, plain = CODECS[codec]
    like = example(name)
    streams = [bare(one, plain) for one in frames_of(like)]
    data = encapsulated([[one] for one in streams], syntax, like, table)
    found = read(released(data, profile))
    assert found.file_meta.TransferSyntaxUID == syntax
    assert found.PixelData == read(data).PixelData
    table_is_right(found, table)


def bare(stream: bytes, plain: Callable[[bytes], bytes]) -> bytes:
    stream = plain(stream)
    return stream + bytes(len(stream) % 2)


@case(93)
@in_both_profiles
@pytest.mark.parametrize("codec", CODECS)
def test_what_a_program_wrote_beside_a_picture_is_all_that_may_go(codec: str, profile: str) -> None:
    name, syntax, plain = CODECS[codec]
    like = example(name)
    data = encapsulated([[one] for one in frames_of(like)], syntax, like, "basic")
    found = read(released(data, profile))
    assert [plain(one) for one in frames_of(found)] == [plain(one) for one in frames_of(like)]
    table_is_right(found, "basic")


def square(bits: int) -> Dataset:
    """Return the shape of the pictures of :mod:`tests.real_streams`."""
    like = Dataset()
    like.Rows = like.Columns = real_streams.SIDE
    like.BitsAllocated = like.BitsStored = bits
    like.HighBit, like.SamplesPerPixel, like.PixelRepresentation = bits - 1, 1, 0
    like.PhotometricInterpretation = "MONOCHROME2"
    return like


HIGH_THROUGHPUT = {
    "lossless": (HTJ2K, real_streams.HTJ2K_LOSSLESS),
    "lossless with RPCL": (str(uid.HTJ2KLosslessRPCL), real_streams.HTJ2K_LOSSLESS),
    "lossy": (str(uid.HTJ2K), real_streams.HTJ2K_LOSSY),
}


@case(93)
@in_both_profiles
@with_a_table
@pytest.mark.parametrize("kind", HIGH_THROUGHPUT)
def test_what_an_encoder_of_htj2k_wrote_comes_out_as_it_was_but_for_its_comment(
    kind: str, table: str, profile: str
) -> None:
    """The streams are OpenJPH's own, with the capabilities (CAP) that make them HTJ2K and its name in a comment."""
    syntax, stream = HIGH_THROUGHPUT[kind]
    plain = plain_2000(stream)
    assert b"\xff\x50\x00\x08" in plain
    data = encapsulated([[stream], [plain]], syntax, square(16), table)
    found = read(clean(data, "OpenJPH", profile=profile))
    assert [one.rstrip(b"\0") for one in frames_of(found)] == [plain, plain]
    assert found.file_meta.TransferSyntaxUID == syntax
    table_is_right(found, table)


XL_LOSSLESS, XL_OF_JPEG = "1.2.840.10008.1.2.4.110", "1.2.840.10008.1.2.4.111"
BOXED = {
    "lossless": (XL_LOSSLESS, real_streams.XL_LOSSLESS_BOXED),
    "lossy": ("1.2.840.10008.1.2.4.112", real_streams.XL_LOSSY_BOXED),
}


@case(93)
@in_both_profiles
@with_a_table
@pytest.mark.parametrize("kind", BOXED)
def test_jpeg_xl_in_its_boxes_comes_out_as_its_encoder_wrote_it(kind: str, table: str, profile: str) -> None:
    """The streams are libjxl's own."""
    syntax, stream = BOXED[kind]
    found = read(released(encapsulated([[stream], [stream]], syntax, square(8), table), profile))
    assert [one[: len(stream)] for one in frames_of(found)] == [stream, stream]
    assert {len(one) - len(stream) for one in frames_of(found)} <= {0, 1}
    table_is_right(found, table)


@case(93)
@in_both_profiles
def test_jpeg_xl_without_boxes_and_of_a_jpeg_with_all_that_this_said_is_held(profile: str) -> None:
    """Of the bare one nobody can tell where it ends; the other has the JPEG's segments in a box (jbrd)."""
    assert real_streams.XL_LOSSLESS_BARE in real_streams.XL_LOSSLESS_BOXED
    bare = encapsulated([[real_streams.XL_LOSSLESS_BARE + b"Quillfeather"]], XL_LOSSLESS, square(8), "basic")
    assert held_clean(bare, "Quillfeather", profile=profile) == "codestream-not-treated"
    assert b"jbrd" in real_streams.XL_OF_A_JPEG
    of_jpeg = encapsulated([[real_streams.XL_OF_A_JPEG]], XL_OF_JPEG, square(8), "basic")
    assert held(of_jpeg, profile).code == "codestream-not-treated"


VIDEO = ["MPEG2MPML", "MPEG2MPHL", "MPEG4HP41", "MPEG4HP41BD", "MPEG4HP422D", "HEVCMP51", "HEVCM10P51"]


@case(93)
@in_both_profiles
@pytest.mark.parametrize("kind", VIDEO)
def test_a_video_is_held_since_nobody_takes_the_words_out_of_it(kind: str, profile: str) -> None:
    stream = b"\0\0\1\xb3\x04\0\x04\0zqvideo of Quillfeather\0\0\1\xb7"
    data = encapsulated([[stream]], str(getattr(uid, kind)), read(samples.ct()))
    assert held_clean(data, "zqvideo", profile=profile) == "codestream-not-treated"


# What stands beside a picture


def segment(code: int, content: bytes) -> bytes:
    return b"\xff" + bytes([code]) + (len(content) + 2).to_bytes(2, "big") + content


JPEG_PLANTS = {
    "EXIF": segment(0xE1, b"Exif\0\0II*\0zqplanted GPS 48.1 N"),
    "XMP": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>zqplanted</x>"),
    "ICC": segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(100) + b"desc zqplanted"),
    "JUMBF": segment(0xEB, b"JP\0\0zqplanted"),
    "IPTC": segment(0xED, b"Photoshop 3.0\0zqplanted"),
    "a comment": segment(0xFE, b"zqplanted"),
    "two comments": segment(0xFE, b"zqplanted") + segment(0xFE, b"zqplanted, " * 1000),
    "a thumbnail": segment(0xE0, b"JFXX\0\x10zqplanted"),
    "a segment of a vendor's": segment(0xEF, b"zqplanted"),
}


@case(94)
@in_both_profiles
@with_a_table
@pytest.mark.parametrize("plant", JPEG_PLANTS)
@pytest.mark.parametrize("codec", ["JPEG baseline", "JPEG lossless", "JPEG-LS"])
def test_what_jpeg_segments_say_is_cut_out_and_the_tables_are_put_right(
    codec: str, plant: str, table: str, profile: str
) -> None:
    name, syntax, plain = CODECS[codec]
    like = example(name)
    stream = plain(frames_of(like)[0])
    dirty = stream[:2] + JPEG_PLANTS[plant] + stream[2:]
    data = encapsulated([[dirty], [stream], [dirty]], syntax, like, table)
    found = read(clean(data, "zqplanted", profile=profile))
    assert [plain(one) for one in frames_of(found)] == [stream.rstrip(b"\0")] * 3
    table_is_right(found, table)


@case(94)
@in_both_profiles
@pytest.mark.parametrize("codec", ["JPEG baseline", "JPEG-LS", "JPEG 2000"])
def test_bytes_behind_the_end_of_a_codestream_are_cut_off(codec: str, profile: str) -> None:
    name, syntax, plain = CODECS[codec]
    like = example(name)
    stream = plain(frames_of(like)[0])
    data = encapsulated([[stream + b"zqtrailing"]], syntax, like, "basic")
    found = read(clean(data, "zqtrailing", profile=profile))
    assert [plain(one) for one in frames_of(found)] == [stream.rstrip(b"\0")]


def with_comment(stream: bytes, content: bytes) -> bytes:
    """Return a JPEG 2000 codestream with a comment behind SIZ, which has to be the first (ISO 15444-1 A.5.1)."""
    at = 4 + int.from_bytes(stream[4:6], "big")
    comment = b"\xff\x64" + (len(content) + 4).to_bytes(2, "big") + b"\0\1" + content
    return stream[:at] + comment + stream[at:]


@case(94)
@in_both_profiles
@with_a_table
@pytest.mark.parametrize("syntax", [JPEG_2000, HTJ2K])
def test_comments_of_jpeg_2000_are_cut_out_and_the_tables_are_put_right(syntax: str, table: str, profile: str) -> None:
    like = square(16) if syntax == HTJ2K else example("MR_small_jp2klossless.dcm")
    stream = plain_2000(real_streams.HTJ2K_LOSSLESS if syntax == HTJ2K else frames_of(like)[0])
    dirty = with_comment(stream, b"zqplanted of Quillfeather")
    found = read(clean(encapsulated([[dirty], [stream], [dirty]], syntax, like, table), "zqplanted", profile=profile))
    assert [plain_2000(one) for one in frames_of(found)] == [stream] * 3
    assert b"\xff\x64" not in frames_of(found)[0][:200]
    table_is_right(found, table)


def box(kind: bytes, content: bytes) -> bytes:
    return (len(content) + 8).to_bytes(4, "big") + kind + content


@case(94)
@in_both_profiles
@pytest.mark.parametrize("kind", [b"xml ", b"uuid", b"uinf", b"jp2i"])
def test_boxes_around_jpeg_2000_are_taken_off(kind: bytes, profile: str) -> None:
    like = example("MR_small_jp2klossless.dcm")
    stream = plain_2000(frames_of(like)[0])
    said = box(kind, b"<name>zqplanted</name>".rjust(40))
    wrapped = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ") + said + box(b"jp2c", stream) + said
    found = read(clean(encapsulated([[wrapped]], JPEG_2000, like, "basic"), "zqplanted", profile=profile))
    assert [one.rstrip(b"\0") for one in frames_of(found)] == [stream]


@case(94)
@in_both_profiles
@pytest.mark.parametrize("kind", [b"Exif", b"xml ", b"jumb", b"brob"])
def test_boxes_around_jpeg_xl_are_taken_off(kind: bytes, profile: str) -> None:
    stream = real_streams.XL_LOSSLESS_BARE
    file_type = box(b"ftyp", b"jxl \0\0\0\0jxl ")
    said = box(kind, b"zqplanted of Quillfeather")
    wrapped = box(b"JXL ", b"\r\n\x87\n") + file_type + said + box(b"jxlc", stream) + said
    found = read(clean(encapsulated([[wrapped]], XL_LOSSLESS, square(8)), "zqplanted", profile=profile))
    (left,) = frames_of(found)
    assert stream in left


@case(94)
@under_every_option
@pytest.mark.parametrize("nests", [False, True])
def test_the_text_of_an_icc_profile_is_gone(nests: bool, profile: str) -> None:
    content = bytes(128) + b"desczqprofile, calibrated by Quillfeather"
    clean(image(element(tag("ICCProfile"), "OB", content), nests=nests), "zqprofile", "Quillfeather", profile=profile)


@case(94)
@in_both_profiles
def test_a_frame_in_two_fragments_is_searched_across_their_border(profile: str) -> None:
    like = example("SC_rgb_small_odd_jpeg.dcm")
    stream = plain_jpeg(frames_of(like)[0])
    dirty = stream[:2] + segment(0xE1, b"Exif\0\0zqplanted!") + stream[2:]
    data = encapsulated([[dirty[:12], dirty[12:]], [stream]], BASELINE, like, "basic")
    found = read(clean(data, "ed!", profile=profile))
    assert left_in(found.PixelData, "zqpl") == set()
    assert [plain_jpeg(one) for one in frames_of(found)] == [stream.rstrip(b"\0")] * 2


# Data sets in other clothes


@case(95)
@under_every_option
def test_a_deflated_file_is_inflated_searched_and_written_plainly(profile: str) -> None:
    elements = [
        element(tag("ImageComments"), "LT", "zqcomment of Quillfeather " * 50),
        element(tag("PatientAddress"), "LO", "zqstreet 5"),
    ]
    deflated = samples.ct(*elements, transfer_syntax=str(uid.DeflatedExplicitVRLittleEndian))
    assert b"zqcomment" not in deflated
    found = clean(deflated, "zqcomment", "zqstreet", "Quillfeather", profile=profile)
    assert found == released(samples.ct(*elements), profile)
    assert read(found).file_meta.TransferSyntaxUID == uid.ExplicitVRLittleEndian


@case(95)
@in_both_profiles
def test_frames_that_are_deflated_one_by_one_stay_as_they_are(profile: str) -> None:
    syntax = "1.2.840.10008.1.2.8.1"
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    stream = deflate.compress(bytes(range(32))) + deflate.flush()
    stream += bytes(len(stream) % 2)
    like = read(samples.ct())
    assert frames_of(read(released(encapsulated([[stream]], syntax, like), profile))) == [stream]
    data = encapsulated([[stream + b"zqtrailing"]], syntax, like)
    assert frames_of(read(clean(data, "zqtrailing", profile=profile))) == [stream]


NUMBERS: dict[str, tuple[str, str, tuple[float, ...]]] = {
    "Rows": ("US", "H", (4,)),
    "SmallestImagePixelValue": ("SS", "h", (-5,)),
    "LargestImagePixelValue": ("SS", "h", (-1,)),
    "ReferencedSegmentNumber": ("US", "2H", (1, 515)),
    "DimensionIndexValues": ("UL", "2L", (1, 66051)),
    "ReferencePixelX0": ("SL", "l", (-66051,)),
    "GraphicData": ("FL", "2f", (1.25, -0.5)),
    "RealWorldValueSlope": ("FD", "d", (0.1,)),
    "RealWorldValueFirstValueMapped": ("SS", "h", (-1024,)),
    "FrameIncrementPointer": ("AT", "HH", (0x0018, 0x1063)),
    "LUTDescriptor": ("SS", "3h", (256, -7, 16)),
    "PixelPaddingValue": ("SS", "h", (-2000,)),
}


@case(96)
@in_both_profiles
@pytest.mark.parametrize("nests", [False, True])
@pytest.mark.parametrize("keyword", NUMBERS)
def test_a_number_is_the_same_number_in_big_endian(keyword: str, nests: bool, profile: str) -> None:
    vr, code, values = NUMBERS[keyword]
    written_as = {
        how: image(
            element(tag(keyword), vr, struct.pack(f"{'<' if how.little else '>'}{code}", *values), how),
            us(tag("PixelRepresentation"), 1, how),
            nests=nests,
            how=how,
        )
        for how in (EXPLICIT, BIG)
    }
    found = {how: place(read(released(data, profile)), nests=nests) for how, data in written_as.items()}
    assert found[BIG].get(keyword) == found[EXPLICIT].get(keyword)
    assert keyword in found[BIG]


@case(96)
@in_both_profiles
def test_pixels_and_lookup_tables_in_big_endian_stay_in_their_order(profile: str) -> None:
    table = struct.pack(">4H", 1, 2, 3, 515)
    pixels = struct.pack(">16H", *range(500, 516))
    lookup = sequence(
        tag("ModalityLUTSequence"),
        item(
            element(tag("LUTDescriptor"), "US", struct.pack(">3H", 4, 0, 16), BIG),
            element(tag("LUTData"), "OW", table, BIG),
            how=BIG,
        ),
        how=BIG,
    )
    found = released(samples.ct(element(0x7FE00010, "OW", pixels, BIG), lookup, how=BIG), profile)
    assert element(0x7FE00010, "OW", pixels, BIG) in found
    assert element(tag("LUTData"), "OW", table, BIG) in found
    assert read(found).file_meta.TransferSyntaxUID == uid.ExplicitVRBigEndian


@case(97)
@under_every_option
@pytest.mark.parametrize("nests", [False, True])
def test_private_and_unknown_elements_in_implicit_vr_corrupt_nothing(nests: bool, profile: str) -> None:
    def elements(how: How) -> list[bytes]:
        return [
            element(0x00080070, "LO", "Acme", how),
            element(0x00180050, "DS", "2.5", how),
            element(0x0018FFF6, "UN", b"zqunknown!", how),
            element(0x00280120, "US", b"\x30\xf8", how),
            element(0x00290010, "LO", "SAMPLE VENDOR", how),
            element(0x00291001, "UN", b"zqprivate!", how),
            element(0x00291004, "UN", b"zq", how),
            element(0x00281052, "DS", "-1024", how),
        ]

    implicit, explicit = (image(*elements(how), nests=nests, how=how) for how in (IMPLICIT, EXPLICIT))
    one = read(clean(implicit, "zqunknown", "zqprivate", profile=profile))
    other = read(clean(explicit, "zqunknown", "zqprivate", profile=profile))
    assert one == other
    at = place(one, nests=nests)
    assert (at.Manufacturer, at.SliceThickness, at.RescaleIntercept) == ("Acme", 2.5, -1024)
    assert {str(left.VR) for left in other.iterall()} & {"UN"} == set()


@case(97)
def test_a_listed_private_attribute_in_implicit_vr_keeps_its_bytes() -> None:
    private = [element(0x00190010, "LO", "SIEMENS MR HEADER", IMPLICIT), element(0x0019100C, "IS", "1000", IMPLICIT)]
    b_matrix = element(0x00191027, "FD", struct.pack("<6d", *range(6)), IMPLICIT)
    data = samples.ct(*private, b_matrix, element(0x00191008, "CS", "ZQHEADER", IMPLICIT), how=IMPLICIT)
    found = clean(data, "ZQHEADER", profile="retain_safe_private")
    assert all(one in found for one in (*private, b_matrix))


AMBIGUOUS: dict[str, tuple[tuple[str, ...], bytes]] = {
    "SmallestImagePixelValue": (("US", "SS"), b"\x30\xf8"),
    "LargestImagePixelValue": (("US", "SS"), b"\xff\x7f"),
    "PixelPaddingValue": (("US", "SS"), b"\x30\xf8"),
    "PixelPaddingRangeLimit": (("US", "SS"), b"\x30\xf8"),
    "RedPaletteColorLookupTableDescriptor": (("US", "SS"), b"\0\1\x30\xf8\x10\0"),
    "RedPaletteColorLookupTableData": (("OW",), bytes(range(32))),
    "LUTDescriptor": (("US", "SS"), b"\0\1\x30\xf8\x10\0"),
    "LUTData": (("OW", "US"), bytes(range(32))),
    "RealWorldValueLastValueMapped": (("US", "SS"), b"\x30\xf8"),
}

DESCRIPTORS = {
    "RedPaletteColorLookupTableData": "RedPaletteColorLookupTableDescriptor",
    "LUTData": "LUTDescriptor",
}


@case(98)
@in_both_profiles
@pytest.mark.parametrize("nests", [False, True])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize("keyword", AMBIGUOUS)
def test_a_value_of_two_possible_vrs_keeps_every_byte(keyword: str, signed: int, nests: bool, profile: str) -> None:
    vrs, value = AMBIGUOUS[keyword]

    def beside(how: How = EXPLICIT) -> list[bytes]:
        """Return what a reader needs to understand the value."""
        descriptor = DESCRIPTORS.get(keyword)
        table = [] if descriptor is None else [samples.lut_descriptor(tag(descriptor), 16, how)]
        return [us(tag("PixelRepresentation"), signed, how), *table]

    for vr in vrs:
        written_so = element(tag(keyword), vr, value)
        assert written_so in released(image(written_so, *beside(), nests=nests), profile)
    implicit = element(tag(keyword), vrs[0], value, IMPLICIT)
    assert implicit in released(image(implicit, *beside(IMPLICIT), nests=nests, how=IMPLICIT), profile)


@case(98)
@in_both_profiles
@pytest.mark.parametrize("vr", ["OB", "OW"])
def test_pixels_of_eight_bits_keep_their_vr_and_every_byte(vr: str, profile: str) -> None:
    eight = [us(tag("BitsAllocated"), 8), us(tag("BitsStored"), 8), us(tag("HighBit"), 7)]
    pixels = element(0x7FE00010, vr, bytes(range(16)))
    assert pixels in released(samples.ct(*eight, pixels), profile)


# Fragments and tables


def runs(value: int) -> bytes:
    """Return a frame of 4 x 4 pixels of 16 bits in RLE (PS3.5 G), with what looks like a delimiter in it."""
    delimiter = END[:4]
    one = bytes([15]) + delimiter + bytes([value] * 8) + delimiter
    two = bytes([257 - 16, value])
    return struct.pack("<16L", 2, 64, 64 + len(one) + 1, *[0] * 13) + one + b"\0" + two


@case(99)
@in_both_profiles
@with_a_table
def test_a_table_stays_right_and_a_delimiter_inside_a_frame_ends_nothing(table: str, profile: str) -> None:
    frames = [runs(number) for number in (1, 2, 3)]
    data = encapsulated([[one] for one in frames], RLE, read(samples.ct()), table)
    found = read(released(data, profile))
    assert frames_of(found) == frames
    assert all(END[:4] in one for one in frames_of(found))
    table_is_right(found, table)


@case(99)
@in_both_profiles
@pytest.mark.parametrize(
    "wrong", [b"\0\0\0\0\x99\0\0\0\0\1\0\0", b"\1\0\0\0", b"zqname Quil.", bytes(12), b"\xff" * 12]
)
def test_a_wrong_table_tells_nothing_and_comes_out_right(wrong: bytes, profile: str) -> None:
    """A table that points nowhere could hold anything; where each frame is one fragment, nobody needs it."""
    frames = [runs(number) for number in (1, 2, 3)]
    pixels = header(0x7FE00010, "OB", UNDEFINED) + b"".join(map(item, [wrong, *frames])) + END
    data = samples.ct(*shape(read(samples.ct()), 3), pixels, transfer_syntax=RLE)
    found = read(released(data, profile))
    assert frames_of(found) == frames
    table_is_right(found, "basic")
    assert left_in(released(data, profile), "zqname") == set()


@case(99)
@in_both_profiles
def test_a_fragment_of_odd_length_comes_out_even(profile: str) -> None:
    like = example("SC_rgb_small_odd_jpeg.dcm")
    stream = plain_jpeg(frames_of(like)[0])
    stream = stream if len(stream) % 2 else stream[:-2] + b"\xff" + stream[-2:]  # a byte that fills up
    assert len(stream) % 2
    pixels = header(0x7FE00010, "OB", UNDEFINED) + item() + item(stream) + END
    found = read(released(samples.ct(*shape(like), pixels, transfer_syntax=BASELINE), profile))
    (left,) = frames_of(found)
    assert len(left) % 2 == 0
    assert plain_jpeg(left) in {stream, stream[:-3] + stream[-2:]}


@case(99)
@in_both_profiles
def test_fragments_of_which_nobody_can_tell_the_frames_hold_the_instance(profile: str) -> None:
    like = example("SC_rgb_small_odd_jpeg.dcm")
    stream = plain_jpeg(frames_of(like)[0])
    pieces = [stream[:20], stream[20:], stream[:20], stream[20:]]  # two begin like a frame, and three there should be
    pixels = header(0x7FE00010, "OB", UNDEFINED) + b"".join(map(item, [b"", *pieces])) + END
    data = samples.ct(*shape(like, 3), pixels, transfer_syntax=BASELINE)
    assert held(data, profile).code == "frames-unknown"


# Pixels that are left alone


@case(100)
@in_both_profiles
@pytest.mark.parametrize(("number", "vr", "code"), [(0x7FE00008, "OF", "f"), (0x7FE00009, "OD", "d")])
def test_floating_pixels_keep_every_byte(number: int, vr: str, code: str, profile: str) -> None:
    sop_class = str(uid.ParametricMapStorage)
    bits = {"f": 32, "d": 64}[code]
    pixels = struct.pack(f"<16{code}", *(one / 3 for one in range(16)))
    shaped = [us(tag("BitsAllocated"), bits), us(tag("Rows"), 4), us(tag("Columns"), 4), us(tag("SamplesPerPixel"), 1)]
    elements = [*samples.common(sop_class=sop_class), *shaped, element(number, vr, pixels)]
    data = samples.file(samples.merged([], elements), sop_class=sop_class)
    assert element(number, vr, pixels) in released(data, profile)


@case(100)
@in_both_profiles
@pytest.mark.parametrize("how", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
def test_a_segmentation_of_single_bits_keeps_every_byte(how: How, profile: str) -> None:
    sop_class = str(uid.SegmentationStorage)
    shaped = {
        "BitsAllocated": 1,
        "BitsStored": 1,
        "HighBit": 0,
        "Rows": 5,
        "Columns": 5,
        "SamplesPerPixel": 1,
        "PixelRepresentation": 0,
    }
    pixels = bytes.fromhex("0f55aaff3300f101020304a0")  # 75 bits in 10 bytes, and then none
    elements = [
        *samples.common(how, sop_class=sop_class, modality="SEG"),
        *(us(tag(keyword), value, how) for keyword, value in shaped.items()),
        element(tag("PhotometricInterpretation"), "CS", "MONOCHROME2", how),
        element(tag("NumberOfFrames"), "IS", "3", how),
        element(0x7FE00010, "OB", pixels[:9] + b"\x05", how),
    ]
    data = samples.file(samples.merged([], elements, how), how, sop_class=sop_class)
    assert read(released(data, profile)).PixelData == pixels[:9] + b"\x05"


@case(100)
@in_both_profiles
def test_pydicoms_own_segmentation_keeps_every_byte(profile: str) -> None:
    for name in ("liver_1frame.dcm", "liver_expb_1frame.dcm"):
        path = get_testdata_file(name, download=False)
        found = read(released(Path(str(path)).read_bytes(), profile))
        assert found.PixelData == example(name).PixelData


@case(100)
@in_both_profiles
def test_a_palette_stays_and_an_overlay_beside_it_goes(profile: str) -> None:
    colours = [
        part
        for number, keyword in enumerate(("Red", "Green", "Blue"))
        for part in (
            element(tag(f"{keyword}PaletteColorLookupTableDescriptor"), "US", struct.pack("<3H", 16, 0, 16)),
            element(tag(f"{keyword}PaletteColorLookupTableData"), "OW", bytes(range(number, 32 + number))),
        )
    ]
    eight = [us(tag("BitsAllocated"), 8), us(tag("BitsStored"), 8), us(tag("HighBit"), 7)]
    photometric = element(tag("PhotometricInterpretation"), "CS", "PALETTE COLOR")
    pixels = element(0x7FE00010, "OB", bytes(range(16)))
    overlay = [
        us(0x60000100, 1),
        us(0x60000102, 0),
        element(0x60000022, "LO", "zqoverlay"),
        element(0x60003000, "OW", b"zqover"),
    ]
    data = samples.ct(*eight, photometric, *colours, *overlay, pixels)
    found = clean(data, "zqover", profile=profile)
    assert all(part in found for part in (*colours, photometric, pixels))


@case(101)
@in_both_profiles
@in_every_encoding
@pytest.mark.parametrize("behind", [b"Quillfeather", b"zq", bytes(12), b"Quillfeather" * 1000])
def test_native_pixels_that_are_longer_than_the_picture_hold_it(behind: bytes, how: How, profile: str) -> None:
    longer = element(0x7FE00010, "OW", bytes(32) + behind, how)
    assert held(samples.ct(longer, how=how), profile).code == "pixel-data-longer"


@case(101)
@in_both_profiles
def test_a_frame_more_than_the_picture_has_holds_it(profile: str) -> None:
    like = example("SC_rgb_small_odd_jpeg.dcm")
    stream = plain_jpeg(frames_of(like)[0])
    pixels = header(0x7FE00010, "OB", UNDEFINED) + b"".join(map(item, [b"", stream, stream])) + END
    data = samples.ct(*shape(like, 1), pixels, transfer_syntax=BASELINE)
    assert held(data, profile).code == "frames-unknown"


@case(101)
@in_both_profiles
def test_runs_behind_the_picture_are_cut_off_or_hold_it(profile: str) -> None:
    like = read(samples.ct())
    data = encapsulated([[runs(1) + b"\x0bQuillfeather"]], RLE, like)
    found = read(clean(data, "Quillfeather", profile=profile))
    assert frames_of(found) == [runs(1)]


@case(102)
@in_both_profiles
def test_no_pixel_is_cleaned_so_none_is_re_encoded_and_nothing_says_so(profile: str) -> None:
    """There are no pixel rules yet: what would need them is held, and what is said of the pixels stays true."""
    like = example("SC_rgb_small_odd_jpeg.dcm")
    stream = plain_jpeg(frames_of(like)[0])
    said = [
        element(tag("LossyImageCompression"), "CS", "01"),
        element(tag("LossyImageCompressionRatio"), "DS", "12.5"),
        element(tag("LossyImageCompressionMethod"), "CS", "ISO_10918_1"),
    ]
    data = encapsulated([[stream]], BASELINE, like, "basic", *said)
    found = read(released(data, profile))
    assert (found.LossyImageCompression, found.LossyImageCompressionRatio) == ("01", 12.5)
    assert found.LossyImageCompressionMethod == "ISO_10918_1"
    assert "BurnedInAnnotation" not in found
    assert {"113101", "113102"} & {one.CodeValue for one in found.DeidentificationMethodCodeSequence} == set()


RISKS = {
    "a flag": element(tag("BurnedInAnnotation"), "CS", "YES"),
    "a screen": element(tag("ImageType"), "CS", "DERIVED\\SECONDARY\\SCREEN SAVE"),
    "a workstation": element(tag("ConversionType"), "CS", "WSD"),
}
REGION = sequence(
    tag("SequenceOfUltrasoundRegions"),
    item(*(element(tag(f"RegionLocation{corner}"), "UL", bytes(4)) for corner in ("MinX0", "MinY0", "MaxX1", "MaxY1"))),
)


@case(102)
@under_every_option
@pytest.mark.parametrize("risk", RISKS)
@pytest.mark.parametrize("codec", CODECS)
def test_a_compressed_picture_that_would_have_to_be_cleaned_is_held_under_every_option(
    codec: str, risk: str, profile: str
) -> None:
    """Nothing cleans pixels yet, so nothing that would need it is released, nor claims that it was done."""
    name, syntax, _ = CODECS[codec]
    like = example(name)
    data = encapsulated([[one] for one in frames_of(like)], syntax, like, "basic", RISKS[risk])
    assert held(data, profile).code == "burned-in-risk"


@case(102)
@in_both_profiles
@pytest.mark.parametrize("flag", ["NO", ""])
@pytest.mark.parametrize(
    "kind", ["UltrasoundImageStorage", "UltrasoundMultiFrameImageStorage", "SecondaryCaptureImageStorage"]
)
@pytest.mark.parametrize("codec", ["JPEG baseline", "JPEG 2000", "RLE"])
def test_a_compressed_picture_of_a_kind_that_shows_names_is_held_whatever_it_says(
    codec: str, kind: str, flag: str, profile: str
) -> None:
    """Even where the object says itself in which region its picture is and its words are not."""
    name, syntax, _ = CODECS[codec]
    like = example(name)
    said = [element(tag("BurnedInAnnotation"), "CS", flag), REGION]
    data = read(encapsulated([[one] for one in frames_of(like)], syntax, like, "basic", *said))
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = getattr(uid, kind)
    file = BytesIO()
    data.save_as(file)
    assert held(file.getvalue(), profile).code == "burned-in-risk"


@case(102)
@in_both_profiles
def test_a_flag_of_no_is_passed_on_as_the_source_has_it(profile: str) -> None:
    found = released(samples.ct(element(tag("BurnedInAnnotation"), "CS", "NO")), profile)
    assert written(found, "BurnedInAnnotation") == "NO"
    assert UNLISTED_SEQUENCE not in read(found)
