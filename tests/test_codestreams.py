"""Words go from compressed frames, and what a decoder uses stays byte for byte."""

from __future__ import annotations

import os
import re
import struct
import time
import tracemalloc
import zlib
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.pixels.decoders.rle import _rle_decode_frame
from pydicom.pixels.utils import _get_jpg_parameters, get_j2k_parameters

from anonymizer.engine import codestreams
from anonymizer.engine.codestreams import jpeg
from tests.codestream_samples import (
    CODING,
    COMMENT,
    DATA,
    DEFLATED_FRAMES,
    EOI,
    FRAME,
    HUFFMAN,
    JFIF,
    JPEG,
    JPEG_2000,
    JPEG_LS,
    JPEG_LS_PIECES,
    JPEG_PIECES,
    JPEG_XL,
    PACKETS,
    QUANTIZATION,
    QUANTIZATION_2000,
    RLE,
    SCAN,
    SCAN_LS,
    SIZE,
    SOC,
    SOI,
    UNCOMPRESSED_FRAMES,
    WORDS,
    XL_CODESTREAM,
    XL_START,
    adobe,
    box,
    cleaned,
    held,
    is_clean,
    jp2,
    jpeg_2000,
    picture,
    real,
    rle,
    segment,
    tile_part,
)

PLAIN = b"".join(JPEG_PIECES)
PLAIN_LS = b"".join(JPEG_LS_PIECES)
WORDY = {
    "a comment": segment(0xFE, WORDS),
    "EXIF": segment(0xE1, b"Exif\0\0" + WORDS),
    "XMP": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x>" + WORDS + b"</x>"),
    "an ICC profile": segment(0xE2, b"ICC_PROFILE\0\1\1" + WORDS),
    "Photoshop's": segment(0xED, b"Photoshop 3.0\0" + WORDS),
    "JUMBF": segment(0xEB, b"JP" + WORDS),
    "a SPIFF header": segment(0xE8, b"SPIFF\0" + WORDS),
    "a maker's": segment(0xEF, WORDS),
    "a thumbnail": segment(0xE0, b"JFXX\0\x10" + SOI + WORDS + EOI),
    "an empty one": segment(0xE5, b""),
    "JFIF that is too short": segment(0xE0, b"JFIF\0" + WORDS[:8]),
    "Adobe's that is too short": segment(0xEE, b"Adobe" + WORDS[:6]),
    "colours of JPEG-LS with more": segment(0xE8, b"mrfx\1" + WORDS),
}


# JPEG and JPEG-LS


