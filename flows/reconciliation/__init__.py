"""Reconciliation: hospital, ledger and cloud are compared whole, and what may be mended alone is mended.

Nothing in the cloud is deleted or overwritten by it, and what was deleted at a hospital stays in the cloud.
"""
