"""The engine: the bytes of one instance in, the bytes of its anonymous twin and a report out."""

from __future__ import annotations

import hashlib

from anonymizer.engine import markers, meta, objects, values
from anonymizer.engine.context import Context
from anonymizer.engine.keys import Key
from anonymizer.engine.outcome import Held, HoldError, Reason, Released, Report
from anonymizer.engine.parse import Element, parse
from anonymizer.engine.profile import Profile
from anonymizer.engine.pseudonyms import Pseudonyms
from anonymizer.engine.rules import Rules
from anonymizer.engine.text import encodings_of
from anonymizer.engine.walk import SPECIFIC_CHARACTER_SET, Walk

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
_PIXEL_DATA = 0x7FE00010
_CODE_VALUE = 0x00080100


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
        try:
            return self._anonymize(data)
        except HoldError as hold:
            return Held(hold.reason)
        except RecursionError:
            return Held(Reason("too-deep", "", "items nest deeper than can be followed"))
        except Exception as error:  # noqa: BLE001 - an unknown case holds the instance, whatever it is
            # The text of an unforeseen error can hold a value; its type cannot.
            return Held(Reason("engine-error", "", f"the engine failed with {type(error).__name__}; report it"))

    def _anonymize(self, data: bytes) -> Released:
        file = meta.open_file(data)
        elements = parse(file.data, file.start, len(file.data), file.syntax)
        walk = Walk(file.data, file.syntax)
        source = _Source(file.data, elements, walk, file.syntax.little_endian)
        objects.check_sop_class(source.text(_SOP_CLASS) or file.sop_class)
        sop_class = source.uid(_SOP_CLASS)
        if file.sop_class not in {"", sop_class}:
            raise HoldError("sop-class-mismatch", "the file meta names another SOP class", tag=_SOP_CLASS, vr="UI")
        objects.check_burned_in(source.value)
        objects.check_overlays(source.value, source.number)
        source.check_pixels()

        context = self._context(source)
        modified = markers.longitudinal(self.profile, source.text(markers.LONGITUDINAL))
        own = {
            **markers.markers(self.profile, modified, source.method_codes(), file.syntax),
            _PATIENT_NAME: ("PN", self.pseudonyms.patient_name(context.subject).encode("ascii")),
            _PATIENT_ID: ("LO", self.pseudonyms.patient_id(context.subject).encode("utf-8")),
        }
        context = context.inside(moves_dates=modified == "MODIFIED")
        sop_instance = self.pseudonyms.uid(source.uid(_SOP_INSTANCE))
        output = b"".join(
            [
                meta.new_meta(sop_class, sop_instance, file.transfer_syntax),
                *walk.data_set(elements, context, own),
            ]
        )
        return Released(output, self._report(output, source, context, sop_class, sop_instance))

    def _context(self, source: _Source) -> Context:
        encodings = encodings_of(source.value(SPECIFIC_CHARACTER_SET))
        study = source.uid(_STUDY)
        subject = values.subject_of(
            source.value(_PATIENT_ID), source.value(_ISSUER), study, encodings, self._default_issuer
        )
        return Context(
            rules=self._rules,
            pseudonyms=self.pseudonyms,
            subject=subject,
            study_instance_uid=study,
            default_issuer=self._default_issuer,
            encodings=encodings,
            moves_dates=True,
        )

    def _report(self, output: bytes, source: _Source, context: Context, sop_class: str, sop_instance: str) -> Report:
        study_date = values.treat(_STUDY_DATE, "DA", source.value(_STUDY_DATE), context) or b""
        modality = values.treat(_MODALITY, "CS", source.value(_MODALITY), context) or b""
        return Report(
            patient_id=self.pseudonyms.patient_id(context.subject),
            study_instance_uid=self.pseudonyms.uid(source.uid(_STUDY)),
            series_instance_uid=self.pseudonyms.uid(source.uid(_SERIES)),
            sop_instance_uid=sop_instance,
            sop_class_uid=sop_class,
            modality=modality.decode("ascii").strip(),
            study_date=study_date.decode("ascii").strip(),
            size=len(output),
            sha256=hashlib.sha256(output).hexdigest(),
            md5=hashlib.md5(output, usedforsecurity=False).hexdigest(),
        )


class _Source:
    """Questions to the top level of a source's data set."""

    def __init__(self, data: bytes, elements: list[Element], walk: Walk, little_endian: bool) -> None:
        self._data = data
        self._elements = {element.tag: element for element in elements}
        self._walk = walk
        self._order: str = "little" if little_endian else "big"

    def value(self, tag: int) -> bytes:
        element = self._elements.get(tag)
        if element is None or element.items is not None:
            return b""
        return self._data[element.start : element.stop]

    def text(self, tag: int) -> str:
        return self.value(tag).decode("latin-1").strip("\0 ")

    def number(self, tag: int) -> int | None:
        """Return a US value."""
        value = self.value(tag)
        if len(value) != 2:
            return None
        return int.from_bytes(value, "little" if self._order == "little" else "big")

    def uid(self, tag: int) -> str:
        """Return a UID that an instance must have (Type 1 in PS3.3 C.12.1, C.7.2.1, C.7.3.1)."""
        uid = self.text(tag)
        if not uid or "\\" in uid:
            raise HoldError("uid-missing", "every instance needs exactly one", tag=tag, vr="UI")
        return uid

    def method_codes(self) -> list[str]:
        """Return the de-identification methods that the source claims already."""
        element = self._elements.get(markers.METHOD_CODES)
        items = element.items or [] if element else []
        return [self._walk.value(item, _CODE_VALUE).decode("latin-1").strip("\0 ") for item in items]

    def check_pixels(self) -> None:
        element = self._elements.get(_PIXEL_DATA)
        if element and not element.fragments:
            frames = self.text(_FRAMES)
            objects.check_pixel_length(
                element.stop - element.start, self.number, int(frames) if frames.isdigit() else 1
            )