@pytest.mark.parametrize("place", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("words", WORDY.values(), ids=WORDY)
def test_words_go_from_a_jpeg_wherever_they_stand(words: bytes, place: int) -> None:
    assert cleaned(b"".join([*JPEG_PIECES[:place], words, *JPEG_PIECES[place:]]), JPEG) == PLAIN


@pytest.mark.parametrize("place", [1, 2, 4])
@pytest.mark.parametrize("words", WORDY.values(), ids=WORDY)
def test_words_go_from_a_jpeg_ls_wherever_they_stand(words: bytes, place: int) -> None:
    assert cleaned(b"".join([*JPEG_LS_PIECES[:place], words, *JPEG_LS_PIECES[place:]]), JPEG_LS) == PLAIN_LS


def test_a_frame_without_words_stays_as_it_is() -> None:
    for frame, syntax in ((PLAIN, JPEG), (PLAIN_LS, JPEG_LS), (jpeg_2000(), JPEG_2000)):
        assert is_clean(frame, syntax)
        assert is_clean(frame + bytes(len(frame) % 2), syntax)


def test_words_go_from_between_the_scans_and_what_a_scan_needs_stays() -> None:
    progressive = [segment(0xC2, FRAME[4:]) if piece == FRAME else piece for piece in JPEG_PIECES[:-1]]
    scans = [HUFFMAN, SCAN, b"\x11\xff\x00\x22", segment(0xDC, b"\0\4"), SCAN, b"\x33"]
    plain = b"".join([*progressive, *scans, EOI])
    assert is_clean(plain, JPEG)
    for place in (0, 1, 3, 4, 6):
        wordy = [*progressive, *scans[:place], WORDY["a comment"], WORDY["EXIF"], *scans[place:], EOI]
        assert cleaned(b"".join(wordy), JPEG) == plain


def test_words_go_from_between_the_scans_of_a_jpeg_ls_whose_data_would_end_a_jpeg() -> None:
    plain = b"".join([*JPEG_LS_PIECES[:-1], SCAN_LS, b"\xff\x01\xff\x7f", EOI])
    assert is_clean(plain, JPEG_LS)
    assert cleaned(plain.replace(SCAN_LS, WORDY["a comment"] + SCAN_LS), JPEG_LS) == plain
    assert held(PLAIN_LS, JPEG) == "codestream-not-treated"
    assert held(PLAIN, JPEG_LS) == "codestream-not-treated"


@pytest.mark.parametrize("syntax", [JPEG, JPEG_LS])
def test_bytes_before_and_behind_a_jpeg_go(syntax: str) -> None:
    plain = PLAIN if syntax == JPEG else PLAIN_LS
    assert cleaned(WORDS + plain, syntax) == plain
    assert cleaned(plain + WORDS, syntax) == plain
    assert cleaned(plain + plain, syntax) == plain
    assert cleaned(plain + bytes(3), syntax) == plain


def test_the_one_byte_that_makes_a_length_even_may_stay() -> None:
    even, odd = sorted([PLAIN, PLAIN.replace(DATA, DATA + b"\x11")], key=lambda frame: len(frame) % 2)
    assert [len(even) % 2, len(odd) % 2] == [0, 1]
    for padded in (odd + b"\0", odd + b"\xff", odd.replace(EOI, b"\xff" + EOI)):
        assert is_clean(padded, JPEG)
    assert cleaned(odd + b"Q", JPEG) == odd
    assert cleaned(even + b"\0", JPEG) == even
    assert cleaned(even.replace(EOI, b"\xff" + EOI), JPEG) == even
    assert cleaned(odd.replace(EOI, b"\xff" * 3 + EOI), JPEG) == odd


def test_bytes_that_only_fill_up_go() -> None:
    filled = PLAIN.replace(HUFFMAN, b"\xff" * 7 + HUFFMAN).replace(SCAN, b"\xff" + SCAN)
    assert cleaned(filled, JPEG) == PLAIN


def test_colours_stay_and_say_nothing_else() -> None:
    """What libjpeg asks for: that JFIF or Adobe's segment is there, and its transform."""
    named = segment(0xE0, b"JFIF\0" + bytes.fromhex("010201004800480202") + WORDS[:12])
    first, *rest = JPEG_PIECES
    assert cleaned(b"".join([first, named, *rest]), JPEG) == b"".join([first, JFIF, *rest])
    assert is_clean(b"".join([first, JFIF, *rest]), JPEG)
    for transform in (0, 1, 2):
        with_words = segment(0xEE, b"Adobe\0\x65QU\0\0" + bytes([transform]) + WORDS)
        assert cleaned(b"".join([first, with_words, *rest]), JPEG) == b"".join([first, adobe(transform), *rest])
        assert is_clean(b"".join([first, adobe(transform), *rest]), JPEG)
        colour = segment(0xE8, b"mrfx" + bytes([transform]))
        assert is_clean(b"".join([SOI, colour, *JPEG_LS_PIECES[1:]]), JPEG_LS)


def test_colours_are_said_once() -> None:
    first, *rest = JPEG_PIECES
    once = b"".join([first, JFIF, adobe(1), *rest])
    assert is_clean(once, JPEG)
    assert cleaned(b"".join([first, JFIF, JFIF, adobe(1), JFIF, adobe(1, version=101), *rest]), JPEG) == once
    assert (
        cleaned(once.replace(EOI, b"") + JFIF + SCAN + DATA + EOI, JPEG) == once.replace(EOI, b"") + SCAN + DATA + EOI
    )


def test_colours_that_nobody_can_tell_hold_the_frame() -> None:
    first, *rest = JPEG_PIECES
    assert held(b"".join([first, adobe(1), adobe(0), *rest]), JPEG) == "codestream-not-treated"
    assert held(b"".join([first, adobe(ord("Q")), *rest]), JPEG) == "codestream-not-treated"
    colour = segment(0xE8, b"mrfxQ")
    assert held(b"".join([SOI, colour, *JPEG_LS_PIECES[1:]]), JPEG_LS) == "codestream-not-treated"


LONGER = {
    "quantization": (QUANTIZATION, segment(0xDB, QUANTIZATION[4:] + WORDS)),
    "a frame": (FRAME, segment(0xC0, FRAME[4:] + WORDS)),
    "Huffman codes": (HUFFMAN, segment(0xC4, HUFFMAN[4:] + WORDS)),
    "a scan": (SCAN, segment(0xDA, SCAN[4:] + WORDS)),
    "a restart interval": (SCAN, segment(0xDD, b"\0\1" + WORDS) + SCAN),
    "lines": (EOI, segment(0xDC, b"\0\4" + WORDS) + EOI),
    "arithmetic coding": (SCAN, segment(0xCC, WORDS) + SCAN),
    "nothing": (SCAN, segment(0xDB, b"") + SCAN),
    "codes for a symbol twice": (HUFFMAN, HUFFMAN[:-1] + b"\0"),
    "more codes than there are": (HUFFMAN, segment(0xC4, bytes([0, 3, *[0] * 15, 1, 2, 3]))),
    "text between segments": (SCAN, WORDS + SCAN),
    "a second frame": (SCAN, FRAME + SCAN),
    "a restart before the scan": (SCAN, b"\xff\xd0" + SCAN),
    "a beginning in the middle": (SCAN, SOI + SCAN),
    "a scan before the frame": (FRAME, SCAN + DATA + FRAME),
    "a scan of what the frame has not": (SCAN, SCAN.replace(b"\1\1", b"\1Q")),
    "lines twice": (EOI, segment(0xDC, b"Qu") + segment(0xDC, b"il") + EOI),
    "differences of a hundred bits": (HUFFMAN, HUFFMAN[:-1] + b"d"),
    "another quantization for what has begun": (EOI, segment(0xDB, b"\0" + (WORDS * 2)[:64]) + SCAN + DATA + EOI),
    "more restart intervals than scans": (SCAN, segment(0xDD, b"Qu") * 5000 + SCAN),
}


@pytest.mark.parametrize("case", LONGER)
def test_a_segment_with_more_in_it_than_it_needs_holds_the_frame(case: str) -> None:
    piece, other = LONGER[case]
    wordy = PLAIN.replace(piece, other)
    assert wordy != PLAIN
    assert held(wordy, JPEG) == "codestream-unreadable"


@pytest.mark.parametrize("code", [0x02, 0xBF, 0xC5, 0xC8, 0xDE, 0xDF, 0xF0, 0xF7, 0xFD])
def test_a_segment_that_is_not_known_holds_the_frame(code: int) -> None:
    assert held(PLAIN.replace(SCAN, segment(code, WORDS) + SCAN), JPEG) == "codestream-not-treated"


def test_what_jpeg_ls_can_hold_in_its_own_segments_holds_the_frame() -> None:
    presets = segment(0xF8, b"\1" + bytes(range(10)))
    assert is_clean(PLAIN_LS.replace(SCAN_LS, presets + SCAN_LS), JPEG_LS)
    for body in (b"\2\1\1" + WORDS, b"\1" + WORDS, b"\5\1\1" + bytes(8)):
        assert held(PLAIN_LS.replace(SCAN_LS, segment(0xF8, body) + SCAN_LS), JPEG_LS) == "codestream-unreadable"


LETTERS = bytes(dict.fromkeys(b"Quilfeathr^Brmw"))
UNUSED = {
    "quantization": segment(0xDB, b"\0" + (WORDS * 2)[:64]),
    "quantization of another": segment(0xDB, b"\1" + (WORDS * 2)[:64]),
    "codes": segment(0xC4, b"\x10" + bytes([0, 0, 0, 0, 0, 0, 0, len(LETTERS), *[0] * 8]) + LETTERS),
    "codes of another": segment(0xC4, b"\x13" + bytes([0, 0, 0, 0, 0, 0, 0, len(LETTERS), *[0] * 8]) + LETTERS),
    "a restart interval": segment(0xDD, b"Qu"),
    "arithmetic coding": segment(0xCC, b"\0Q\x10u"),
}


@pytest.mark.parametrize("case", UNUSED)
def test_a_table_that_no_scan_uses_goes_from_a_jpeg(case: str) -> None:
    behind = PLAIN.replace(EOI, 3 * UNUSED[case] + EOI)
    assert cleaned(behind, JPEG) == PLAIN
    if "another" in case or "arithmetic" in case:
        assert cleaned(PLAIN.replace(FRAME, UNUSED[case] + FRAME), JPEG) == PLAIN
        assert cleaned(PLAIN.replace(SCAN, UNUSED[case] + SCAN), JPEG) == PLAIN


@pytest.mark.parametrize("case", ["quantization", "codes", "a restart interval"])
def test_a_table_goes_whose_place_another_takes_before_a_scan_uses_it(case: str) -> None:
    right = {
        "quantization": QUANTIZATION,
        "codes": segment(0xC4, b"\x10\0\1" + bytes(14) + b"\0"),
        "a restart interval": segment(0xDD, b"\0\1"),
    }[case]
    once = b"".join([SOI, right, *[one for one in JPEG_PIECES[1:] if one != right]])
    assert is_clean(once, JPEG)
    assert cleaned(once.replace(right, 4 * UNUSED[case] + right), JPEG) == once


def test_of_tables_in_one_segment_those_stay_that_a_scan_uses() -> None:
    codes, table = HUFFMAN[4:], QUANTIZATION[4:]
    unused, other = UNUSED["codes of another"][4:], UNUSED["quantization of another"][4:]
    several = PLAIN.replace(HUFFMAN, segment(0xC4, unused + codes + unused))
    several = several.replace(QUANTIZATION, segment(0xDB, other + table + other))
    assert cleaned(several, JPEG) == PLAIN


def test_tables_that_scans_of_a_progressive_jpeg_define_for_themselves_stay() -> None:
    def scan(component: int, tables: int, first: int, last: int, bits: int) -> bytes:
        return segment(0xDA, bytes([1, component, tables, first, last, bits]))

    def codes(place: int, *symbols: int) -> bytes:
        return segment(0xC4, bytes([place, 0, 0, 0, len(symbols), *[0] * 12, *symbols]))

    frame = segment(0xC2, bytes.fromhex("080004000402011100021101"))
    other = segment(0xDB, b"\1" + bytes(range(2, 66)))
    pieces = [
        *[SOI, QUANTIZATION, other, frame],
        *[codes(0, 0, 1, 2), codes(1, 3, 4), segment(0xDA, bytes.fromhex("0201000210000001")), b"\x11"],
        *[codes(0x10, 1, 0x11, 0xF0), scan(1, 0, 1, 5, 0x02), b"\x22", codes(0x10, 2, 0x21), scan(2, 0, 1, 63, 0x02)],
        *[b"\x33", scan(1, 0, 0, 0, 0x10), b"\x44", codes(0x10, 1), scan(1, 0, 1, 63, 0x21), b"\x55", EOI],
    ]
    assert is_clean(b"".join(pieces), JPEG)
    # What only corrects a bit of DC has no codes, and what is DC has none of AC.
    at = pieces.index(scan(1, 0, 0, 0, 0x10))
    wordy = [*pieces[:at], codes(0, 5, 6), UNUSED["codes"], *pieces[at:]]
    assert cleaned(b"".join(wordy), JPEG) == b"".join(pieces)
    begun = pieces.index(scan(2, 0, 1, 63, 0x02))
    again = [*pieces[:begun], QUANTIZATION, other, *pieces[begun:]]
    assert cleaned(b"".join(again), JPEG) == b"".join(pieces)
    assert held(b"".join([*pieces[:begun], UNUSED["quantization of another"], *pieces[begun:]]), JPEG) != ""


def test_a_component_that_begins_later_may_have_a_table_in_the_place_of_anothers() -> None:
    frame = segment(0xC0, bytes.fromhex("080004000402011100021100"))
    second = segment(0xDB, b"\0" + bytes(range(2, 66)))
    scans = [SCAN, DATA, second, SCAN.replace(b"\1\1", b"\1\2"), DATA, EOI]
    assert is_clean(b"".join([SOI, QUANTIZATION, frame, HUFFMAN, *scans]), JPEG)


def test_a_lossless_jpeg_has_one_kind_of_codes_and_no_quantization() -> None:
    plain = b"".join([SOI, segment(0xC3, FRAME[4:]), HUFFMAN, segment(0xDA, bytes.fromhex("010100010000")), DATA, EOI])
    assert is_clean(plain, JPEG)
    for words in (QUANTIZATION, UNUSED["quantization"], UNUSED["codes"]):
        assert cleaned(plain.replace(HUFFMAN, words + HUFFMAN), JPEG) == plain


def test_presets_of_a_jpeg_ls_that_no_scan_uses_go() -> None:
    presets, words = segment(0xF8, b"\1" + bytes(range(10))), segment(0xF8, b"\1" + WORDS[:10])
    once = PLAIN_LS.replace(SCAN_LS, presets + SCAN_LS)
    assert cleaned(PLAIN_LS.replace(SCAN_LS, 3 * words + presets + SCAN_LS), JPEG_LS) == once
    assert cleaned(once.replace(EOI, words + EOI), JPEG_LS) == once


# JPEG 2000


@pytest.mark.parametrize("kind", [0x40, 0x50, 0x60])
def test_lengths_of_packets_go_and_those_of_tile_parts_are_right_again(kind: int) -> None:
    """They only help to skip; nobody but a decoder could tell them from letters."""
    packets, of_all = segment(0x58, b"\0" + WORDS), segment(0x57, b"\0" + WORDS)
    wordy = [tile_part(0, packets + packets), tile_part(1), tile_part(2, packets)]
    plain = [tile_part(number) for number in range(3)]
    expected = jpeg_2000(lengths(*plain, kind=kind), tiles=plain)
    assert cleaned(jpeg_2000(lengths(*wordy, kind=kind), of_all, tiles=wordy), JPEG_2000) == expected
    assert is_clean(expected, JPEG_2000)
    assert held(jpeg_2000(packets), JPEG_2000) == "codestream-not-treated"


def test_comments_go_from_every_header_of_a_jpeg_2000() -> None:
    plain = jpeg_2000(tiles=[tile_part(0), tile_part(1), tile_part(2)])
    wordy = jpeg_2000(COMMENT, COMMENT, tiles=[tile_part(0, COMMENT), tile_part(1), tile_part(2, COMMENT + COMMENT)])
    assert is_clean(plain, JPEG_2000)
    assert cleaned(wordy, JPEG_2000) == plain


def test_the_other_segments_of_a_tile_part_stay() -> None:
    others = CODING + segment(0x5E, b"\0\0\3") + QUANTIZATION_2000
    assert cleaned(jpeg_2000(tiles=[tile_part(0, others + COMMENT)]), JPEG_2000) == jpeg_2000(
        tiles=[tile_part(0, others)]
    )


def lengths(*tiles: bytes, index: int = 0, kind: int = 0x40) -> bytes:
    """Return a table of the lengths of tile-parts (ISO 15444-1 A.7.1)."""
    size = 4 if kind & 0x40 else 2
    named = kind >> 4 & 3
    entries = [
        number.to_bytes(4, "big")[4 - named :] + len(tile).to_bytes(size, "big") for number, tile in enumerate(tiles)
    ]
    return segment(0x55, bytes([index, kind]) + b"".join(entries))


@pytest.mark.parametrize("kind", [0x00, 0x10, 0x20, 0x40, 0x50, 0x60])
def test_the_table_of_tile_parts_is_right_again(kind: int) -> None:
    wordy, plain = [tile_part(0, COMMENT), tile_part(1)], [tile_part(0), tile_part(1)]
    assert cleaned(jpeg_2000(lengths(*wordy, kind=kind), tiles=wordy), JPEG_2000) == jpeg_2000(
        lengths(*plain, kind=kind), tiles=plain
    )


def test_a_table_of_tile_parts_in_two_segments_is_right_again_in_whatever_order_they_stand() -> None:
    wordy = [tile_part(0, COMMENT), tile_part(1), tile_part(2, COMMENT)]
    plain = [tile_part(number) for number in range(3)]

    def tables(tiles: list[bytes]) -> list[bytes]:
        return [lengths(*tiles[2:], index=1), lengths(*tiles[:2])]

    assert cleaned(jpeg_2000(*tables(wordy), tiles=wordy), JPEG_2000) == jpeg_2000(*tables(plain), tiles=plain)


def test_a_table_of_tile_parts_that_does_not_fit_holds_the_frame() -> None:
    tiles = [tile_part(0, COMMENT), tile_part(1)]
    for table in (lengths(tiles[0]), lengths(*tiles, tiles[0]), lengths(tiles[1], tiles[0])):
        assert held(jpeg_2000(table, tiles=tiles), JPEG_2000) == "codestream-unreadable"


def test_a_table_of_tile_parts_that_says_something_else_holds_a_frame_without_words_too() -> None:
    tiles = [tile_part(0), tile_part(1)]
    right = lengths(*tiles, kind=0x50)
    assert is_clean(jpeg_2000(right, tiles=tiles), JPEG_2000)
    wrong = [
        *[segment(0x55, b"Q\x50" + right[6:]), segment(0x55, right[4:6] + b"Q" + right[7:])],
        *[lengths(tiles[0], tile_part(0, COMMENT)), right + segment(0x55, b"\1\x50"), right + right],
    ]
    for table in wrong:
        assert held(jpeg_2000(table, tiles=tiles), JPEG_2000) == "codestream-unreadable"


@pytest.mark.parametrize(
    "words", [CODING, QUANTIZATION_2000, segment(0x63, b"Quil"), segment(0x5E, b"\0Qu"), segment(0x5C, b"\x41Qu")]
)
def test_a_segment_of_jpeg_2000_that_stands_twice_in_a_header_holds_the_frame(words: bytes) -> None:
    assert held(jpeg_2000(words, words), JPEG_2000) == "codestream-unreadable"


def test_a_segment_for_a_component_that_a_jpeg_2000_has_not_holds_the_frame() -> None:
    assert held(jpeg_2000(segment(0x5E, b"Qui")), JPEG_2000) == "codestream-unreadable"


def test_a_last_tile_part_without_a_length_reaches_up_to_the_end() -> None:
    plain = jpeg_2000(tiles=[tile_part(0), tile_part(1, length=0)])
    wordy = jpeg_2000(tiles=[tile_part(0), tile_part(1, COMMENT, length=0)])
    assert cleaned(wordy + WORDS, JPEG_2000) == plain
    # The number of a packet can look like the end.
    numbered = b"\xff\x91\0\4\xff\xd9" + PACKETS
    assert is_clean(jpeg_2000(tiles=[tile_part(0, packets=numbered, length=0)]), JPEG_2000)


def test_bytes_before_and_behind_a_jpeg_2000_go() -> None:
    plain = jpeg_2000()
    assert cleaned(WORDS + plain + WORDS, JPEG_2000) == plain
    assert cleaned(plain + bytes(2), JPEG_2000) == plain


def test_a_tile_part_that_reaches_over_the_end_holds_the_frame() -> None:
    tile = tile_part(0, packets=PACKETS + EOI + WORDS)
    assert held(jpeg_2000(tiles=[tile]), JPEG_2000) == "codestream-unreadable"
    assert held(jpeg_2000(tiles=[tile_part(0, length=13)]), JPEG_2000) == "codestream-unreadable"
    assert held(jpeg_2000(tiles=[tile_part(0, length=999)]), JPEG_2000) == "codestream-unreadable"


@pytest.mark.parametrize(
    "wordy",
    [
        segment(0x52, CODING[4:] + WORDS),
        segment(0x53, b"\0\0\1\4\4\0\1" + WORDS),
        segment(0x5C, b"\x41\0\0" + WORDS),
        segment(0x5E, WORDS),
        segment(0x5F, WORDS[:12]),
        segment(0x63, WORDS),
        segment(0x50, bytes(4) + WORDS),
        segment(0x55, b"\0\x40" + WORDS[:9]),
        segment(0x56, WORDS),
    ],
)
def test_a_segment_of_jpeg_2000_with_more_in_it_than_it_needs_holds_the_frame(wordy: bytes) -> None:
    assert held(jpeg_2000(wordy), JPEG_2000) == "codestream-unreadable"


@pytest.mark.parametrize("code", [0x30, 0x51 + 0x20, 0x65, 0x70, 0x91])
def test_a_segment_of_jpeg_2000_that_is_not_known_holds_the_frame(code: int) -> None:
    assert held(jpeg_2000(segment(code, WORDS)), JPEG_2000) == "codestream-not-treated"
    assert held(jpeg_2000(tiles=[tile_part(0, segment(code, WORDS))]), JPEG_2000) == "codestream-not-treated"


def test_the_size_has_to_be_of_as_many_components_as_it_says() -> None:
    wordy = segment(0x51, SIZE[4:] + WORDS)
    assert held(jpeg_2000().replace(SIZE, wordy), JPEG_2000) == "codestream-unreadable"


def test_of_a_jp2_file_only_the_codestream_stays() -> None:
    others = [box(b"xml ", b"<x>" + WORDS + b"</x>"), box(b"uuid", bytes(16) + WORDS), box(b"jp2i", WORDS)]
    assert cleaned(jp2(jpeg_2000(COMMENT), *others) + box(b"uuid", bytes(16) + WORDS), JPEG_2000) == jpeg_2000()


@pytest.mark.parametrize(
    ("definitions", "code"),
    [
        ("000300000000000100010000000200020000 0003", ""),
        ("000300000000000300010000000200020000 0001", "codestream-not-treated"),
        ("0002000000000001000100010000", "codestream-not-treated"),
        ("0003", "codestream-not-treated"),
    ],
    ids=["in their usual order", "in another order", "one of them no colour", "not all of them"],
)
def test_channels_in_another_order_than_the_codestream_hold_the_frame(definitions: str, code: str) -> None:
    file = jp2(jpeg_2000(), header=box(b"cdef", bytes.fromhex(definitions)))
    assert held(file, JPEG_2000) == code


@pytest.mark.parametrize("kind", [b"pclr", b"cmap"])
def test_a_palette_that_only_the_file_format_has_holds_the_frame(kind: bytes) -> None:
    assert held(jp2(jpeg_2000(), header=box(kind, bytes(12))), JPEG_2000) == "codestream-not-treated"


def test_a_jp2_file_without_one_codestream_is_held() -> None:
    file = jp2(jpeg_2000())
    assert held(file + box(b"jp2c", jpeg_2000()), JPEG_2000) == "codestream-unreadable"
    assert held(file.replace(b"jp2c", b"jp2d"), JPEG_2000) == "codestream-unreadable"
    assert held(jp2(WORDS), JPEG_2000) == "codestream-unreadable"
    assert held(file[:-20], JPEG_2000) == "codestream-unreadable"


# JPEG XL


def test_of_a_jpeg_xl_file_only_the_codestream_and_its_level_stay() -> None:
    plain = XL_START + box(b"jxll", b"\5") + box(b"jxlc", XL_CODESTREAM)
    others = [box(kind, WORDS) for kind in (b"Exif", b"xml ", b"jumb", b"brob", b"jxli", b"jxll", b"free")]
    for place in (len(XL_START), len(XL_START) + 9, len(plain)):
        assert cleaned(plain[:place] + b"".join(others) + plain[place:], JPEG_XL) == plain
    assert is_clean(plain, JPEG_XL)


def test_a_jpeg_xl_in_parts_stays() -> None:
    parts = [box(b"jxlp", struct.pack(">L", number | last) + XL_CODESTREAM) for number, last in ((0, 0), (1, 1 << 31))]
    assert is_clean(XL_START + b"".join(parts), JPEG_XL)
    assert cleaned(XL_START + parts[0] + box(b"Exif", WORDS) + parts[1], JPEG_XL) == XL_START + b"".join(parts)


def test_a_jpeg_xl_without_boxes_is_held_since_nobody_can_tell_where_it_ends() -> None:
    assert held(XL_CODESTREAM, JPEG_XL) == "codestream-not-treated"
    assert held(XL_CODESTREAM + WORDS, JPEG_XL) == "codestream-not-treated"


def test_the_file_type_of_a_jpeg_xl_says_nothing_else() -> None:
    plain = XL_START + box(b"jxlc", XL_CODESTREAM)
    wordy = plain.replace(XL_START[12:], box(b"ftyp", b"jxl " + WORDS))
    assert cleaned(wordy, JPEG_XL) == plain


def test_a_jpeg_inside_a_jpeg_xl_holds_the_frame() -> None:
    assert held(XL_START + box(b"jbrd", WORDS) + box(b"jxlc", XL_CODESTREAM), JPEG_XL) == "codestream-not-treated"


@pytest.mark.parametrize(
    "frame",
    [
        WORDS,
        XL_START,
        XL_START + box(b"jxlc", XL_CODESTREAM) * 2,
        XL_START + box(b"jxlp", XL_CODESTREAM) + box(b"jxlc", XL_CODESTREAM),
        XL_START + box(b"jxlc", XL_CODESTREAM)[:-3],
    ],
)
def test_a_jpeg_xl_without_one_codestream_is_held(frame: bytes) -> None:
    assert held(frame, JPEG_XL) == "codestream-unreadable"


# RLE, deflated and plain frames

ROW = bytes.fromhex("0301020304" + "fd07" + "8080" + "0701020304050607 08")
"""16 bytes: four as they stand, one four times, nothing twice, eight as they stand."""


def test_what_stands_behind_the_picture_goes_from_a_segment_of_rle() -> None:
    plain = rle(ROW, ROW)
    assert is_clean(plain, RLE, picture(samples=2))
    assert cleaned(rle(ROW, ROW + WORDS), RLE, picture(samples=2)) == plain
    assert cleaned(rle(ROW + WORDS, ROW), RLE, picture(samples=2)) == plain
    assert cleaned(rle(ROW + b"\0\0", ROW), RLE, picture(samples=2)) == plain


def test_segments_of_odd_length_stay_as_writers_leave_them() -> None:
    odd = ROW.replace(b"\x80\x80", b"\x80")
    for frame in (rle(odd + b"\0", odd + b"\0"), rle(odd, odd), rle(odd + b"\0", odd)):
        assert is_clean(frame, RLE, picture(samples=2))
    assert cleaned(rle(odd + b"Q", odd), RLE, picture(samples=2)) == rle(odd + b"\0", odd + b"\0")


@pytest.mark.parametrize(
    "frame",
    [
        rle(ROW, offsets=[64, 0x4C4C4951]),
        rle(ROW, offsets=[66]),
        rle(ROW, ROW, offsets=[64, 64]),
        rle(ROW, offsets=[64])[:60],
        rle(ROW, ROW, offsets=[64, 9999]),
        rle(ROW, ROW),
        rle(ROW[:-1]),
        rle(ROW[:-9] + b"\x0f" + bytes(20)),
        rle(),
    ],
    ids=[
        "an offset too many",
        "a first offset that is none",
        "an offset twice",
        "half a header",
        "an offset behind the end",
        "a segment too many",
        "a byte missing",
        "bytes more than the picture",
        "no segment",
    ],
)
def test_rle_that_does_not_add_up_is_held(frame: bytes) -> None:
    assert held(frame, RLE, picture()) == "codestream-unreadable"


def test_rle_without_a_shape_is_held_since_nobody_can_tell_where_it_ends() -> None:
    assert is_clean(rle(ROW), RLE, picture())
    assert held(rle(ROW), RLE) == "codestream-not-treated"
    assert held(rle(ROW + WORDS), RLE) == "codestream-not-treated"


def test_an_overlay_above_the_stored_bits_is_found_in_rle() -> None:
    shape = picture(allocated=16, stored=12)
    high, low = b"\xf1\x0f", ROW
    assert is_clean(rle(high, low), RLE, shape)
    assert held(rle(b"\xf1\x1f", low), RLE, shape) == "bits-above-stored"
    assert is_clean(rle(low, high), RLE, picture(allocated=16))


def deflated(pixels: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(pixels) + stream.flush()


def test_what_stands_behind_a_deflated_frame_goes() -> None:
    stream = deflated(bytes(range(16)))
    assert is_clean(stream + bytes(len(stream) % 2), DEFLATED_FRAMES, picture())
    assert cleaned(stream + WORDS, DEFLATED_FRAMES, picture()) == stream


@pytest.mark.parametrize("pixels", [bytes(16) + WORDS, bytes(16) + b"\0", bytes(15), b""])
def test_a_deflated_frame_of_another_size_than_its_picture_is_held(pixels: bytes) -> None:
    assert held(deflated(pixels), DEFLATED_FRAMES, picture()) == "codestream-unreadable"


def test_a_deflated_frame_that_is_broken_or_has_no_shape_is_held() -> None:
    assert held(deflated(os.urandom(16))[:-4], DEFLATED_FRAMES, picture()) == "codestream-unreadable"
    assert held(b"\xff" * 20, DEFLATED_FRAMES, picture()) == "codestream-unreadable"
    assert held(deflated(bytes(16)), DEFLATED_FRAMES) == "codestream-not-treated"
    assert held(deflated(b"\0\x40" * 16), DEFLATED_FRAMES, picture(allocated=16, stored=12)) == "bits-above-stored"


def test_what_stands_behind_a_plain_frame_goes() -> None:
    assert is_clean(bytes(16), UNCOMPRESSED_FRAMES, picture())
    assert cleaned(bytes(16) + WORDS, UNCOMPRESSED_FRAMES, picture()) == bytes(16)
    assert held(bytes(14), UNCOMPRESSED_FRAMES, picture()) == "codestream-unreadable"
    assert held(bytes(16), UNCOMPRESSED_FRAMES) == "codestream-not-treated"
    assert held(b"\0\x40" * 16, UNCOMPRESSED_FRAMES, picture(allocated=16, stored=12)) == "bits-above-stored"


def test_a_bomb_of_a_frame_is_not_inflated() -> None:
    bomb = deflated(bytes(64 << 20))
    tracemalloc.start()
    assert held(bomb, DEFLATED_FRAMES, picture()) == "codestream-unreadable"
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("stored", [16, 12])
def test_a_deflated_frame_is_looked_at_without_being_there_as_a_whole(stored: int) -> None:
    """It is as large as its picture says: 32 megabytes of zeros are as many kilobytes when deflated."""
    large = picture(4096, 4096, allocated=16, stored=stored, signed=True)
    stream, late = deflated(bytes(32 << 20)), deflated(bytes((32 << 20) - 1) + b"\x40")
    tracemalloc.start()
    assert is_clean(stream, DEFLATED_FRAMES, large)
    assert held(late, DEFLATED_FRAMES, large) == ("" if stored == 16 else "bits-above-stored")
    assert tracemalloc.get_traced_memory()[1] < 2 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("size", [(1 << 18) - 1, 1 << 18, (1 << 18) + 1, (1 << 19) - 1, (1 << 19) + 1])
def test_a_deflated_frame_ends_where_its_picture_does_whatever_piece_of_it_is_looked_at(size: int) -> None:
    shape = picture(1, size)
    pixels = os.urandom(size)
    assert is_clean(deflated(pixels), DEFLATED_FRAMES, shape)
    assert held(deflated(pixels + b"\0"), DEFLATED_FRAMES, shape) == ("" if size % 2 else "codestream-unreadable")
    for other in (pixels + b"Q", pixels + b"\0\0", pixels[:-1]):
        assert held(deflated(other), DEFLATED_FRAMES, shape) == "codestream-unreadable"


def test_a_plain_frame_whose_colours_are_halved_ends_where_they_do() -> None:
    halved = replace(picture(samples=3), subsampled=True)
    assert is_clean(bytes(32), UNCOMPRESSED_FRAMES, halved)
    assert cleaned(bytes(32) + WORDS[:16], UNCOMPRESSED_FRAMES, halved) == bytes(32)
    assert is_clean(rle(ROW, ROW, ROW), RLE, halved)


@pytest.mark.parametrize("number", ["4.100", "4.102", "4.104", "4.106", "4.107", "4.108", "7.1", "7.2", "1", "4.71"])
def test_video_and_whatever_is_not_known_is_held(number: str) -> None:
    assert held(PLAIN, f"1.2.840.10008.1.2.{number}", picture()) == "codestream-not-treated"


# Any of them

SOUND = {
    "JPEG": (b"".join([SOI, JFIF, *JPEG_PIECES[1:]]), JPEG),
    "JPEG-LS": (PLAIN_LS, JPEG_LS),
    "JPEG 2000": (jpeg_2000(tiles=[tile_part(0), tile_part(1)]), JPEG_2000),
    "JP2": (jp2(jpeg_2000()), JPEG_2000),
    "JPEG XL": (XL_START + box(b"jxlc", XL_CODESTREAM), JPEG_XL),
    "RLE": (rle(ROW), RLE),
    "deflated": (deflated(bytes(range(16))), DEFLATED_FRAMES),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_frame_cut_anywhere_is_held(case: str) -> None:
    frame, syntax = SOUND[case]
    for end in range(len(frame)):
        assert held(frame[:end], syntax, picture()) == "codestream-unreadable", end


@pytest.mark.parametrize("case", SOUND)
def test_a_bit_that_fell_over_never_surprises(case: str) -> None:
    frame, syntax = SOUND[case]
    codes = set()
    for at in range(len(frame)):
        for bit in range(8):
            broken = bytearray(frame)
            broken[at] ^= 1 << bit
            codes.add(held(bytes(broken), syntax, picture()))
    assert codes <= {"", "codestream-unreadable", "codestream-not-treated"}


@given(st.binary(max_size=200), st.sampled_from([syntax for _, syntax in SOUND.values()]), st.booleans())
def test_no_bytes_surprise(some: bytes, syntax: str, has_start: bool) -> None:
    start = next(frame for frame, one in SOUND.values() if one == syntax)[:20] if has_start else b""
    assert held(start + some, syntax, picture()) in {"", "codestream-unreadable", "codestream-not-treated"}


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(list(WORDY.values()))), max_size=5))
def test_cleaning_a_clean_frame_changes_nothing(plants: list[tuple[int, bytes]]) -> None:
    pieces = list(JPEG_PIECES)
    for place, words in sorted(plants, key=lambda plant: plant[0], reverse=True):
        pieces.insert(place, words)
    once = cleaned(b"".join(pieces), JPEG)
    assert once == PLAIN
    assert is_clean(once, JPEG)


