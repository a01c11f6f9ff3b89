"""Compressed frames, as the gate sees them: metadata has to go, and nothing that a decoder uses may change."""

from __future__ import annotations

from itertools import pairwise

import pytest
from pydicom.uid import UID

from anonymizer.gate import codestreams
from anonymizer.gate.codestreams import Coded
from anonymizer.gate.segments import Picture
from tests.gate_frames import (
    DEFLATED_FRAMES,
    ENCAPSULATED,
    FRAGMENTABLE_MPEG_4,
    HTJ2K,
    JFIF,
    JPEG,
    JPEG_2000,
    JPEG_LS,
    JPEG_XL,
    MPEG_4,
    RLE,
    TABLE,
    adobe,
    app,
    box,
    deflated,
    image,
    items,
    jp2,
    jpeg,
    jpeg_2000,
    jpeg_ls,
    jxl,
    lengths,
    rle,
    segment,
    tile_part,
    verdict_on,
    verdict_on_frame,
    written,
)
from tests.gate_samples import judged, kinds, rewritten

COMMENT = segment(0xFE, b"for nobody")
COMMENT_2000 = segment(0x64, b"\0\1for nobody")
EXIF = app(1, b"Exif\0\0" + bytes(20))
THUMBNAIL = JFIF[:12] + b"\x01\x01" + bytes(3)
PART, OTHER_PART = tile_part(b"\x80\x81"), tile_part(b"\x82\x83\x84", index=1)
COMMENTED_PART = tile_part(b"\x80\x81", COMMENT_2000)
PIXELS = bytes(range(16))
RUN = b"\x0f" + PIXELS
XL = b"\xff\x0asamples"

QUANTIZERS, CODES = segment(0xDB, b"\0for nobody" + bytes(54)), segment(0xC4, b"\0\0\1" + bytes(15))
OTHER_TABLES = [segment(0xDB, b"\2" + bytes(64)), segment(0xC4, b"\x13\1" + bytes(16)), segment(0xDD, b"\0\7")]
SECOND_SCAN = segment(0xDA, b"\x01\x01\0\0\x3f\0")
PACKETS = segment(0x58, b"\0for nobody")
POINTED_PART = tile_part(b"\x80\x81", PACKETS)

