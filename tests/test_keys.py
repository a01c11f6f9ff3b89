"""The key and its file: made once, read by one, never shown."""

from __future__ import annotations

import copy
import os
import pickle
import re
import resource
import stat
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from anonymizer import Key, KeyFileError, Pseudonyms
from tests import samples

DIGITS = "0123456789abcdef" * 4


@pytest.fixture(params=[0o000, 0o022, 0o777])
def any_umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let new files be for everybody, as a careless machine does, or for nobody."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def key_file(folder: Path, text: bytes = DIGITS.encode() + b"\n", mode: int = 0o600) -> Path:
    path = folder / "site.key"
    path.write_bytes(text)
    path.chmod(mode)
    return path


@pytest.mark.usefixtures("any_umask")
def test_a_new_key_is_64_digits_and_a_newline_that_only_its_owner_can_read(tmp_path: Path) -> None:
    path = tmp_path / "site.key"
    key = Key.generate(path)
    assert re.fullmatch(rb"[0-9a-f]{64}\n", path.read_bytes())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["site.key"]
    assert Key.load(path).key_id("demo") == key.key_id("demo")


def test_two_new_keys_differ(tmp_path: Path) -> None:
    one, other = Key.generate(tmp_path / "one"), Key.generate(tmp_path / "other")
    assert one.key_id("demo") != other.key_id("demo")
    assert (tmp_path / "one").read_bytes() != (tmp_path / "other").read_bytes()


def test_a_key_file_holds_the_bytes_that_it_spells(tmp_path: Path) -> None:
    loaded = Key.load(key_file(tmp_path))
    assert loaded.sub("p", "q") == Key(bytes.fromhex(DIGITS)).sub("p", "q")
    assert Key.load(key_file(tmp_path, DIGITS.upper().encode())).sub("p", "q") == loaded.sub("p", "q")


@pytest.mark.parametrize("there", [b"", b"mine\n", DIGITS.encode() + b"\n"])
def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, there: bytes) -> None:
    path = key_file(tmp_path, there)
    with pytest.raises(KeyFileError, match="exists; a key is never overwritten"):
        Key.generate(path)
    assert path.read_bytes() == there
    assert [one.name for one in tmp_path.iterdir()] == ["site.key"]


def test_a_link_to_nowhere_is_not_followed_when_a_key_is_made(tmp_path: Path) -> None:
    link = tmp_path / "site.key"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyFileError):
        Key.generate(link)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601, 0o610, 0o777])
def test_a_key_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KeyFileError, match="chmod 600"):
        Key.load(key_file(tmp_path, mode=mode))


def test_a_key_that_its_owner_cannot_even_write_is_fine(tmp_path: Path) -> None:
    assert Key.load(key_file(tmp_path, mode=0o400)).key_id("demo")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        DIGITS[:-1].encode() + b"\n",
        DIGITS.encode() + b"0\n",
        DIGITS.encode() + b"\n\n",
        DIGITS.encode() + b"\r\n",
        b" " + DIGITS.encode(),
        DIGITS[:-1].encode() + b"g\n",
        bytes(range(32)),
        DIGITS.encode("utf-16"),
        DIGITS.encode() * 1000,
    ],
)
def test_a_malformed_key_is_refused_without_being_shown(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(KeyFileError, match="64 hexadecimal digits and a newline") as refused:
        Key.load(key_file(tmp_path, text))
    assert DIGITS[:16] not in "".join(traceback.format_exception(refused.value))


def test_a_missing_key_is_refused_and_the_message_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="entwash keygen"):
        Key.load(tmp_path / "none.key")


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError):
        Key.load(tmp_path)


@pytest.mark.parametrize("where", [".", "/", "..", "none/site.key", "file/site.key", "", "x" * 300])
def test_a_key_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyFileError):
        Key.generate(Path(where))
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_no_key_and_no_half_of_one(tmp_path: Path) -> None:
    """The limit on a file's size fails a write as a full disk does, for root too."""
    path = tmp_path / "site.key"
    program = (
        "import resource, signal, sys; from pathlib import Path; from anonymizer import Key, KeyFileError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "try: Key.generate(Path(sys.argv[1]))\n"
        "except KeyFileError as error: print(error)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert "cannot be written" in ended.stdout
    assert ended.stderr == ""
    assert list(tmp_path.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 10


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(KeyFileError, match="32 bytes"):
        Key(bytes(length))


def test_nothing_that_can_be_printed_shows_the_key() -> None:
    key = Key(bytes.fromhex(DIGITS))
    pseudonyms = Pseudonyms(key, "demo")
    shown = f"{key!r} {key} {pseudonyms!r} {vars(pseudonyms)!r} {samples.anonymizer(secret=bytes.fromhex(DIGITS))!r}"
    assert DIGITS not in shown
    assert repr(bytes.fromhex(DIGITS))[2:-1] not in shown
    assert not hasattr(key, "__dict__")


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_goes_to_no_other_process_and_is_copied_nowhere(copied: object) -> None:
    with pytest.raises(TypeError, match="hand over the path of its file") as refused:
        copied(Key(bytes.fromhex(DIGITS)))  # type: ignore[operator]  # three functions of one argument
    assert DIGITS not in str(refused.value)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_what_holds_a_key_cannot_be_pickled_either(protocol: int) -> None:
    for holder in (samples.ENGINES["research"], samples.ENGINES["research"].pseudonyms):
        with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
            pickle.dumps(holder, protocol)


def test_the_key_id_says_nothing_about_the_key_and_differs_by_project() -> None:
    key = Key(bytes.fromhex(DIGITS))
    ids = {key.key_id(project) for project in ("", "demo", "other")}
    assert len(ids) == 3
    assert all(re.fullmatch("[0-9a-f]{8}", one) and one not in DIGITS * 2 for one in ids)
