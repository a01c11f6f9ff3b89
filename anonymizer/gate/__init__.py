"""The gate: nothing leaves unproven.

A second pair of eyes. It has no key and knows no rules; it reads source and output side by side and asks
whether the output could be that source without its patient, believing only what the output claims of itself.

    evidence = examiner.examine(source, output)      # one instance, anywhere; examine() for a single one
    gate.add(evidence)                               # all of them, in any order
    gate.search(output)                              # then every output once more
    gate.verdict()                                   # findings, references, counts

Identifying values never leave the process that examined them: findings name tags and rules only.

What is asked, and by which room:

    one instance, source beside output                  evidence.examine
    the study: what all instances show together         verdict.Gate, verdict.Verdict
    reading a file, and one side of a pair              reading, items, side
    what an element says, and what recurs says again    notes, looking
    how an element is looked at, by its tag and VR      uses
    what recurs over a series is read once              memory
    and compared once                                   forms, comparison
    one UID, one pseudonym                              uids
    references that resolved still do; pointers         references, pointers
    fits to what was loaded before                      earlier
    dates moved by one interval; no birth date          dates
    pixels and geometry are the source's                pixels, measures
    the output says nothing that its source does not    values, equality, meanings, colours
    still DICOM: order, lengths, VRs                    structure
    what a decoder uses of compressed frames            codestreams, segments
    by format                                           jpeg, scans, jpeg2000, boxes, rle
    fragments, frames and offset tables                 fragments
    what has to be gone whatever is claimed             leftovers
    what an output claims                               markers
    what identifies a patient, a site or a device       identifiers
    in which spellings it is searched for               spellings
    the search itself, and where it looks               search, stretches, locate
    words that may stand though somebody has the name   terms, makers
    how a finding is told                               findings.Finding
"""

from anonymizer.gate.earlier import Against, Earlier, Link, links_of
from anonymizer.gate.evidence import Evidence, Examiner, examine
from anonymizer.gate.findings import Finding, Reference
from anonymizer.gate.verdict import Gate, Verdict

__all__ = [
    "Against",
    "Earlier",
    "Evidence",
    "Examiner",
    "Finding",
    "Gate",
    "Link",
    "Reference",
    "Verdict",
    "examine",
    "links_of",
]
