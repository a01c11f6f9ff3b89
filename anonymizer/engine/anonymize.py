"""The engine: the bytes of one instance in, the bytes of its anonymous twin and a report out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import NamedTuple

from anonymizer.engine import encode, markers, meta, pictures, tables, values
from anonymizer.engine.context import (
    ISSUER,
    LUT_DESCRIPTORS,
    PATIENT_ID,
    SPECIFIC_CHARACTER_SET,
    Context,
    blocks_from,
    luts_from,
    subject_of,
)
from anonymizer.engine.keys import Key
from anonymizer.engine.memo import Memory
from anonymizer.engine.outcome import Held, HoldError, Identity, Part, Released
from anonymizer.engine.parse import Buffer, Syntax
from anonymizer.engine.profile import RETAIN_UIDS, Profile
from anonymizer.engine.pseudonyms import Pseudonyms
from anonymizer.engine.rules import Rules
from anonymizer.engine.scan import UnusualError
from anonymizer.engine.source import Source, opened
from anonymizer.engine.text import encodings_of
from anonymizer.engine.types import place_of
from anonymizer.errors import ProfileError

_SOP_CLASS = 0x00080016
_SOP_INSTANCE = 0x00080018
_STUDY = 0x0020000D
_SERIES = 0x0020000E
_STUDY_DATE = 0x00080020
_MODALITY = 0x00080060
_PATIENT_NAME = 0x00100010


class Top(NamedTuple):
    """The values of a data set that decide how all others are answered, as they stand in the source."""

    syntax: Syntax
    sop_class: str
    study: str
    character_set: bytes
    patient_id: bytes
    issuer: bytes
    longitudinal: str
    method_codes: tuple[str, ...]
    creators: tuple[tuple[int, bytes], ...]
    luts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """What all data sets with the same :class:`Top` share: their context, and what the engine says itself."""

    context: Context
    own: dict[int, bytes]
    patient_id: str
    study_instance_uid: str


class Anonymizer:
    """Anonymize instances, one by one, in any order, in as many processes as you like.

    The same bytes, key, project and profile always give the same bytes.

    Parameters
    ----------
    key : Key
        The site's secret.
    project : str
        The purpose for which the data leaves.
    profile : Profile
        Which options of PS3.15 hold.
    patient_id_prefix : str
        Stands before the code in PatientID.
    default_issuer : str
        Issuer of patient IDs that come without one.
    remember : bool
        Remember answers from instance to instance, which is faster and changes nothing else.

    Attributes
    ----------
    profile, pseudonyms, default_issuer
        What decides what comes out.

    Raises
    ------
    ProfileError
        When the project has no name, or the prefix makes no valid PatientID.

    Examples
    --------
    >>> from anonymizer import Anonymizer, Key, load_profile
    >>> anonymizer = Anonymizer(Key(bytes(range(32))), "demo", load_profile("research"))
    >>> anonymizer.anonymize(b"no DICOM file").reason.code
    'not-dicom'
    """

    def __init__(
        self,
        key: Key,
        project: str,
        profile: Profile,
        *,
        patient_id_prefix: str = "DEID-",
        default_issuer: str = "",
        remember: bool = True,
    ) -> None:
        if not project.strip():
            raise ProfileError("project: a purpose without a name cannot be told from another")
        self.profile = profile
        self.pseudonyms = Pseudonyms(key, project, patient_id_prefix=patient_id_prefix)
        self._rules = Rules(profile)
        self.default_issuer = default_issuer
        self._memory: Memory[Top, Whole] = Memory()
        self._remember = remember

    def anonymize(self, data: Buffer) -> Released | Held:
        """Return the anonymous twin of an instance, or why there is none.

        Parameters
        ----------
        data : bytes-like
            A DICOM file (PS3.10), whole; a large one may be mapped into memory.

        Notes
        -----
        Nothing that goes wrong keeps a value: whatever is not answered holds the instance.
        """
        if self._remember:
            try:
                result = self._answered(data, self._memory)
            except UnusualError:
                return self._answered(data, None)
            if isinstance(result, Released):
                return result
            # Why it is held is told by the slow way, which reads everything in order and so finds the first reason.
        return self._answered(data, None)

    def _answered(self, data: Buffer, memory: Memory[Top, Whole] | None) -> Released | Held:
        identity: Identity | None = None
        try:
            source = opened(data, self._rules, memory)
            whole = self._whole(source, memory)
            identity = self._identity(source, whole)
            source.check()
            return self._released(source, whole, identity)
        except UnusualError:
            raise
        except HoldError as hold:
            return Held(hold.reason, identity)
        except RecursionError:
            return Held(HoldError("too-deep", "items nest deeper than can be followed").reason, identity)
        except Exception as error:  # noqa: BLE001 - an unknown case holds the instance, whatever it is
            # The text of an unforeseen error can hold a value; its type and the line that failed cannot.
            last = extract_tb(error.__traceback__)[-1]
            what = f"the engine failed with {type(error).__name__} in {Path(last.filename).name}, line {last.lineno}"
            return Held(HoldError("engine-error", what).reason, identity)

    def _whole(self, source: Source, memory: Memory[Top, Whole] | None) -> Whole:
        top = Top(
            source.file.syntax,
            source.text(_SOP_CLASS),
            source.uid(_STUDY),
            source.value(SPECIFIC_CHARACTER_SET),
            source.value(PATIENT_ID),
            source.value(ISSUER),
            source.text(markers.LONGITUDINAL),
            source.method_codes(),
            source.creators(),
            tuple([source.value(tag) for tag in LUT_DESCRIPTORS]),
        )
        # The slow way remembers nothing from instance to instance: nobody counts what it would keep.
        return self._made(top) if memory is None else memory.top(top, lambda: self._made(top, memory.take))

    def _made(self, top: Top, count: Callable[[int], None] = lambda _octets: None) -> Whole:
        encodings = encodings_of(top.character_set)
        subject = subject_of(top.patient_id, top.issuer, top.study, encodings, default_issuer=self.default_issuer)
        modified = markers.longitudinal(self.profile, top.longitudinal)
        context = Context(
            rules=self._rules,
            pseudonyms=self.pseudonyms,
            subject=subject,
            days=self.pseudonyms.date_shift(subject),
            study_instance_uid=top.study,
            sop_class=top.sop_class,
            default_issuer=self.default_issuer,
            encodings=encodings,
            moves_dates=modified == "MODIFIED" and self.profile.moves_dates,
            keeps_dates=self.profile.keeps_dates and modified != "REMOVED",
            place=place_of(top.sop_class),
            blocks=blocks_from(top.creators),
            luts=luts_from(top.luts, little_endian=top.syntax.little_endian),
            little_endian=top.syntax.little_endian,
            count=count,
        )
        patient_id = self.pseudonyms.patient_id(subject)
        own = markers.markers(
            self._rules.claims,
            modified,
            top.method_codes,
            top.syntax,
            devices_without_dates=self._rules.moves_devices,
        )
        for tag, vr, text in (
            (_PATIENT_NAME, "PN", self.pseudonyms.patient_name(subject)),
            (PATIENT_ID, "LO", patient_id),
        ):
            own[tag] = encode.element(tag, vr, text.encode("ascii"), top.syntax)
        return Whole(context, own, patient_id, self.uid(top.study))

    @property
    def retains_uids(self) -> bool:
        """Tell whether outputs have the UIDs of their sources."""
        return RETAIN_UIDS in self.profile.options

    def uid(self, uid: str) -> str:
        """Return what an output says for a UID: its pseudonym or, under Retain UIDs Option, the UID itself."""
        is_kept = self.retains_uids and values.is_uid(uid.encode("latin-1", "replace"))
        return uid if is_kept else self.pseudonyms.uid(uid)

    def _identity(self, source: Source, whole: Whole) -> Identity:
        modality = source.text(_MODALITY)
        sop_class = source.text(_SOP_CLASS)
        return Identity(
            patient_id=whole.patient_id,
            study_instance_uid=whole.study_instance_uid,
            series_instance_uid=self.uid(source.uid(_SERIES)),
            sop_instance_uid=self.uid(source.uid(_SOP_INSTANCE)),
            sop_class_uid=sop_class if sop_class in tables.REGISTERED_UIDS else "",
            # Read by people and by Prefect before the gate has seen it, so it is a defined term or nothing.
            modality=modality if modality in tables.kept().modalities else "",
        )

    @staticmethod
    def _released(source: Source, whole: Whole, identity: Identity) -> Released:
        head = source.answers(whole.context, whole.own)
        picture = pictures.parts(source.file, source.picture, source.text, source.number)
        written: dict[int, list[Part]] = {
            element.tag: [source.walk.element(element, whole.context)] for element in source.behind
        }
        written.update(picture)
        start = meta.new_meta(identity.sop_class_uid, identity.sop_instance_uid, source.file.transfer_syntax)
        study_date = values.treat(_STUDY_DATE, "DA", source.value(_STUDY_DATE), whole.context) or b""
        return Released(
            [start + head, *(part for tag in sorted(written) for part in written[tag] if len(part))],
            identity,
            study_date.decode("ascii").strip(),
        )
