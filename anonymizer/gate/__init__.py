"""The gate: nothing leaves unproven.

A second pair of eyes. It has no key and knows no rules; it reads source and output side by side and asks
whether the output could be that source without its patient, believing only what the output claims of itself.

    evidence = examiner.examine(source, output)      # one instance, anywhere; examine() for a single one
    gate.add(evidence)                               # all of them, in any order
    gate.search(output)                              # then every output once more
    gate.verdict()                                   # findings, references, counts

Identifying values never leave the process that examined them: findings name tags and rules only.
"""

from anonymizer.gate.evidence import Evidence, Examiner, examine
from anonymizer.gate.findings import Finding, Reference
from anonymizer.gate.verdict import Gate, Verdict

__all__ = ["Evidence", "Examiner", "Finding", "Gate", "Reference", "Verdict", "examine"]