STRIPPED = [
    # transfer syntax, what the source has, what its output has
    (JPEG, jpeg(COMMENT, EXIF, app(2, b"ICC_PROFILE\0"), app(13, b"Photoshop")), jpeg()),
    (JPEG, jpeg(app(0, THUMBNAIL), app(0, b"JFXX\0\x13")), jpeg(app(0, JFIF))),
    (JPEG, jpeg(app(0, JFIF[:7] + b"\1\0\x60\0\x60\0\0")), jpeg(app(0, JFIF))),
    (JPEG, jpeg(app(14, adobe(1, version=101, flags=7) + b"text")), jpeg(app(14, adobe(1)))),
    (JPEG, jpeg(before_scan=COMMENT), jpeg()),
    (JPEG, jpeg(end=b"\0\0for nobody"), jpeg()),
    (JPEG, jpeg(end=jpeg(EXIF)), jpeg()),
    (JPEG, jpeg().replace(b"\xff\xc0", b"\xff\xff\xff\xc0").replace(b"\xff\xd9", b"\xff\xff\xd9"), jpeg()),
    (JPEG, jpeg(scan=b"\1\xff\xff\xd0\2"), jpeg(scan=b"\1\xff\xd0\2")),
    (JPEG, jpeg(QUANTIZERS, CODES), jpeg()),
    (JPEG, jpeg(before_scan=b"".join(OTHER_TABLES[:2])), jpeg()),
    (JPEG, jpeg(scan=b"\x12" + QUANTIZERS + CODES + OTHER_TABLES[2]), jpeg(scan=b"\x12")),
    (JPEG, jpeg(scan=b"\1" + CODES + TABLE + SECOND_SCAN + b"\2"), jpeg(scan=b"\1" + CODES + SECOND_SCAN + b"\2")),
    (JPEG, jpeg(segment(0xDB, TABLE[4:] + OTHER_TABLES[0][4:])).replace(TABLE, b"", 1), jpeg()),
    (JPEG_LS, jpeg_ls(segment(0xF8, b"\1for nobody") * 2), jpeg_ls(segment(0xF8, b"\1for nobody"))),
    (JPEG_2000, jpeg_2000(POINTED_PART, header=[segment(0x57, b"\0for nobody")]), jpeg_2000(PART)),
    (
        HTJ2K,
        jpeg_2000(POINTED_PART, OTHER_PART, header=[lengths(POINTED_PART, OTHER_PART)]),
        jpeg_2000(PART, OTHER_PART, header=[lengths(PART, OTHER_PART)]),
    ),
    (JPEG_LS, jpeg_ls(COMMENT, app(8, b"mrfx\1"), app(8, b"SPIFF\0" + bytes(24))), jpeg_ls(app(8, b"mrfx\1"))),
    (JPEG_2000, jpeg_2000(header=[COMMENT_2000]), jpeg_2000()),
    (JPEG_2000, jpeg_2000(COMMENTED_PART, OTHER_PART), jpeg_2000(PART, OTHER_PART)),
    (
        HTJ2K,
        jpeg_2000(COMMENTED_PART, OTHER_PART, header=[lengths(COMMENTED_PART, OTHER_PART)]),
        jpeg_2000(PART, OTHER_PART, header=[lengths(PART, OTHER_PART)]),
    ),
    (JPEG_2000, jpeg_2000(tile_part(b"\x80\x81", COMMENT_2000, length=0)), jpeg_2000(tile_part(b"\x80\x81", length=0))),
    (JPEG_2000, jpeg_2000(tile_part(b"\x80\x81", length=0)), jpeg_2000(PART)),
    (JPEG_2000, jpeg_2000(end=b"\xff\xd9for nobody"), jpeg_2000()),
    (JPEG_2000, jp2(jpeg_2000(header=[COMMENT_2000]), box(b"colr", b"text")), jpeg_2000()),
    (JPEG_2000, jp2(jpeg_2000()) + box(b"xml ", b"<for>nobody</for>"), jpeg_2000()),
    (JPEG_XL, jxl(box(b"Exif", b"text"), box(b"jxlc", XL), box(b"xml ", b"text")), jxl(box(b"jxlc", XL))),
    (JPEG_XL, jxl(box(b"jxlc", XL), box(b"jumb", b"text"), box(b"jbrd", b"text")), XL),
    (
        JPEG_XL,
        jxl(box(b"jxlp", b"\0\0\0\0" + XL[:4]), box(b"brob", b"text"), box(b"jxlp", b"\x80\0\0\1" + XL[4:])),
        jxl(box(b"jxll", b"\5"), box(b"jxlp", b"\0\0\0\0" + XL[:3]), box(b"jxlp", b"\x80\0\0\1" + XL[3:])),
    ),
    (RLE, rle(RUN + b"\0for nobody"), rle(RUN + b"\0")),
    (DEFLATED_FRAMES, deflated(PIXELS) + b"for nobody", deflated(PIXELS)),
    (ENCAPSULATED, PIXELS + b"for nobody", PIXELS),
]


@pytest.mark.parametrize(("syntax", "source", "output"), STRIPPED)
def test_a_frame_without_its_metadata_is_the_frame(syntax: str, source: bytes, output: bytes) -> None:
    assert verdict_on_frame(syntax, source, output).passed


@pytest.mark.parametrize("cuts", [[20], [20, 100]])
def test_a_frame_may_come_in_fragments_that_are_joined(cuts: list[int]) -> None:
    frame = jpeg(COMMENT)
    fragments = [frame[a:b] for a, b in pairwise([0, *cuts, len(frame)])]
    assert verdict_on(image(items(*fragments), JPEG), items(jpeg())).passed


