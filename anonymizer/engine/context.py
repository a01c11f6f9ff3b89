"""Where an element stands: all that its answer depends on besides its own bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from anonymizer.engine.pseudonyms import Pseudonyms, Subject
from anonymizer.engine.rules import Rules


@dataclass(frozen=True, slots=True)
class Context:
    """What holds for every element of one data set or item.

    Attributes
    ----------
    rules : Rules
        The profile's.
    pseudonyms : Pseudonyms
        The key's.
    subject : Subject
        Whom the data set (or the item, where it names a patient of its own) is about.
    study_instance_uid : str
        Of the source.
    default_issuer : str
        Of patient IDs that come without one.
    encodings : tuple of str
        Python's names for the Specific Character Set in force.
    moves_dates : bool
        Whether the dates of this data set still are dates: not where the source says REMOVED.
    nested : bool
        Whether this is an item of a sequence.
    replaced : bool
        Whether this is inside a sequence that is to be replaced by a dummy.
    public_code : bool
        Whether this is an item with a code of a public coding scheme.
    """

    rules: Rules
    pseudonyms: Pseudonyms
    subject: Subject
    study_instance_uid: str
    default_issuer: str
    encodings: tuple[str, ...]
    moves_dates: bool
    nested: bool = False
    replaced: bool = False
    public_code: bool = False

    def inside(self, **changes: object) -> Context:
        """Return the context of an item inside this one."""
        return replace(self, **changes)  # type: ignore[arg-type]  # dataclasses.replace takes any field
