"""Where an element stands: all that its answer depends on besides its own bytes.

One context for each kind of place, made once: whoever enters the same place again gets the same object. What was
answered there before is remembered in it (see :mod:`anonymizer.engine.memo`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from anonymizer.engine.concepts import public_code
from anonymizer.engine.content import CELLS, NO_CONCEPT, Concept
from anonymizer.engine.private import Blocks, blocks_of
from anonymizer.engine.pseudonyms import Pseudonyms, Subject
from anonymizer.engine.rules import Rule, Rules
from anonymizer.engine.text import decode, encodings_of
from anonymizer.engine.types import UNDEFINED, Place

SPECIFIC_CHARACTER_SET = 0x00080005
PATIENT_ID = 0x00100020
ISSUER = 0x00100021
CODE_VALUE = 0x00080100
CODING_SCHEME = 0x00080102
LONG_CODE_VALUE = 0x00080119
# Tables of colours or grey values: what says how long one is, and where it stands (PS3.3 C.7.6.3.1.5, C.11.1).
LUT_DESCRIPTORS = {0x00281101: 0x00281201, 0x00281102: 0x00281202, 0x00281103: 0x00281203, 0x00283002: 0x00283006}
SIGNS = (
    SPECIFIC_CHARACTER_SET,
    PATIENT_ID,
    ISSUER,
    CODE_VALUE,
    CODING_SCHEME,
    LONG_CODE_VALUE,
    *LUT_DESCRIPTORS,
)


class Signs(NamedTuple):
    """The values of an item that decide how the others in it are answered, as they stand in the source."""

    character_set: bytes
    patient_id: bytes
    issuer: bytes
    designator: bytes
    code: bytes
    creators: tuple[tuple[int, bytes], ...]
    concept: Concept = NO_CONCEPT
    luts: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, values: Sequence[bytes], creators: tuple[tuple[int, bytes], ...], concept: Concept) -> Signs:
        """Make the signs of an item, given its values of :data:`SIGNS`, its private creators and its concept."""
        character_set, patient_id, issuer, code, designator, long_code, *luts = values
        return cls(character_set, patient_id, issuer, designator, code or long_code, creators, concept, tuple(luts))


_MOST_ENTERED = 1 << 10
CONTEXT_SIZE = 3000
"""About how many octets a context needs before anything was answered in it."""

NO_SIGNS = Signs(b"", b"", b"", b"", b"", ())


class Plan(NamedTuple):
    """What is done with an element, whatever its value.

    Attributes
    ----------
    read_by, written_in : str
        VRs: of the value, and of the answer.
    """

    read_by: str
    written_in: str
    rule: Rule


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What holds for every element of one data set or item.

    Attributes
    ----------
    rules : Rules
        The profile's, those for replaced sequences inside one.
    pseudonyms : Pseudonyms
        The key's.
    subject : Subject
        Whom the data set (or the item, where it names a patient of its own) is about.
    days : int
        By how many days the subject's dates move.
    study_instance_uid, sop_class : str
        Of the source.
    default_issuer : str
        Of patient IDs that come without one.
    encodings : tuple of str
        Python's names for the Specific Character Set in force.
    moves_dates, keeps_dates : bool
        Whether the dates of this data set still are dates: not where the source says REMOVED.
    place : Place
        Where in the IOD.
    blocks : Blocks
        Who owns the private blocks.
    depth : int
        How many sequences it stands in.
    replaced : bool
        Whether this is inside a sequence that is to be replaced by a dummy.
    cleaned : bool
        Whether this is inside a sequence whose texts are to be cleaned.
    luts : mapping of int to (int, int)
        How long tables may be, by the tag of their data: see :func:`luts_from`.
    little_endian : bool
        Whether numbers are.
    code : (str, str) or None
        Designator and value of the public concept that this item is.
    of_event : bool
        Whether this is a content item about an event of the imaging: its dates are treated as others are.
    """

    rules: Rules
    pseudonyms: Pseudonyms
    subject: Subject
    days: int
    study_instance_uid: str
    sop_class: str
    default_issuer: str
    encodings: tuple[str, ...]
    moves_dates: bool
    keeps_dates: bool
    place: Place
    blocks: Blocks
    depth: int = 0
    replaced: bool = False
    cleaned: bool = False
    luts: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    little_endian: bool = True
    code: tuple[str, str] | None = None
    of_event: bool = False
    answers: dict[bytes, bytes] = field(default_factory=dict, repr=False)
    """What was answered to an element, by its bytes, header included."""
    plans: dict[bytes, Plan | None] = field(default_factory=dict, repr=False)
    """By an element's first octets, what is done with it; None where it goes."""
    below: dict[int, Any] = field(default_factory=dict, repr=False)
    """By the sequence's tag, what is remembered of its items."""
    entered: dict[tuple[int, bool, bool, Signs], Context] = field(default_factory=dict, repr=False)
    count: Callable[[int], None] = field(default=lambda _octets: None, repr=False)
    """Told about how many octets each new context below needs."""

    def enter(self, tag: int, signs: Signs, *, replaced: bool, cleaned: bool) -> Context:
        """Return the context of an item of the sequence `tag`."""
        key = (tag, replaced, cleaned, signs)
        found = self.entered.get(key)
        if found is None:
            found = self._inside(tag, signs, replaced, cleaned)
            if len(self.entered) < _MOST_ENTERED:  # a file can have an item of another kind as often as it likes
                self.entered[key] = found
                self.count(CONTEXT_SIZE + octets_in(signs))
        return found

    def _inside(self, tag: int, signs: Signs, replaced: bool, cleaned: bool) -> Context:
        encodings = encodings_of(signs.character_set) if signs.character_set else self.encodings
        subject = self._subject(signs, encodings)
        designator, code = (text.decode("latin-1").strip("\0 ") for text in (signs.designator, signs.code))
        is_known = signs.concept == NO_CONCEPT or signs.concept.is_of_nobody
        if tag == CELLS or signs.concept.is_of_somebody or (cleaned and not is_known):
            # Its value is no text that could be cleaned, but a number, a code, an age: in any sequence, not in those
            # of reports alone (a protocol's context says how old and how heavy somebody is).
            replaced, cleaned = True, False
        return replace(
            self,
            rules=self.rules.inside(replaced=replaced),
            encodings=encodings,
            subject=subject,
            days=self.days if subject is self.subject else self.pseudonyms.date_shift(subject),
            place=UNDEFINED if tag & 0x10000 else self.place.child(tag),
            blocks=blocks_from(signs.creators),
            depth=self.depth + 1,
            replaced=replaced,
            cleaned=cleaned,
            luts=luts_from(signs.luts, little_endian=self.little_endian),
            code=(designator, code) if not replaced and public_code(designator, code) else None,
            of_event=signs.concept.is_event,
            answers={},
            plans={},
            below={},
            entered={},
        )

    def _subject(self, signs: Signs, encodings: tuple[str, ...]) -> Subject:
        """Tell whom an item is about: whom the data set is about, unless it names somebody else.

        The same patient ID without an issuer is the same person, whatever the site's default issuer is.
        """
        if not signs.patient_id.strip(b"\0 "):
            return self.subject
        subject = subject_of(
            signs.patient_id, signs.issuer, self.study_instance_uid, encodings, default_issuer=self.default_issuer
        )
        is_same = not signs.issuer.strip(b"\0 ") and subject.texts[-1] == self.subject.texts[-1]
        return self.subject if is_same else subject


