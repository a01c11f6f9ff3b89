"""Is an output as valid as its input was? dciodvfy is asked about both, and what it newly finds is counted.

`python -m tests.validity` does it for a corpus and for complete instances of every SOP class; docs/validity.md is what
it prints with `--markdown`.
"""
