"""The 110 nasty cases: what comes in, and what must come out of it.

``@case(17)`` says which case a test is about. A case may have many tests; :mod:`tests.cases.test_every_case` sees to
it that none has none. "Clean" means that none of the planted text is left in an output, in any encoding.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Final, TypeVar

import pydicom
import pytest
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from anonymizer import Anonymizer, Held, Reason, Released
from anonymizer.engine import tables
from tests import samples
from tests.samples import How

Test = TypeVar("Test", bound=Callable[..., None])

# Each heading is a module beside this one, and has the cases from the first number to the second.
HEADINGS: Final = {
    "structure": range(1, 31),
    "values": range(31, 51),
    "dates": range(51, 66),
    "uids": range(66, 75),
    "objects": range(75, 93),
    "transfer_syntaxes": range(93, 103),
    "system": range(103, 111),
}

# Modules with tests of their own that are about a case too: what Orthanc, Prefect and the ledger do in it.
LINKED: Final = ("test_crash", "test_ledger", "test_one_run", "test_orthanc", "test_worker")

TESTS: Final[dict[int, list[Callable[..., None]]]] = defaultdict(list)
"""The tests of each case, once the modules are imported."""

PROFILES: Final = ("basic", "research")
OPTIONS: Final = tuple(sorted({option for row in tables.confidentiality_rows() for option in row.options}))

in_both_profiles = pytest.mark.parametrize("profile", PROFILES)
under_every_option = pytest.mark.parametrize("profile", (*PROFILES, *OPTIONS))

# Python's names for what a text may be written in: DICOM's character sets, and what other programs like.
_ENCODINGS = (
    "utf-8",
    "utf-16-le",
    "utf-16-be",
    "latin-1",
    "iso8859_2",
    "iso8859_5",
    "iso8859_7",
    "shift_jis",
    "euc_jp",
    "iso2022_jp",
    "gb18030",
    "euc_kr",
)


def case(number: int) -> Callable[[Test], Test]:
    """Say which case a test is about."""

    def register(test: Test) -> Test:
        TESTS[number].append(test)
        return test

    return register


def engine(profile: str) -> Anonymizer:
    """Return an anonymizer by the name of a profile, or of the one option that it has over Basic."""
    return samples.ENGINES[profile] if profile in samples.ENGINES else samples.engine(profile)


def released(data: bytes, profile: str = "research") -> bytes:
    """Return the output for a source that has to be released."""
    result = engine(profile).anonymize(data)
    assert isinstance(result, Released), result
    return result.data


def held(data: bytes, profile: str = "research") -> Reason:
    """Return why a source is held that has to be."""
    result = engine(profile).anonymize(data)
    assert isinstance(result, Held), "released"
    return result.reason


def read(data: bytes) -> FileDataset:
    """Return a file as another reader reads it."""
    return pydicom.dcmread(BytesIO(data))


def clean(data: bytes, *planted: str, profile: str = "research") -> bytes:
    """Return the output of a source that has to be released, and in which nothing planted may be left.

    Parameters
    ----------
    data : bytes
        The source; every planted text has to be in it, or the test could not fail.
    *planted : str
        Texts; each is looked for in every encoding, in small and in capital letters.
    """
    result = engine(profile).anonymize(data)
    assert isinstance(result, Released), result
    assert left_in(data, *planted) == set(planted)
    assert left_in(result.data, *planted) == set()
    assert left_in(f"{result!r} {result.identity!r}".encode(), *planted) == set()
    return result.data


def held_clean(data: bytes, *planted: str, profile: str = "research") -> str:
    """Return the code of the reason why a source is held; nothing of it may be told with that."""
    result = engine(profile).anonymize(data)
    assert isinstance(result, Held), "released"
    assert left_in(data, *planted) == set(planted)
    assert left_in(repr(result).encode(), *planted) == set()
    return result.reason.code


def left_in(data: bytes, *planted: str) -> set[str]:
    """Return which of the planted texts are left in some bytes; in a deflated file, in what was deflated."""
    searched = _inflated(data).lower()
    return {text for text in planted if any(spelling in searched for spelling in spellings(text))}


def spellings(text: str) -> set[bytes]:
    """Return a text in every encoding that can write it; letters of ASCII are small in all of them."""
    found = set()
    for spelt in (text, text.upper(), text.lower()):
        for encoding in _ENCODINGS:
            with suppress(UnicodeError):
                found.add(spelt.encode(encoding).lower())
    return found


def _inflated(data: bytes) -> bytes:
    end_of_meta = 144 + int.from_bytes(data[140:144], "little")
    if data[128:132] != b"DICM" or DeflatedExplicitVRLittleEndian.encode() not in data[:end_of_meta]:
        return data
    return data[:end_of_meta] + zlib.decompress(data[end_of_meta:], -zlib.MAX_WBITS)


def image(*elements: bytes, nests: bool = False, how: How = samples.EXPLICIT) -> bytes:
    """Return a CT image with these elements, at its top or in an item of a sequence that no rule is about."""
    if not nests:
        return samples.ct(*elements, how=how)
    inside = samples.item(*samples.merged([], elements, how), how=how)
    return samples.ct(samples.sequence(samples.UNLISTED_SEQUENCE, inside, how=how), how=how)


def place(found: FileDataset, *, nests: bool) -> Dataset:
    """Return where the elements of :func:`image` stand in an output."""
    if not nests:
        return found
    (inside,) = found[samples.UNLISTED_SEQUENCE].value
    return inside  # type: ignore[no-any-return]  # pydicom's values have any type


def written(data: bytes, keyword: str) -> str:
    """Return a value of a file as it is written there, without its padding."""
    return samples.stored(read(data), keyword)