def subject_of(
    patient_id: bytes, issuer: bytes, study_instance_uid: str, encodings: tuple[str, ...], *, default_issuer: str
) -> Subject:
    """Tell whom a data set or item is about, from its own PatientID and IssuerOfPatientID."""
    return Subject.of(
        decode(patient_id, encodings, PATIENT_ID, "LO"),
        decode(issuer, encodings, ISSUER, "LO"),
        study_instance_uid,
        default_issuer=default_issuer,
    )


def octets_in(key: object) -> int:
    """Return how many octets the texts in a key have, however deep they stand."""
    if isinstance(key, (bytes, str)):
        return len(key)
    return sum(map(octets_in, key)) if isinstance(key, tuple) else 0


def blocks_from(creators: tuple[tuple[int, bytes], ...]) -> Blocks:
    """Return who owns the private blocks of a data set, from its Private Creators as they stand."""
    return blocks_of((tag, value.decode("latin-1")) for tag, value in creators)


def luts_from(descriptors: Sequence[bytes], *, little_endian: bool) -> dict[int, tuple[int, int]]:
    """Return how long tables may be by their descriptors, given as :data:`LUT_DESCRIPTORS` has them.

    Of up to 8 bits, entries stand in an octet each, or in two: up to the first number of octets, or exactly the second.
    """
    luts = {}
    for tag, descriptor in zip(LUT_DESCRIPTORS.values(), descriptors, strict=False):
        if len(descriptor) == 6:
            entries, _, bits = (
                int.from_bytes(descriptor[at : at + 2], "little" if little_endian else "big") for at in (0, 2, 4)
            )
            entries = entries or 1 << 16
            luts[tag] = (entries + entries % 2 if bits <= 8 else 2 * entries, 2 * entries)
    return luts
