"""Prefect flows and what they need: Orthanc, sites, ledger and lineage, and the `entwash` command."""

import logging
import warnings

# pydicom's warnings and log lines quote values, and whoever runs a flow keeps what it prints.
warnings.filterwarnings("ignore", module=r"pydicom\.")
logging.getLogger("pydicom").setLevel(logging.CRITICAL)
