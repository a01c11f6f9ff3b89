"""What this library raises.

::

    AnonymizerError
    ├── FolderError      a folder that is not there or cannot be written
    ├── KeyFileError     a key file that is missing, readable by others, malformed or already there
    ├── ProfileError     a profile that does not exist or says something that has no meaning
    └── TableError       a shipped table whose digest is not the one it was published with

A data set that cannot be treated is no exception: it is a :class:`~anonymizer.engine.outcome.Held` with its reason.
No message holds a value of a data set or a key.
"""

from __future__ import annotations

__all__ = ["AnonymizerError", "FolderError", "KeyFileError", "ProfileError", "TableError"]


class AnonymizerError(Exception):
    """Root of everything that this library raises on purpose."""


class FolderError(AnonymizerError):
    """A folder of files cannot be read or written."""


class KeyFileError(AnonymizerError):
    """A key file cannot be used or made."""


class ProfileError(AnonymizerError):
    """A profile cannot be used."""


class TableError(AnonymizerError):
    """A shipped table is not what it was when it was published."""