def test_a_frame_is_never_copied() -> None:
    frame = b"".join([SOI, WORDY["EXIF"], *JPEG_PIECES[1:]])
    parts = codestreams.clean(memoryview(frame), JPEG)
    assert parts is not None
    assert all(isinstance(part, memoryview) and part.obj is frame for part in parts)


# Real ones

JPEGS = [
    "JPEG-lossy.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_dcmtk_+eb+cr.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_small_odd_jpeg.dcm",
    "examples_ybr_color.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jls_lossy_line.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
]
JPEG_2000S = ["JPEG2000.dcm", "MR_small_jp2klossless.dcm", "SC_rgb_gdcm_KY.dcm", "examples_jpeg2k.dcm"]
RLES = ["MR_small_RLE.dcm", "SC_rgb_rle_16bit_2frame.dcm", "SC_rgb_rle_32bit.dcm", "rtdose_rle.dcm"]


@pytest.mark.parametrize("name", JPEGS)
def test_words_go_from_a_real_jpeg_and_its_header_is_read_as_before(name: str) -> None:
    frames, syntax, _ = real(name)
    for frame in frames[:3]:
        plain = cleaned(frame, syntax)
        body = plain.rstrip(b"\0").rstrip(b"\xff")
        wordy = body[:2] + WORDY["EXIF"] + WORDY["a comment"] + body[2:-2] + WORDY["a comment"] + EOI + WORDS
        once = cleaned(wordy, syntax)
        assert once == body
        assert is_clean(once, syntax)
        before, after = _get_jpg_parameters(frame), _get_jpg_parameters(once)
        assert {key: value for key, value in before.items() if key != "app"} == {
            key: value for key, value in after.items() if key != "app"
        }


