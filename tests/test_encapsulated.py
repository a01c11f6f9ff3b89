"""Frames, the fragments that they are in, and tables that point at them."""

from __future__ import annotations

import mmap
import struct
import tracemalloc
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_fragments, generate_frames, parse_basic_offsets

from anonymizer.engine.codestreams import Picture
from anonymizer.engine.encapsulated import Encapsulated, clean
from anonymizer.engine.outcome import HoldError
from tests.codestream_samples import (
    COMMENT,
    DATA,
    JPEG,
    JPEG_2000,
    JPEG_PIECES,
    RLE,
    WORDS,
    jpeg_2000,
    picture,
    real,
    rle,
    segment,
    tile_part,
)

END = bytes.fromhex("feffdde000000000")
HEAD = b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff"


def fragment(value: bytes) -> bytes:
    """Return an item, of odd length too."""
    return struct.pack("<HHL", 0xFFFE, 0xE000, len(value)) + value


def frame(number: int, words: bytes = b"") -> bytes:
    """Return a frame of its own length, that is made even, with words in it or without."""
    whole = b"".join(JPEG_PIECES).replace(DATA, DATA + bytes([number + 1]) * (number + 1))
    if words:
        whole = whole[:2] + segment(0xFE, words) + whole[2:]
    return whole + bytes(len(whole) % 2)


def table(fragments: Sequence[bytes], begins: Sequence[int] | None = None, code: str = "L") -> bytes:
    """Return the offsets of fragments; of those that begin a frame, if not of all."""
    offsets = [sum(8 + len(one) for one in fragments[:number]) for number in range(len(fragments))]
    offsets = offsets if begins is None else [offsets[begin] for begin in begins]
    return struct.pack(f"<{len(offsets)}{code}", *offsets)


def lengths(fragments: Sequence[bytes]) -> bytes:
    """Return an Extended Offset Table Lengths."""
    return struct.pack(f"<{len(fragments)}Q", *map(len, fragments))


def value(fragments: Sequence[bytes], basic: bytes = b"") -> bytes:
    """Return encapsulated pixel data."""
    return fragment(basic) + b"".join(map(fragment, fragments)) + END


def run(
    pixels: bytes,
    frames: int,
    offsets: bytes = b"",
    sizes: bytes = b"",
    syntax: str = JPEG,
    shape: Picture | None = None,
) -> Encapsulated:
    """Clean encapsulated pixel data that stands in the middle of a file."""
    data = HEAD + pixels + WORDS
    return clean(data, len(HEAD), len(HEAD) + len(pixels), syntax, frames, offsets, sizes, shape)


def written(pixels: bytes, frames: int, syntax: str = JPEG, shape: Picture | None = None) -> bytes:
    """Return what comes of encapsulated pixel data without extended tables."""
    result = run(pixels, frames, syntax=syntax, shape=shape)
    assert (result.extended_offsets, result.extended_lengths) == (None, None)
    return b"".join(result.parts)


def held(pixels: bytes, frames: int, syntax: str = JPEG) -> str:
    """Return the code of the reason for which pixel data is held."""
    with pytest.raises(HoldError) as hold:
        written(pixels, frames, syntax)
    assert hold.value.reason.where == "(7FE0,0010) OB"
    return hold.value.reason.code


PLAIN = [frame(number) for number in range(4)]
WORDY = [frame(number, WORDS + b"!" * number) for number in range(4)]


def test_the_samples_are_frames_of_different_even_lengths() -> None:
    assert len({len(one) for one in PLAIN}) >= 2
    assert not any(len(one) % 2 for one in PLAIN + WORDY)


# Nothing to do


@pytest.mark.parametrize("basic", [b"", table(PLAIN)], ids=["without a table", "with a table"])
def test_frames_without_words_stay_bit_by_bit_and_are_not_copied(basic: bytes) -> None:
    pixels = value(PLAIN, basic)
    data = HEAD + pixels
    result = clean(data, len(HEAD), len(data), JPEG, 4, b"", b"")
    (part,) = result.parts
    assert isinstance(part, memoryview)
    assert part.obj is data
    assert part == pixels