LEFT = [
    (JPEG, jpeg(COMMENT)),
    (JPEG, jpeg(EXIF)),
    (JPEG, jpeg(before_scan=app(1, b""))),
    (JPEG, jpeg(app(0, THUMBNAIL))),
    (JPEG, jpeg(app(0, JFIF), app(0, JFIF))),
    (JPEG, jpeg(before_scan=segment(0xDA, b"\x01\x01\0\0\x3f\0") + b"\1" + app(0, JFIF))),
    (JPEG, jpeg(app(14, adobe(1, version=101)))),
    (JPEG, jpeg(app(14, adobe(1) + b"text"))),
    (JPEG, jpeg(app(8, b"mrfx\1text"))),
    (JPEG, jpeg(end=b"text")),
    (JPEG, jpeg(end=b"\0\0\0\0")),
    (JPEG, jpeg(QUANTIZERS)),
    (JPEG, jpeg(CODES)),
    (JPEG, jpeg(before_scan=OTHER_TABLES[0])),
    (JPEG, jpeg(before_scan=OTHER_TABLES[2] * 2)),
    (JPEG, jpeg(scan=b"\x12" + QUANTIZERS)),
    (JPEG, jpeg(scan=b"\1" + QUANTIZERS + SECOND_SCAN + b"\2")),
    (JPEG_LS, jpeg_ls(app(8, b"mrfx\1text"))),
    (JPEG_LS, jpeg_ls(scan=b"\x12" + segment(0xF8, b"\1for nobody"))),
    (JPEG_2000, jpeg_2000(POINTED_PART)),
    (JPEG_2000, jpeg_2000(header=[segment(0x57, b"\0text")])),
    (JPEG_LS, jpeg_ls(COMMENT)),
    (JPEG_2000, jpeg_2000(header=[COMMENT_2000])),
    (JPEG_2000, jpeg_2000(COMMENTED_PART)),
    (JPEG_2000, jpeg_2000(end=b"\xff\xd9text")),
    (JPEG_2000, jp2(jpeg_2000())),
    (JPEG_XL, jxl(box(b"Exif", b""), box(b"jxlc", XL))),
    (JPEG_XL, jxl(box(b"ftyp", b"text"), box(b"jxlc", XL))),
    (JPEG_XL, jxl(box(b"jxlc", XL)) + b"text"),
    (RLE, rle(RUN + b"\0text")),
    (RLE, rle(b"\x10" + PIXELS + b"\0")),
    (RLE, rle(RUN + b"\0", b"\0\0" * 8)),
    (RLE, rle(RUN + b"\0", unused=1)),
    (DEFLATED_FRAMES, deflated(PIXELS) + b"text"),
    (DEFLATED_FRAMES, deflated(PIXELS + b"text")),
    (ENCAPSULATED, PIXELS + b"text"),
]


@pytest.mark.parametrize(("syntax", "frame"), LEFT)
def test_what_is_left_in_a_codestream_is_seen_though_it_names_nobody(syntax: str, frame: bytes) -> None:
    verdict = verdict_on_frame(syntax, frame, frame)
    assert {(item.kind, item.path) for item in verdict.findings} == {("codestream-metadata", "(7FE0,0010)")}