@pytest.mark.parametrize("name", ["SC_rgb_jpeg_dcmtk.dcm", "JPGExtended.dcm", "MR_small_RLE.dcm", "rtdose_rle.dcm"])
def test_a_real_frame_without_words_stays_as_it_is(name: str) -> None:
    frames, syntax, shape = real(name)
    assert all(is_clean(frame, syntax, shape) for frame in frames)


@pytest.mark.parametrize("name", JPEG_2000S)
def test_words_go_from_a_real_jpeg_2000_and_its_header_is_read_as_before(name: str) -> None:
    frames, syntax, _ = real(name)
    for frame in frames:
        plain = cleaned(frame, syntax)
        assert re.search(rb"Kakadu|OpenJPEG", frame)
        assert not re.search(rb"Kakadu|OpenJPEG", plain)
        first = plain.index(b"\xff\x90\0\x0a")
        assert cleaned(plain[:first] + COMMENT + plain[first:] + WORDS, syntax) == plain
        assert get_j2k_parameters(plain) == get_j2k_parameters(frame)
        assert plain[first:] in frame


def test_of_a_real_jp2_file_only_the_codestream_stays() -> None:
    (frame,), syntax, _ = real("GDCMJ2K_TextGBR.dcm")
    plain = cleaned(frame, syntax)
    assert b"jp2h" in frame
    assert plain.startswith(SOC)
    assert plain.endswith(EOI)
    parameters = get_j2k_parameters(frame[frame.index(b"jp2c") + 4 :])
    assert get_j2k_parameters(plain) == parameters
    assert parameters