def test_a_frame_in_many_fragments_stays_in_them() -> None:
    parts = [PLAIN[3][:20], PLAIN[3][20:60], PLAIN[3][60:]]
    assert written(value(parts), 1) == value(parts)
    both = [*parts, PLAIN[1][:40], PLAIN[1][40:]]
    for basic in (b"", table(both, [0, 3])):
        assert written(value(both, basic), 2) == value(both, basic)


def test_a_delimiter_inside_a_fragment_is_part_of_it() -> None:
    tricky = [rle(b"\x80\7" + END), rle(b"\x80\7" + END[::-1])]
    assert written(value(tricky), 2, RLE, picture(2, 4)) == value(tricky)


def test_extended_tables_that_are_right_stay() -> None:
    result = run(value(PLAIN), 4, table(PLAIN, code="Q"), lengths(PLAIN))
    assert b"".join(result.parts) == value(PLAIN)
    assert (result.extended_offsets, result.extended_lengths) == (table(PLAIN, code="Q"), lengths(PLAIN))


def test_lengths_that_do_not_count_the_padding_stay() -> None:
    short = struct.pack("<4Q", *(len(one.removesuffix(b"\0")) for one in PLAIN))
    assert short != lengths(PLAIN)
    assert run(value(PLAIN), 4, table(PLAIN, code="Q"), short).extended_lengths == short


# Words


