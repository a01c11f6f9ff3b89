"""The secret of a site, and the file that it lives in."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
import unicodedata
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from anonymizer.errors import KeyFileError

_BYTES = 32
_VERSION = "1"


class Key:
    """32 secret bytes, from which every pseudonym of a site is derived.

    Parameters
    ----------
    secret : bytes
        32 bytes from a cryptographic source.

    Raises
    ------
    KeyFileError
        When `secret` is not 32 bytes long.
    """

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != _BYTES:
            raise KeyFileError(f"a key is {_BYTES} bytes long, this one is {len(secret)}")
        self._secret = secret

    def __repr__(self) -> str:
        return "Key(secret)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is never pickled: hand over the path of its file")

    @classmethod
    def load(cls, path: Path) -> Key:
        """Read a key file: 64 hexadecimal digits and a newline, readable by its owner alone.

        Raises
        ------
        KeyFileError
            When the file is missing, is no regular file, can be read by others or holds anything else.
        """
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read(_BYTES * 2 + 2)
        except OSError as error:
            advice = "`entwash keygen` makes one" if isinstance(error, FileNotFoundError) else "see its rights"
            raise KeyFileError(f"key file {path}: {error.strerror}; {advice}") from None
        if not stat.S_ISREG(mode):
            raise KeyFileError(f"key file {path} is not a regular file")
        if stat.S_IMODE(mode) & 0o077:
            raise KeyFileError(f"key file {path} can be read by others; run: chmod 600 {path}")
        if not re.fullmatch(rb"[0-9A-Fa-f]{64}\n?", text):
            raise KeyFileError(f"key file {path} does not hold 64 hexadecimal digits and a newline")
        return cls(bytes.fromhex(text.decode("ascii")))

    @classmethod
    def generate(cls, path: Path) -> Key:
        """Draw a new key and write its file with mode 0600; a file that is there stays as it is.

        The file appears whole or not at all: it is written beside and linked into place.

        Raises
        ------
        KeyFileError
            When the file exists or cannot be written.
        """
        if not path.name:
            raise KeyFileError(f"key file {path} is a folder; give the name of a file")
        secret = secrets.token_bytes(_BYTES)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    os.fchmod(file.fileno(), 0o600)
                    file.write(secret.hex().encode("ascii") + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                os.link(beside, path)  # unlike a rename, a link never replaces a key that is there
            finally:
                beside.unlink(missing_ok=True)
        except FileExistsError:
            raise KeyFileError(f"key file {path} exists; a key is never overwritten") from None
        except OSError as error:
            raise KeyFileError(f"key file {path} cannot be written: {error.strerror}") from None
        return cls(secret)

    def sub(self, project: str, purpose: str) -> bytes:
        """Derive the 32 bytes for one purpose of one project (RFC 5869, HKDF-SHA256, no salt)."""
        info = f"entwash/{_VERSION}/{project}/{purpose}".encode()
        return HKDF(algorithm=hashes.SHA256(), length=_BYTES, salt=None, info=info).derive(self._secret)

    def key_id(self, project: str) -> str:
        """Return 8 hexadecimal digits that name the key in records and say nothing about it."""
        return Mac(self, project)("key-id").hex()[:8]


class Mac:
    """Keyed function of a purpose and any number of texts: HMAC-SHA256 under the purpose's own key.

    Each text goes in as its length in four bytes, big-endian, and its UTF-8 in NFC, so that no two lists
    of texts give the same input.
    """

    __slots__ = ("_sub",)

    def __init__(self, key: Key, project: str) -> None:
        self._sub = lru_cache(maxsize=64)(lambda purpose: key.sub(project, purpose))

    def __repr__(self) -> str:
        return "Mac(secret)"

    def __call__(self, purpose: str, *texts: str) -> bytes:
        """Return the 32 bytes of `texts` for `purpose`."""
        message = b"".join(_part(text) for text in texts)
        return hmac.digest(self._sub(purpose), message, hashlib.sha256)


def _part(text: str) -> bytes:
    data = unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")
    return len(data).to_bytes(4, "big") + data
