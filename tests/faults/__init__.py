"""Faults that the gate has to see: clean outputs of the engine, broken in every way that anybody thought of.

`python -m tests.faults > docs/faults.md` writes the page; tests/test_faults.py holds it to the program.
"""
