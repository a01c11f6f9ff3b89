"""Which objects are treated at all, and what about their pixels holds them."""

from __future__ import annotations

from collections.abc import Callable

from anonymizer.engine import tables
from anonymizer.engine.outcome import HoldError

Value = Callable[[int], bytes]

_SOP_CLASS = 0x00080016
_IMAGE_TYPE = 0x00080008
_BURNED_IN_ANNOTATION = 0x00280301
_CONVERSION_TYPE = 0x00080064
_BITS_ALLOCATED = 0x00280100
_OVERLAY_BITS_ALLOCATED = 0x60000100
_OVERLAY_BIT_POSITION = 0x60000102
SUBSAMPLED = "YBR_FULL_422"
"""The Photometric Interpretation in which two of three samples are halved (PS3.3 C.7.6.3.1.2)."""
# In any component of Image Type, however a vendor spells them.
_SCREENS = (b"SCREEN", b"CAPTURE", b"DOSE_INFO", b"REPORT")


def check_sop_class(sop_class_uid: str) -> None:
    """Hold an instance whose SOP class the engine does not treat (``sop_classes.toml``)."""
    classes = tables.sop_classes()
    if sop_class_uid in classes.treated:
        return
    code, message = classes.held.get(
        sop_class_uid, ("sop-class-not-treated", "there are no rules for objects of this SOP class yet")
    )
    if sop_class_uid in tables.REGISTERED_UIDS:
        message = f"{tables.REGISTERED_UIDS[sop_class_uid][0]}: {message}"
    raise HoldError(code, message, tag=_SOP_CLASS, vr="UI")


def check_burned_in(value: Value) -> None:
    """Hold a picture that says that names stand in it, or that it shows a screen.

    A NO is no proof; the SOP classes that usually carry writing are held whatever they say.
    """
    if value(_BURNED_IN_ANNOTATION).strip(b"\0 ").upper() not in {b"", b"NO"}:
        raise HoldError("burned-in-risk", "does not say NO", tag=_BURNED_IN_ANNOTATION, vr="CS")
    if any(word in value(_IMAGE_TYPE).upper() for word in _SCREENS):
        raise HoldError("burned-in-risk", "says that the picture shows a screen", tag=_IMAGE_TYPE, vr="CS")
    if value(_CONVERSION_TYPE).strip(b"\0 ").upper() == b"WSD":
        raise HoldError("burned-in-risk", "says that a workstation drew it", tag=_CONVERSION_TYPE, vr="CS")


def check_overlays(value: Value, number: Callable[[int], int | None]) -> None:
    """Hold a picture with an overlay inside its pixels: removing the group would leave it there.

    Before 2004 an overlay could stand in the unused high bits of Pixel Data (PS3.3 C.9.2, retired): the
    group then has a Bit Position and no Overlay Data.
    """
    for group in range(0, 0x20, 2):
        here = group << 16
        embedded = any(
            value(tag + here) and number(tag + here) != usual
            for tag, usual in ((_OVERLAY_BITS_ALLOCATED, 1), (_OVERLAY_BIT_POSITION, 0))
        )
        if embedded:
            raise HoldError(
                "overlay-in-pixels",
                "an overlay stands in the high bits of the pixels",
                tag=_OVERLAY_BIT_POSITION + here,
                vr="US",
            )


def check_pixel_length(
    tag: int, length: int, number: Callable[[int], int | None], frames: int, bits: int | None, photometric: str
) -> None:
    """Hold native pixels with more or fewer bytes than the picture has: text can stand behind it.

    Parameters
    ----------
    length : int
        Octets of the value, its padding included.
    number : callable
        Gives a US value by its tag.
    bits : int or None
        Of a sample, where the tag tells it.
    photometric : str
        Photometric Interpretation; of one that is subsampled the halved length is right and no other, since nobody
        could tell pixels from what stands in the last third of the full one.
    """
    rows, columns = number(0x00280010), number(0x00280011)
    samples, bits = number(0x00280002) or 1, bits or number(_BITS_ALLOCATED)
    is_subsampled = photometric == SUBSAMPLED
    if not (rows and columns and bits) or (is_subsampled and samples != 3):
        raise HoldError("pixel-data-unmeasured", "nobody can tell how many bytes the picture has", tag=tag, vr="OW")
    octets = (rows * columns * (2 if is_subsampled else samples) * frames * bits + 7) // 8
    if length in {octets, octets + octets % 2}:
        return
    if length > octets:
        raise HoldError("pixel-data-longer", "has more bytes than its picture", tag=tag, vr="OW")
    raise HoldError("pixel-data-shorter", "has fewer bytes than its picture", tag=tag, vr="OW")
