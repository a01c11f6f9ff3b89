"""The engine: the bytes of one instance in, the bytes of its anonymous twin and a report out."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

from pydicom.uid import UID, MediaStorageDirectoryStorage, RTDoseStorage

from anonymizer.engine import markers, meta, objects, tables, values
from anonymizer.engine.context import Context
from anonymizer.engine.keys import Key
from anonymizer.engine.outcome import Held, HoldError, Identity, Released, Report
from anonymizer.engine.parse import parse
from anonymizer.engine.profile import Profile
from anonymizer.engine.pseudonyms import Pseudonyms
from anonymizer.engine.rules import Rules
from anonymizer.engine.text import encodings_of
from anonymizer.engine.walk import SPECIFIC_CHARACTER_SET, Walk, reading_vr
from anonymizer.errors import ProfileError

_SOP_CLASS = 0x00080016
_SOP_INSTANCE = 0x00080018
_STUDY = 0x0020000D
_SERIES = 0x0020000E
_STUDY_DATE = 0x00080020
_MODALITY = 0x00080060
_PATIENT_NAME = 0x00100010
_PATIENT_ID = 0x00100020
_ISSUER = 0x00100021
_FRAMES = 0x00280008
_ROWS = 0x00280010
_PIXEL_DATA = 0x7FE00010
_PHOTOMETRIC = 0x00280004
_PICTURES = {0x7FE00008: 32, 0x7FE00009: 64, 0x7FE00010: None}  # bits of a sample, where the tag tells them
_CODE_VALUE = 0x00080100
# A dose may be a curve of points instead of a picture (PS3.3 C.8.8.3).
_WITHOUT_PIXELS = frozenset({str(RTDoseStorage)})


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
    ) -> None:
        if not project.strip():
            raise ProfileError("project: a purpose without a name cannot be told from another")
        self.profile = profile
        self.pseudonyms = Pseudonyms(key, project, patient_id_prefix=patient_id_prefix)
        self._rules = Rules(profile)
        self._default_issuer = default_issuer

    def anonymize(self, data: bytes) -> Released | Held:
        """Return the anonymous twin of an instance, or why there is none.

        Parameters
        ----------
        data : bytes
            A DICOM file (PS3.10), whole.

        Notes
        -----
        Nothing that goes wrong keeps a value: whatever is not answered holds the instance.
        """
        identity: Identity | None = None
        try:
            source = _Source(data)
            context = self._context(source)
            identity = self._identity(source, context)
            source.check()
            return self._released(source, context, identity)
        except HoldError as hold:
            return Held(hold.reason, identity)
        except RecursionError:
            return Held(HoldError("too-deep", "items nest deeper than can be followed").reason, identity)
        except Exception as error:  # noqa: BLE001 - an unknown case holds the instance, whatever it is
            # The text of an unforeseen error can hold a value; its type cannot.
            return Held(HoldError("engine-error", f"the engine failed with {type(error).__name__}").reason, identity)

    def _context(self, source: _Source) -> Context:
        encodings = encodings_of(source.value(SPECIFIC_CHARACTER_SET))
        study = source.uid(_STUDY)
        subject = values.subject_of(
            source.value(_PATIENT_ID), source.value(_ISSUER), study, encodings, self._default_issuer
        )
        claimed = source.text(markers.LONGITUDINAL)
        return Context(
            rules=self._rules,
            pseudonyms=self.pseudonyms,
            subject=subject,
            study_instance_uid=study,
            default_issuer=self._default_issuer,
            encodings=encodings,
            moves_dates=markers.longitudinal(self.profile, claimed) == "MODIFIED",
        )

    def _identity(self, source: _Source, context: Context) -> Identity:
        modality = source.text(_MODALITY)
        sop_class = source.text(_SOP_CLASS)
        return Identity(
            patient_id=self.pseudonyms.patient_id(context.subject),
            study_instance_uid=self.pseudonyms.uid(source.uid(_STUDY)),
            series_instance_uid=self.pseudonyms.uid(source.uid(_SERIES)),
            sop_instance_uid=self.pseudonyms.uid(source.uid(_SOP_INSTANCE)),
            sop_class_uid=sop_class if sop_class in tables.REGISTERED_UIDS else "",
            # Read by people and by Prefect before the gate has seen it, so it is a defined term or nothing.
            modality=modality if modality in tables.kept().modalities else "",
        )

    def _released(self, source: _Source, context: Context, identity: Identity) -> Released:
        file = source.file
        modified = markers.longitudinal(self.profile, source.text(markers.LONGITUDINAL))
        own = {
            **markers.markers(self.profile, modified, source.method_codes(), file.syntax),
            _PATIENT_NAME: ("PN", self.pseudonyms.patient_name(context.subject).encode("ascii")),
            _PATIENT_ID: ("LO", self.pseudonyms.patient_id(context.subject).encode("utf-8")),
        }
        output = b"".join(
            [
                meta.new_meta(identity.sop_class_uid, identity.sop_instance_uid, file.transfer_syntax),
                *source.walk.data_set(source.elements, context, own),
            ]
        )
        study_date = values.treat(_STUDY_DATE, "DA", source.value(_STUDY_DATE), context) or b""
        report = Report(
            **asdict(identity),
            study_date=study_date.decode("ascii").strip(),
            size=len(output),
            sha256=hashlib.sha256(output).hexdigest(),
            md5=hashlib.md5(output, usedforsecurity=False).hexdigest(),
        )
        return Released(output, report)


class _Source:
    """An instance as it came, and questions to the top level of its data set."""

    def __init__(self, data: bytes) -> None:
        self.file = meta.open_file(data)
        self.elements = parse(self.file.data, self.file.start, len(self.file.data), self.file.syntax)
        self.walk = Walk(self.file.data, self.file.syntax)
        self._by_tag = {element.tag: element for element in self.elements}
        if self.file.sop_class == MediaStorageDirectoryStorage:
            objects.check_sop_class(self.file.sop_class)  # has none of an instance's own UIDs

    def value(self, tag: int) -> bytes:
        """Return the bytes of a value; none for what is not there or is a sequence."""
        element = self._by_tag.get(tag)
        if element is None or element.items is not None:
            return b""
        return self.file.data[element.start : element.stop]

    def text(self, tag: int) -> str:
        """Return a value of the default repertoire without its padding."""
        return self.value(tag).decode("latin-1").strip("\0 ")

    def number(self, tag: int) -> int | None:
        """Return a US value."""
        value = self.value(tag)
        if len(value) != 2:
            return None
        return int.from_bytes(value, "little" if self.file.syntax.little_endian else "big")

    def uid(self, tag: int) -> str:
        """Return a UID that an instance must have (Type 1 in PS3.3 C.12.1, C.7.2.1, C.7.3.1)."""
        uid = self.text(tag)
        if not uid or "\\" in uid:
            raise HoldError("uid-missing", "every instance needs exactly one", tag=tag, vr="UI")
        if reading_vr(tag, self._by_tag[tag].vr) != "UI":
            raise HoldError("uid-missing", "is there, but not as a UID", tag=tag, vr="UI")
        return uid

    def method_codes(self) -> list[str]:
        """Return the de-identification methods that the source claims already."""
        element = self._by_tag.get(markers.METHOD_CODES)
        items = element.items or [] if element else []
        return [self.walk.value(item, _CODE_VALUE).decode("latin-1").strip("\0 ") for item in items]

    def check(self) -> None:
        """Hold what is not to be treated at all."""
        sop_class = self.uid(_SOP_CLASS)
        if self.file.sop_class not in {"", sop_class}:
            raise HoldError("sop-class-mismatch", "the file meta names another SOP class", tag=_SOP_CLASS, vr="UI")
        objects.check_sop_class(sop_class)
        objects.check_burned_in(self.value)
        objects.check_overlays(self.value, self.number)
        frames = self.text(_FRAMES)
        frame_count = int(frames) if frames.isdecimal() else 1
        if self.value(_ROWS) and not any(tag in self._by_tag for tag in _PICTURES) and sop_class not in _WITHOUT_PIXELS:
            raise HoldError("pixel-data-missing", "is not there, though the picture has rows", tag=_PIXEL_DATA, vr="OW")
        for tag, bits in _PICTURES.items():
            pixels = self._by_tag.get(tag)
            if pixels and pixels.fragments and not UID(self.file.transfer_syntax).is_encapsulated:
                raise HoldError("length-wrong", "in fragments, in a transfer syntax without", tag=tag, vr="OB")
            if pixels and not pixels.fragments:
                objects.check_pixel_length(
                    tag, pixels.stop - pixels.start, self.number, frame_count, bits, self.text(_PHOTOMETRIC)
                )
