"""Condense the attribute Types of PS3.3 into ``anonymizer/tables/types.json``.

::

    python -m tests.condense_types SOURCE_FOLDER

The source is what highdicom (MIT) keeps of PS3.3: for each module the Types of the attributes of PS3.15 Table E.1-1,
for each IOD its modules, for each SOP class its IOD. What is taken and what is left out:

- Attributes whose Basic code is a plain U are left out: a UID is replaced whatever its Type. A sequence in which
  nothing else of the table stands is left out too: inside it every answer is the same as where nothing is defined.
- Modules that only normalized services have are left out, and IODs without a SOP class: no file has them.
- A conditional Type is the Type itself, 1C is 1 and 2C is 2: whether a condition holds cannot always be told, and an
  attribute too many is valid where one too few is not.
- What stands in many places of the standard, a macro, is written once and named.
- Content Sequence, which the source cuts after a level or two, leads back to the content item (PS3.3 C.17.3.2).

The source is older than the table: what entered the standard after it is not defined here, so that X and D alike
remove it, which keeps nothing more and can cost a requirement. So it is with the modules of waveform presentation
states and with Frame Origin Timestamp (0034,0007), which stands in real-time communication (PS3.22) and in no file.
Of the rest, all X, what stands in Patient Study matters where an option keeps the sequence around it: ``ADDED``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydicom.datadict import keyword_for_tag

from anonymizer.engine.tables import confidentiality_rows

TARGET: Final = Path(__file__).parents[1] / "anonymizer/tables/types.json"
TYPES_BY_MODULE: Final = "types_for_E_1-1_by_module_highdicom.json"
MODULES_BY_IOD: Final = "iod_module_map.json"
IOD_BY_SOP_CLASS: Final = "sop_class_iod_map.json"
LICENCE: Final = "LICENSE-MIT"

Tree: TypeAlias = dict[str, Any]
"""What a data set or an item holds: ``Keyword`` to its Type; ``Keyword/`` to a tree or to the name of a macro.