@pytest.mark.parametrize("name", RLES)
def test_words_go_from_a_real_rle_and_its_pixels_are_the_same(name: str) -> None:
    frames, syntax, shape = real(name)
    for frame in frames[:3]:
        count = struct.unpack_from("<L", frame)[0]
        starts = [*struct.unpack_from(f"<{count}L", frame, 4), len(frame)]
        wordy = rle(*[frame[start:stop] + WORDS for start, stop in pairwise(starts)])
        once = cleaned(wordy, syntax, shape)
        assert b"Quill" in wordy
        assert b"Quill" not in once
        assert is_clean(once, syntax, shape)
        size = (shape.rows, shape.columns, shape.samples, shape.bits_allocated)
        assert _rle_decode_frame(once, *size) == _rle_decode_frame(frame, *size)


def test_a_hundred_megabytes_of_frames_are_scanned_in_a_moment() -> None:
    """A tenth of a second; byte by byte it would take ten."""
    frame = b"".join(JPEG_PIECES[:-1]) + bytes(range(255)) * 4096 + EOI
    started = time.process_time()
    for _ in range(100):
        assert codestreams.clean(memoryview(frame), JPEG) is None
    assert time.process_time() - started < 2


def test_a_frame_is_answered_alike_whatever_came_before_it() -> None:
    """A header that had nothing to go is remembered."""
    longer = PLAIN.replace(HUFFMAN, segment(0xC4, HUFFMAN[4:] + WORDS))
    lines = segment(0xDC, b"\x00\x04")  # their number, once and behind the first scan (ISO 10918-1 B.2.5)
    behind = [PLAIN.replace(EOI, piece + EOI) for piece in (FRAME, SOI, segment(0xE0, JFIF[4:]), HUFFMAN, lines)]
    behind += [one.replace(HUFFMAN, HUFFMAN + lines) for one in (PLAIN, behind[-1])]
    frames = [PLAIN, b"".join([SOI, adobe(1), *JPEG_PIECES[1:]]), WORDS + PLAIN, longer, PLAIN[:-2], *behind]
    alone = []
    for frame in frames:
        jpeg._HEADERS.clear()
        alone.append(held(frame, JPEG) or cleaned(frame, JPEG))
    for before in frames:
        for frame, answer in zip(frames, alone, strict=True):
            assert held(before, JPEG) is not None
            assert (held(frame, JPEG) or cleaned(frame, JPEG)) == answer
