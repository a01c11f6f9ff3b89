"""How many instances a second the engine anonymizes, beside others: ``python -m tests.bench_engine``.

Nothing here decides whether a change is good: a ratio is a measurement, not a test.
"""