@pytest.mark.parametrize(
    ("syntax", "frame"),
    [
        (JPEG, b"no JPEG."),
        (JPEG, jpeg()[:-2]),
        (JPEG, jpeg()[:40]),
        (JPEG, jpeg().replace(b"\xff\xc0", b"\xff\x02")),
        (JPEG, jpeg()[:2] + b"text" + jpeg()[2:]),
        (JPEG, jpeg(app(14, adobe(1)), app(14, adobe(2)))),
        (JPEG, jpeg(TABLE[:3] + b"\x47" + TABLE[4:] + b"text")),
        (JPEG, jpeg(segment(0xC4, b"\0\1" + bytes(16) + b"text"))),
        (JPEG, jpeg(segment(0xDD, b"\0\1text"))),
        (JPEG, jpeg(before_scan=segment(0xDA, b"\x01\x01\0\0\x3f\0text"))),
        (JPEG, jpeg(segment(0xC1, b"\x08\0"))),
        (JPEG_2000, jpeg_2000(header=[segment(0x52, b"\0\0\0\1\0\0\4\4\0\1text")])),
        (JPEG_2000, jpeg_2000(header=[segment(0x51, bytes(40))])),
        (JPEG_2000, jpeg_2000(header=[segment(0x5C, b"\x40text!")])),
        (JPEG_2000, jpeg_2000()[:30]),
        (JPEG_2000, jpeg_2000(tile_part(b"\x80", length=200))),
        (JPEG_2000, jpeg_2000(tile_part(b"\x80", length=0), end=b"")),
        (JPEG_2000, jpeg_2000(header=[segment(0x6F, b"text")])),
        (JPEG_2000, jp2(jpeg_2000())[:-4]),
        (JPEG_XL, jxl(box(b"Exif", b"text"))),
        (JPEG_XL, jxl(box(b"jxlp", b"\0\0\0\0" + XL))),
        (JPEG_XL, b"no JPEG XL"),
        (RLE, b"no RLE"),
        (RLE, rle(RUN[:-2])),
        (RLE, bytes(64)),
        (DEFLATED_FRAMES, b"\xff" * 8),
        (DEFLATED_FRAMES, deflated(PIXELS)[:-4]),
        (DEFLATED_FRAMES, deflated(bytes(1 << 21))),
        (ENCAPSULATED, PIXELS[:-2]),
        ("1.2.840.10008.1.2.4.199", jpeg()),
    ],
)
def test_a_codestream_that_nobody_can_read_is_held_though_it_is_the_source_s(syntax: str, frame: bytes) -> None:
    verdict = verdict_on_frame(syntax, frame, frame)
    assert kinds(verdict) == {"codestream-metadata"}
    assert "cannot be read" in verdict.findings[0].rule


CHANGED = [
    (JPEG, jpeg(COMMENT), jpeg(scan=b"\x13\xff\0\x34")),
    (JPEG, jpeg(COMMENT), jpeg(scan=b"\x12\xff\0")),
    (JPEG, jpeg(COMMENT), jpeg().replace(b"\x3f\0", b"\x3e\0")),
    (JPEG, jpeg(COMMENT), jpeg().replace(TABLE, b"")),
    (JPEG, jpeg(COMMENT), jpeg().replace(TABLE, QUANTIZERS)),
    (JPEG, jpeg(COMMENT, before_scan=OTHER_TABLES[2]), jpeg()),
    (JPEG, jpeg(COMMENT), jpeg().replace(segment(0xC4, b"\0\1" + bytes(16)), CODES)),
    (JPEG, jpeg(COMMENT), jpeg(app(0, JFIF))),
    (JPEG, jpeg(app(0, JFIF), COMMENT), jpeg()),
    (JPEG, jpeg(app(14, adobe(1)), COMMENT), jpeg(app(14, adobe(0)))),
    (JPEG, jpeg(app(14, adobe(1)), COMMENT), jpeg()),
    (JPEG, jpeg(COMMENT, scan=b"\1\xff\xd0\2"), jpeg(scan=b"\1\xff\xd1\2")),
    (JPEG_LS, jpeg_ls(app(8, b"mrfx\1"), COMMENT), jpeg_ls(app(8, b"mrfx\2"))),
    (JPEG_LS, jpeg_ls(app(8, b"mrfx\1"), COMMENT), jpeg_ls()),
    (JPEG_LS, jpeg_ls(COMMENT), jpeg_ls(scan=b"\x12\xff\x7e\x34")),
    (JPEG_2000, jpeg_2000(COMMENTED_PART), jpeg_2000(tile_part(b"\x80\x82"))),
    (JPEG_2000, jpeg_2000(COMMENTED_PART), jpeg_2000(tile_part(b"\x80\x81", index=1))),
    (JPEG_2000, jpeg_2000(COMMENTED_PART, OTHER_PART), jpeg_2000(PART)),
    (JPEG_2000, jpeg_2000(COMMENTED_PART, OTHER_PART), jpeg_2000(OTHER_PART, PART)),
    (JPEG_2000, jpeg_2000(header=[COMMENT_2000]), jpeg_2000(header=[segment(0x5E, b"\0\0\0")])),
    (
        JPEG_2000,
        jpeg_2000(COMMENTED_PART, header=[lengths(COMMENTED_PART)]),
        jpeg_2000(PART, header=[lengths(COMMENTED_PART)]),
    ),
    (JPEG_2000, jp2(jpeg_2000(), box(b"pclr", bytes(8))), jpeg_2000()),
    (JPEG_XL, jxl(box(b"Exif", b"text"), box(b"jxlc", XL)), XL.replace(b"s", b"t")),
    (RLE, rle(RUN + b"\0for nobody"), rle(RUN[:-1] + b"\x10\0")),
    (DEFLATED_FRAMES, deflated(PIXELS) + b"text", deflated(PIXELS[::-1])),
    (ENCAPSULATED, PIXELS + b"text", PIXELS[::-1]),
    (MPEG_4, b"moving text", b"moving tex"),
]


