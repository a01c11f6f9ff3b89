"""Which objects, transfer syntaxes and concepts the engine knows, by name: asked of its own tables, or of itself."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from importlib.resources import files

from pydicom.uid import UID, CTImageStorage

from anonymizer.engine import codestreams, concepts, tables
from anonymizer.engine.meta import TOO_NEW, new_meta, open_file
from anonymizer.engine.outcome import HoldError
from anonymizer.engine.vocabulary import Vocabulary

# Names of PS3.6 Table A-1 that pydicom does not have yet.
_NEWER_SYNTAXES = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
_A_PICTURE = codestreams.Picture(1, 1, samples=1, bits_allocated=8, bits_stored=8, high_bit=7, signed=False)


def name_of(uid: str) -> str:
    """Return the name of a registered UID (PS3.6 Table A-1)."""
    return tables.REGISTERED_UIDS[uid][0] if uid in tables.REGISTERED_UIDS else _NEWER_SYNTAXES[uid]


def treated_classes() -> list[str]:
    """Return the SOP classes that are treated: UIDs, by their names."""
    return sorted(tables.sop_classes().treated, key=name_of)


def held_classes() -> dict[tuple[str, str], list[str]]:
    """Return the SOP classes that are held by name, by reason code and message."""
    by_reason: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for uid, reason in tables.sop_classes().held.items():
        by_reason[reason].append(uid)
    return {reason: sorted(uids, key=name_of) for reason, uids in sorted(by_reason.items())}


def transfer_syntaxes() -> tuple[list[str], list[str]]:
    """Return the transfer syntaxes of plain data sets, and those of compressed frames: UIDs in order."""
    known = {uid for uid, entry in tables.REGISTERED_UIDS.items() if entry[1] == "Transfer Syntax"} | TOO_NEW
    taken = sorted((uid for uid in known if _opens(uid)), key=lambda uid: [int(part) for part in uid.split(".")])
    framed = {uid for uid in taken if uid in TOO_NEW or UID(uid).is_encapsulated}
    return [uid for uid in taken if uid not in framed], [uid for uid in taken if uid in framed and _reads(uid)]


def _opens(uid: str) -> bool:
    try:
        open_file(new_meta(str(CTImageStorage), "1.2", uid))
    except HoldError as held:
        return held.reason.code != "transfer-syntax-not-treated"
    return True


def _reads(uid: str) -> bool:
    """Tell whether frames are looked into at all, by what is said of an empty one."""
    try:
        codestreams.clean(memoryview(b""), uid, _A_PICTURE)
    except HoldError as held:
        return held.reason.code != "codestream-not-treated"
    return True


def known_concepts(kind: str) -> list[tuple[str, str, str]]:
    """Return the concepts of ``content.toml``, either its events or its people: scheme, code and meaning.

    The meaning is empty where no dictionary that Entwash has gives one.
    """
    data = tomllib.loads(files("anonymizer").joinpath("tables", "content.toml").read_text(encoding="utf-8"))
    return [(scheme, code, _meaning(scheme, code)) for scheme, codes in data[kind].items() for code in codes]


def _meaning(scheme: str, code: str) -> str:
    meaning = concepts.meaning(scheme, code, "\N{HORIZONTAL ELLIPSIS}", Vocabulary())  # no text, so the dictionary's
    return "" if meaning == concepts.DUMMY else meaning
