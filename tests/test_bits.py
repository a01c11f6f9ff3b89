"""Nothing stands in a pixel's word but the pixel."""

from __future__ import annotations

import os
import sys
import tracemalloc
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonymizer.engine.bits import check
from anonymizer.engine.outcome import HoldError

CODES = {8: "B", 16: "H", 32: "I", 64: "Q"}


def words(values: list[int], bits: int = 16, *, little: bool = True) -> bytes:
    packed = array(CODES[bits], [value % (1 << bits) for value in values])
    if little != (sys.byteorder == "little"):
        packed.byteswap()
    return packed.tobytes()


def is_held(
    pixels: bytes,
    allocated: int = 16,
    stored: int = 12,
    high: int | None = None,
    *,
    signed: bool = False,
    little: bool = True,
) -> bool:
    """Tell whether pixels are held."""
    try:
        check(
            memoryview(pixels),
            allocated,
            stored,
            stored - 1 if high is None else high,
            signed=signed,
            little_endian=little,
        )
    except HoldError as hold:
        assert (hold.reason.code, hold.reason.where) == ("bits-above-stored", "(7FE0,0010) OW")
        return True
    return False


@pytest.mark.parametrize("little", [True, False], ids=["little", "big"])
@pytest.mark.parametrize("bit", [12, 13, 14, 15])
def test_an_overlay_in_any_bit_above_the_stored_ones_holds_the_picture(bit: int, little: bool) -> None:
    pixels = [value * 16 for value in range(256)] * 4
    assert not is_held(words(pixels, little=little), little=little)
    pixels[777] |= 1 << bit
    assert is_held(words(pixels, little=little), little=little)


def test_an_overlay_below_the_stored_bits_holds_the_picture() -> None:
    pixels = [value * 16 for value in range(256)]
    assert not is_held(words(pixels), high=15)
    pixels[200] |= 1
    assert is_held(words(pixels), high=15)


def test_the_last_word_of_a_large_picture_is_looked_at() -> None:
    pixels = [0xFFF] * 100_003
    assert not is_held(words(pixels))
    pixels[-1] = 0x1FFF
    assert is_held(words(pixels))


def test_signed_pixels_may_carry_their_sign_or_nothing() -> None:
    pixels = list(range(-2048, 2048))
    assert not is_held(words(pixels), signed=True)
    assert not is_held(words([value & 0xFFF for value in pixels]), signed=True)


def test_a_sign_on_some_words_only_could_spell_something() -> None:
    bits = [int(bit) for octet in b"QUILLFEATHER" for bit in f"{octet:08b}"]
    assert is_held(words([-5 if bit else -5 & 0xFFF for bit in bits]), signed=True)


def test_a_sign_in_one_chunk_and_none_in_the_next_is_seen() -> None:
    signs, none = words([-5] * 20_000), words([-5 & 0xFFF] * 20_000)
    assert not is_held(signs, signed=True)
    assert not is_held(none, signed=True)
    assert is_held(signs + none, signed=True)
    assert is_held(none + signs, signed=True)


def test_unsigned_pixels_have_no_sign() -> None:
    assert is_held(words([-5]), signed=False)


@pytest.mark.parametrize(("allocated", "stored"), [(16, 8), (32, 8), (32, 12), (32, 16), (32, 24), (64, 20), (8, 7)])
def test_the_sign_reaches_through_every_byte_above(allocated: int, stored: int) -> None:
    low, high = -(1 << stored - 1), (1 << stored - 1) - 1
    assert not is_held(words([low, -1, 0, high], allocated), allocated, stored, signed=True)
    for bit in range(stored, allocated):
        assert is_held(words([low, -1, 0, high, 1 << bit], allocated), allocated, stored, signed=True)
        assert is_held(words([low, -1, 0, high, -1 ^ 1 << bit], allocated), allocated, stored, signed=True)


@pytest.mark.parametrize("bits", [1, 8, 16, 32, 64])
def test_where_all_bits_are_stored_nothing_is_to_be_looked_at(bits: int) -> None:
    assert not is_held(os.urandom(64), bits, bits)


@pytest.mark.parametrize(
    ("allocated", "stored", "high"), [(16, 0, 11), (16, 12, 10), (16, 12, 16), (16, 17, 16), (12, 10, 9), (16, 12, -1)]
)
def test_a_word_that_makes_no_sense_holds_the_picture(allocated: int, stored: int, high: int) -> None:
    assert is_held(bytes(64), allocated, stored, high)


def test_big_endian_words_of_four_bytes_are_held_because_writers_do_not_agree_on_them() -> None:
    assert is_held(bytes(64), 32, 24, little=False)


@given(
    st.sampled_from([8, 16]).flatmap(lambda bits: st.tuples(st.just(bits), st.integers(1, bits))),
    st.data(),
    st.booleans(),
    st.booleans(),
)
def test_held_is_what_has_a_bit_where_none_should_be(
    size: tuple[int, int], data: st.DataObject, signed: bool, little: bool
) -> None:
    """Against the words' own definition, one after the other."""
    allocated, stored = size
    high = data.draw(st.integers(stored - 1, allocated - 1))
    low = high + 1 - stored
    mask = (1 << stored) - 1 << low
    kinds = data.draw(st.lists(st.integers(0, (1 << allocated) - 1), min_size=1, max_size=6))
    pixels = [
        data.draw(st.sampled_from([kind, kind & mask, (kind & mask) | (-1 << high + 1 if kind >> high & 1 else 0)]))
        for kind in kinds
    ]
    pixels = [pixel % (1 << allocated) for pixel in pixels]
    zeros = all(pixel & ~mask == 0 for pixel in pixels)
    signs = signed and all(
        pixel == ((pixel & mask) | (-1 << high + 1 if pixel >> high & 1 else 0)) % (1 << allocated) for pixel in pixels
    )
    held = stored < allocated and not (zeros or signs)
    assert (
        is_held(words(pixels, allocated, little=little), allocated, stored, high, signed=signed, little=little) == held
    )


def test_a_large_picture_takes_no_memory() -> None:
    pixels = bytes(32 << 20)
    tracemalloc.start()
    check(memoryview(pixels), 16, 12, 11, signed=True, little_endian=True)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