@pytest.mark.parametrize("wordy", [(0,), (1,), (3,), (0, 2), (1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("has_table", [False, True], ids=["without a table", "with a table"])
def test_words_go_from_some_frames_and_the_table_points_at_all_of_them(wordy: tuple[int, ...], has_table: bool) -> None:
    frames = [WORDY[number] if number in wordy else PLAIN[number] for number in range(4)]
    pixels = value(frames, table(frames) if has_table else b"")
    assert written(pixels, 4) == value(PLAIN, table(PLAIN) if has_table else b"")


def test_words_go_and_the_extended_tables_are_right_again() -> None:
    frames = [PLAIN[0], WORDY[1], PLAIN[2], WORDY[3]]
    result = run(value(frames), 4, table(frames, code="Q"), lengths(frames))
    assert b"".join(result.parts) == value(PLAIN)
    assert (result.extended_offsets, result.extended_lengths) == (table(PLAIN, code="Q"), lengths(PLAIN))


def test_a_frame_with_words_is_one_fragment_afterwards() -> None:
    cut = [WORDY[0][:30], WORDY[0][30:50], WORDY[0][50:]]
    fragments = [*cut, PLAIN[1][:40], PLAIN[1][40:], WORDY[2]]
    after = [PLAIN[0], PLAIN[1][:40], PLAIN[1][40:], PLAIN[2]]
    assert written(value(fragments, table(fragments, [0, 3, 5])), 3) == value(after, table(after, [0, 1, 3]))


def test_words_go_from_frames_of_jpeg_2000() -> None:
    plain = [jpeg_2000(tiles=[tile_part(number)]) for number in range(3)]
    wordy = [jpeg_2000(COMMENT, tiles=[tile_part(number, COMMENT)]) for number in range(3)]
    padded = [one + bytes(len(one) % 2) for one in plain]
    fragments = [one + bytes(len(one) % 2) for one in wordy]
    assert written(value(fragments, table(fragments)), 3, JPEG_2000) == value(padded, table(padded))


def test_a_fragment_of_odd_length_is_made_even() -> None:
    odd = next(one[:-1] for one in PLAIN if one.endswith(b"\0"))
    fragments, after = [odd, PLAIN[1]], [odd + b"\0", PLAIN[1]]
    assert written(value(fragments, table(fragments)), 2) == value(after, table(after))
    middle = [PLAIN[0][:21], PLAIN[0][21:]]
    assert written(value(middle), 1) == value([PLAIN[0]])


# Tables that are none


@pytest.mark.parametrize(
    "basic",
    [
        WORDS[:16],
        WORDS[:14],
        table(PLAIN)[:8],
        table(PLAIN) + b"Quil",
        table(PLAIN)[::-1],
        struct.pack("<4L", 0, 10, 20, 30),
        bytes(16),
    ],
    ids=["words", "no numbers", "too short", "too long", "backwards", "beside the fragments", "zeros"],
)
def test_a_table_that_is_wrong_is_made_new(basic: bytes) -> None:
    assert written(value(PLAIN, basic), 4) == value(PLAIN, table(PLAIN))


@pytest.mark.parametrize("basic", [WORDS[:4], WORDS[:40], struct.pack("<3L", 0, 8, 16)])
def test_a_wrong_table_of_a_single_frame_is_made_new(basic: bytes) -> None:
    parts = [PLAIN[0][:40], PLAIN[0][40:]]
    assert written(value(parts, basic), 1) == value(parts, bytes(4))


@pytest.mark.parametrize(
    ("offsets", "sizes"),
    [
        (WORDS[:32], lengths(PLAIN)),
        (table(PLAIN, code="Q"), WORDS[:32]),
        (table(PLAIN, code="Q")[:24], lengths(PLAIN)),
        (table(PLAIN, code="Q"), lengths(PLAIN) + WORDS[:8]),
        (WORDS[:31], WORDS[:9]),
    ],
)
def test_an_extended_table_that_is_wrong_is_made_new(offsets: bytes, sizes: bytes) -> None:
    result = run(value(PLAIN), 4, offsets, sizes)
    assert b"".join(result.parts) == value(PLAIN)
    assert (result.extended_offsets, result.extended_lengths) == (table(PLAIN, code="Q"), lengths(PLAIN))


@pytest.mark.parametrize(("offsets", "sizes"), [(table(PLAIN, code="Q"), b""), (b"", lengths(PLAIN)), (WORDS, b"")])
def test_half_of_an_extended_table_goes(offsets: bytes, sizes: bytes) -> None:
    result = run(value(PLAIN), 4, offsets, sizes)
    assert (result.extended_offsets, result.extended_lengths) == (None, None)
    assert b"".join(result.parts) == value(PLAIN)


def test_beside_an_extended_table_the_basic_one_is_empty() -> None:
    result = run(value(PLAIN, table(PLAIN)), 4, table(PLAIN, code="Q"), lengths(PLAIN))
    assert b"".join(result.parts) == value(PLAIN)
    assert result.extended_offsets == table(PLAIN, code="Q")


def test_beside_an_extended_table_a_frame_is_one_fragment() -> None:
    fragments = [PLAIN[0][:40], PLAIN[0][40:], PLAIN[1]]
    result = run(value(fragments), 2, table(fragments, [0, 2], "Q"), lengths(PLAIN[:2]))
    assert b"".join(result.parts) == value(PLAIN[:2])
    assert (result.extended_offsets, result.extended_lengths) == (table(PLAIN[:2], code="Q"), lengths(PLAIN[:2]))


def test_words_behind_the_delimiter_go() -> None:
    assert written(value(PLAIN)[:-4] + b"Quil", 4) == value(PLAIN)


# Which fragments make a frame


def test_frames_are_told_by_how_they_begin_where_no_table_tells() -> None:
    fragments = [PLAIN[0][:40], PLAIN[0][40:], PLAIN[1], PLAIN[2][:30], PLAIN[2][30:]]
    assert written(value(fragments), 3) == value(fragments)
    assert written(value(fragments, WORDS[:12]), 3) == value(fragments, table(fragments, [0, 2, 3]))


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_another_number_of_frames_than_there_are_is_held(frames: int) -> None:
    for basic in (b"", table(PLAIN)):
        assert held(value(PLAIN, basic), frames) == "frames-unknown"


def test_tables_that_do_not_agree_are_held() -> None:
    fragments = [PLAIN[0][:40], PLAIN[0][40:], PLAIN[1]]
    with pytest.raises(HoldError) as hold:
        run(value(fragments, table(fragments, [0, 1])), 2, table(fragments, [0, 2], "Q"), lengths(PLAIN[:2]))
    assert hold.value.reason.code == "frames-unknown"


def test_a_fragment_of_rle_is_a_frame() -> None:
    frames = [rle(b"\0\1"), rle(b"\0\2")]
    assert written(value(frames), 2, RLE, picture(1, 1)) == value(frames)
    assert held(value(frames), 1, RLE) == "frames-unknown"


def test_a_missing_number_of_frames_is_one() -> None:
    assert written(value(PLAIN[:1]), 0) == value(PLAIN[:1])


@pytest.mark.parametrize(
    ("pixels", "code"),
    [
        (END, "item-missing"),
        (fragment(b"") + END, "item-missing"),
        (b"Quillfeather" + END, "item-missing"),
        (value(PLAIN[:1])[:-8], "truncated"),
        (value(PLAIN[:1])[:-8] + b"Quillfea", "truncated"),
        (value(PLAIN[:1]) + END, "truncated"),
        (value([b""]), "codestream-unreadable"),
        (value([WORDS]), "codestream-unreadable"),
        (value([PLAIN[0], PLAIN[1][:30]]), "codestream-unreadable"),
    ],
)
def test_what_is_not_made_of_fragments_is_held(pixels: bytes, code: str) -> None:
    assert held(pixels, 2 if PLAIN[1][:30] in pixels else 1) == code


# All together


@given(st.data())
def test_whatever_has_words_and_however_it_is_cut_the_frames_come_out(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 4))
    wordy = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    frames = [WORDY[number] if wordy[number] else PLAIN[number] for number in range(count)]
    fragments: list[bytes] = []
    begins: list[int] = []
    for one in frames:
        begins.append(len(fragments))
        cuts = sorted(data.draw(st.sets(st.integers(2, len(one) // 2 - 1).map(lambda half: half * 2), max_size=2)))
        fragments += [one[start:stop] for start, stop in pairwise([0, *cuts, len(one)])]
    basic = data.draw(st.sampled_from([b"", table(fragments, begins), WORDS[:40]]))
    extended = data.draw(st.booleans())
    offsets, sizes = (table(fragments, begins, "Q"), bytes(8 * count)) if extended else (b"", b"")
    result = run(value(fragments, basic), count, offsets, sizes)
    pixels = b"".join(result.parts)
    offsets, sizes = result.extended_offsets or b"", result.extended_lengths or b""
    if extended or basic:
        read = generate_frames(pixels, number_of_frames=count, extended_offsets=(offsets, sizes) if extended else None)
        assert list(read) == PLAIN[:count]
    # Where no table tells, pydicom looks for the end of a frame inside one fragment.
    first = 8 + struct.unpack_from("<L", pixels, 4)[0]
    assert b"".join(generate_fragments(pixels[first:])) == b"".join(PLAIN[:count])
    assert b"Quill" not in pixels + offsets + sizes
    again = run(pixels, count, offsets, sizes)
    assert b"".join(again.parts) == pixels
    assert len(again.parts) == 1
    assert (again.extended_offsets or b"", again.extended_lengths or b"") == (offsets, sizes)


@pytest.mark.parametrize("has_words", [False, True], ids=["without words", "with words"])
def test_a_large_picture_takes_no_memory_and_may_stand_in_a_mapped_file(has_words: bool, tmp_path: Path) -> None:
    big = PLAIN[0].replace(DATA, DATA + bytes(1 << 20))
    if has_words:
        big = big[:2] + segment(0xFE, WORDS + b"!") + big[2:]
    pixels = value([big] * 32)
    path = tmp_path / "file"
    path.write_bytes(pixels)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        tracemalloc.start()
        result = clean(memoryview(mapped), 0, len(pixels), JPEG, 32, b"", b"")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()
        assert (len(result.parts) > 1) == has_words
        written = b"".join(result.parts)
        for part in result.parts:
            if isinstance(part, memoryview):
                part.release()
        del result, part
        assert len(written) == len(pixels) - has_words * 32 * (len(WORDS) + 5)


@pytest.mark.parametrize(
    "name",
    ["examples_ybr_color.dcm", "SC_rgb_rle_2frame.dcm", "examples_jpeg2k.dcm", "JPEG2000.dcm", "MR_small_RLE.dcm"],
)
def test_the_frames_of_a_real_file_are_read_from_what_comes_out(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    image = pydicom.dcmread(path)
    count, syntax = int(image.get("NumberOfFrames", 1)), str(image.file_meta.TransferSyntaxUID)
    pixels = image.PixelData + END
    after = written(pixels, count, syntax, real(name)[2])
    assert len(parse_basic_offsets(after)) == len(parse_basic_offsets(pixels))
    frames = list(generate_frames(after, number_of_frames=count))
    assert len(frames) == count
    if "jpeg2k" in name.lower() or "JPEG2000" in name:
        assert len(after) < len(pixels)
    else:
        assert after == pixels