``(gggg,eeee)`` stands for an attribute whose keyword the dictionary does not know.
"""

# The source says "None" in modules of normalized services, where the service decides; a module of a file that came
# with one would stop this program.
TYPES: Final = {"1": "1", "1C": "1", "2": "2", "2C": "2", "3": "3"}

GROUPS: Final = "functional-groups"
CONTENT: Final = "document-content"

# Macros of PS3.3, each with a module and a path where the source spells it out; one can hold those before it.
MACROS: Final = {
    "code": ("general-series", "SeriesDescriptionCodeSequence"),
    "content-item": ("specimen", "SpecimenDescriptionSequence/SpecimenLocalizationContentItemSequence"),
    "content-item-with-modifiers": ("acquisition-context", "AcquisitionContextSequence"),
    "person": ("general-study", "ReferringPhysicianIdentificationSequence"),
    "instance-references": ("key-object-document", "CurrentRequestedProcedureEvidenceSequence"),
    "derivation-image": (f"enhanced-ct-image-{GROUPS}", "DerivationImageSequence"),
    "frame-anatomy": (f"enhanced-ct-image-{GROUPS}", "FrameAnatomySequence"),
    CONTENT: ("sr-document-content", ""),
}

# Retired SOP classes whose instances archives still hold, each with the IOD that took the place of its own. PS3.3 no
# longer has the IODs of the other retired ones, and nothing plainly took their place: unknown.
RETIRED: Final = {
    "1.2.840.10008.5.1.4.1.1.3": "ultrasound-multi-frame-image",
    "1.2.840.10008.5.1.4.1.1.5": "nuclear-medicine-image",
    "1.2.840.10008.5.1.4.1.1.6": "ultrasound-image",
    "1.2.840.10008.5.1.4.1.1.12.3": "x-ray-angiographic-image",  # bi-plane: one of these for each plane
}

# Attributes that the source lacks, as trees (PS3.3 C.7.2.2). The dictionary has no keyword for them yet.
ADDED: Final[dict[str, Tree]] = {
    "patient-study": {
        "(0010,0043)": "3",  # Sex Parameters for Clinical Use Category Sequence; K under Retain Patient Characteristics
        "(0010,0043)/": {
            "(0010,0046)": "1",  # its Code Sequence
            "(0010,0046)/": "code",
            "(0010,0042)": "2",  # its Comment, 2C
            "(0010,0047)": "2",  # its Reference, 2C
        },
    },
}

# A module that the source has and does not link: the functional groups of the one sparse multi-frame IOD (PS3.3 A.86).
ALSO: Final = {"enhanced-continuous-rt-image": "enhanced-continuous-rt-image-multi-frame-functional-groups"}


def condense(folder: Path) -> str:
    """Return the text of ``types.json`` for the source in a folder."""
    types, modules_of, iod_of = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in (TYPES_BY_MODULE, MODULES_BY_IOD, IOD_BY_SOP_CLASS)
    )
    iod_of |= RETIRED
    iods = {iod: [module["key"] for module in modules_of[iod]] for iod in iod_of.values()}
    for iod, module in ALSO.items():
        iods[iod].append(module)
    used = {module for modules in iods.values() for module in modules} & set(types)
    modules = {module: tree for module in used if (tree := tree_of(types[module]) | ADDED.get(module, {}))}
    close_content(modules)
    groups = share_functional_groups(modules)
    macros, names = named_macros(modules | groups)
    sections = {
        "macros": macros | {name: named(tree, names) for name, tree in groups.items()},
        "modules": {module: named(tree, names, whole=True) for module, tree in modules.items()},
        "iods": {iod: [module for module in every if module in modules] for iod, every in iods.items()},
        "sop_classes": iod_of,
    }
    return written((folder / LICENCE).read_text(encoding="utf-8"), sections)


def tree_of(types: dict[str, str]) -> Tree:
    """Return as a tree what the source lists by path."""
    tree: Tree = {}
    for path, value in types.items():
        *sequences, keyword = path.split("/")
        if keyword not in replaced():
            at = tree
            for sequence in sequences:
                at = at.setdefault(f"{sequence}/", {})
            at[keyword] = TYPES[value]
    return tree


@cache
def replaced() -> frozenset[str]:
    """Return the keywords of the attributes that Table E.1-1 codes U."""
    tags = (row.tag.strip("()").replace(",", "") for row in confidentiality_rows() if row.basic == "U")
    return frozenset(keyword_for_tag(int(tag, 16)) for tag in tags)


def close_content(modules: dict[str, Tree]) -> None:
    """Lead every Content Sequence back to the content item, of which the source shows a part only.

    The root of a document holds the Document Content and the Document Relationship macros, and so does every item of
    the Content Sequence that is in the latter (PS3.3 C.17.3).
    """
    content = modules["sr-document-content"]
    for module in (content, modules["encapsulated-document"]):
        item = module["ContentSequence/"]
        if different := [key for key, value in item.items() if key != "ContentSequence/" and value != content[key]]:
            raise ValueError(f"the source's content items differ in {different}")
        module["ContentSequence/"] = CONTENT


def share_functional_groups(modules: dict[str, Tree]) -> dict[str, Tree]:
    """Take the functional groups out of the modules, for each can stand in either sequence (PS3.3 C.7.6.16)."""
    groups: dict[str, Tree] = {}
    for module, tree in modules.items():
        if shared := tree.get("SharedFunctionalGroupsSequence/"):
            if shared != tree["PerFrameFunctionalGroupsSequence/"]:
                raise ValueError(f"the source's shared and per-frame groups differ in {module}")
            name = module.replace("multi-frame-functional-groups", GROUPS)
            tree["SharedFunctionalGroupsSequence/"] = tree["PerFrameFunctionalGroupsSequence/"] = name
            groups[name] = shared
    return groups


def named_macros(trees: dict[str, Tree]) -> tuple[dict[str, Tree], dict[str, str]]:
    """Return the macros by name, and their names by what they hold."""
    macros: dict[str, Tree] = {}
    names: dict[str, str] = {}
    for name, (start, path) in MACROS.items():
        tree = trees[start]
        for sequence in filter(None, path.split("/")):
            tree = tree[f"{sequence}/"]
        macros[name] = named(tree, names)
        names[line(macros[name])] = name
    return macros, names


def named(tree: Tree, names: dict[str, str], *, whole: bool = False) -> Any:
    """Return a tree with names in the place of macros; only the name where the whole tree is one."""
    result = {key: named(value, names, whole=True) if isinstance(value, dict) else value for key, value in tree.items()}
    return names.get(line(result), result) if whole else result


def line(value: Any) -> str:
    """Return anything as one line, always the same."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def written(licence: str, sections: dict[str, dict[str, Any]]) -> str:
    """Return the file's text, a module or a macro a line."""
    about = {
        "table": "Attribute Types of PS3.3 for the attributes of PS3.15 Table E.1-1, by module",
        "acknowledgement": "DICOM PS3.3, © NEMA; condensed from highdicom, whose licence follows",
        "licence": licence.splitlines(),
    }
    parts = [f"{line(key)}: {line(value)}" for key, value in about.items()]
    for name, section in sections.items():
        inside = ",\n".join(f"  {line(key)}: {line(section[key])}" for key in sorted(section))
        parts.append(f"{line(name)}: {{\n{inside}\n }}")
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def main(folder: Path) -> None:
    """Write the table and print its digest, which ``anonymizer/engine/types.py`` asks for."""
    text = condense(folder)
    TARGET.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{hashlib.sha256(text.encode()).hexdigest()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