@pytest.mark.parametrize(("syntax", "source", "output"), CHANGED)
def test_a_frame_that_another_picture_comes_of_is_seen(syntax: str, source: bytes, output: bytes) -> None:
    assert kinds(verdict_on_frame(syntax, source, output)) == {"pixels-differ"}


@pytest.mark.parametrize(("source", "output"), [(b"no JPEG.", jpeg()), (jpeg(COMMENT), b"no JPEG.")])
def test_a_frame_that_changed_and_cannot_be_read_on_both_sides_is_seen(source: bytes, output: bytes) -> None:
    assert "pixels-differ" in kinds(verdict_on_frame(JPEG, source, output))


@pytest.mark.parametrize("syntax", [MPEG_4, FRAGMENTABLE_MPEG_4])
def test_a_moving_picture_has_to_stay_as_it_is(syntax: str) -> None:
    source = image(items(b"moving", b"pictures"), syntax, frames=3)
    assert verdict_on(source, source.PixelData).passed
    assert verdict_on(source, items(b"moving" + b"pictures")).passed
    assert kinds(verdict_on(source, items(b"moving", b"picture"))) == {"pixels-differ"}


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_a_frame_may_be_made_even_by_one_byte(fill: bytes) -> None:
    odd = jpeg(scan=b"\1\2\3\4\5"), jpeg_2000(tile_part(b"\1\2"), end=b"\xff\xd9")
    for syntax, frame in zip((JPEG, JPEG_2000), odd, strict=True):
        assert len(frame) % 2 == 1
        assert verdict_on_frame(syntax, frame + fill, frame + fill).passed


@pytest.mark.parametrize(("syntax", "source", "output"), STRIPPED)
def test_no_byte_of_a_frame_may_change(syntax: str, source: bytes, output: bytes) -> None:
    picture = Picture(1, 4, 4, 1, 8, "MONOCHROME2")
    before = Coded(items(source), syntax, picture, b"", b"")
    for at in range(len(output)):
        for bit in (1, 0x80):
            wrong = output[:at] + bytes([output[at] ^ bit]) + output[at + 1 :]
            after = before._replace(value=items(wrong))
            assert list(codestreams.compare(before, after, is_equal=False)), (at, bit)


def test_unchanged_frames_without_metadata_pass() -> None:
    for syntax, frame in [(syntax, output) for syntax, _, output in STRIPPED]:
        assert verdict_on_frame(syntax, frame, frame).passed


def test_two_exchanged_frames_are_seen() -> None:
    first, second = jpeg(COMMENT), jpeg(scan=b"\x56")
    source = image(items(first, second), JPEG, frames=2)
    assert verdict_on(source, items(jpeg(), second)).passed
    assert kinds(verdict_on(source, items(second, jpeg()))) == {"pixels-differ"}
    assert kinds(verdict_on(source, items(jpeg()))) >= {"pixels-differ"}


def test_pixels_in_another_transfer_syntax_are_other_pixels() -> None:
    source = image(items(jpeg()), JPEG)
    output = rewritten(source)
    output.file_meta.TransferSyntaxUID = UID(JPEG_LS)
    verdict = judged([(written(source), written(output))])
    assert {(item.kind, item.path) for item in verdict.findings} == {("pixels-differ", "(0002,0010)")}
