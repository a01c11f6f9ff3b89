"""Who works at what: one holder at a time, and none that is dead."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flows.errors import LedgerError
from flows.leases import Leases

HOLDER = (
    "import sys, time; from pathlib import Path; from flows.leases import Leases\n"
    "with Leases(Path(sys.argv[1]), 'north', lambda *of: '-'.join(of)).{how}('study') as taken:\n"
    "    print(taken, flush=True); time.sleep(60)"
)


def leases(folder: Path) -> Leases:
    return Leases(folder / "leases", "north", lambda *of: "-".join(of))


def holder(folder: Path, how: str = "take") -> subprocess.Popen[str]:
    """Start a process that holds a lease until it is killed."""
    program = [sys.executable, "-c", HOLDER.format(how=how), str(folder / "leases")]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    process.stdout.readline()
    return process


def test_one_lease_has_one_holder(tmp_path: Path) -> None:
    with leases(tmp_path).take("study") as first, leases(tmp_path).take("study") as second:
        assert (first, second) == (True, False)
        with leases(tmp_path).take("another") as other:
            assert other
    with leases(tmp_path).take("study") as again:
        assert again


def test_the_lease_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    process = holder(tmp_path)
    with leases(tmp_path).take("study") as taken:
        assert not taken
    process.kill()
    process.communicate()
    with leases(tmp_path).take("study") as taken:
        assert taken


def test_of_many_who_take_at_once_one_holds(tmp_path: Path) -> None:
    """They take and give back as fast as they can; a file that one removes is never held by another."""
    both, most, counts = threading.Lock(), [0, 0], []

    def work() -> None:
        for _ in range(300):
            with leases(tmp_path).take("study") as taken:
                if not taken:
                    continue
                with both:
                    most[0] += 1
                    most[1] = max(most)
                counts.append(1)
                with both:
                    most[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[1] == 1
    assert len(counts) > 8
    assert list((tmp_path / "leases").iterdir()) == []


def test_what_is_shared_shows_until_the_last_has_ended(tmp_path: Path) -> None:
    mine = leases(tmp_path)
    assert not mine.is_shared("live")
    with mine.share("live"):
        with leases(tmp_path).share("live"):
            assert mine.is_shared("live")
        assert mine.is_shared("live")
    assert not mine.is_shared("live")


def test_who_shared_and_was_killed_shares_no_more(tmp_path: Path) -> None:
    process = holder(tmp_path, "share")
    assert leases(tmp_path).is_shared("study")
    process.kill()
    process.communicate()
    assert not leases(tmp_path).is_shared("study")


def test_files_of_leases_are_called_as_the_caller_says(tmp_path: Path) -> None:
    with Leases(tmp_path, "north", lambda *of: "-".join(of)[::-1]).take("study"):
        assert [path.name for path in tmp_path.iterdir()] == ["yduts-htron"]


def test_sites_share_the_leases_of_studies_and_no_others(tmp_path: Path) -> None:
    north, south = (Leases(tmp_path, site, lambda *of: "-".join(of)) for site in ("north", "south"))
    ours = (north.study("one"), north.take("name"), north.share("shared"))
    with ours[0], ours[1], ours[2], south.study("one") as is_theirs_too, south.take("name") as is_apart:
        assert (is_theirs_too, is_apart, south.is_shared("shared")) == (False, True, False)


def test_a_folder_that_cannot_be_written_is_an_error_that_says_what_to_look_at(tmp_path: Path) -> None:
    (tmp_path / "leases").write_bytes(b"")
    with pytest.raises(LedgerError, match="owner and rights"), leases(tmp_path).take("study"):
        pass
    with pytest.raises(LedgerError, match="owner and rights"), leases(tmp_path).share("live"):
        pass


def test_a_process_that_is_started_meanwhile_does_not_inherit_a_lease(tmp_path: Path) -> None:
    with leases(tmp_path).take("study"):
        child = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        with leases(tmp_path).take("study") as taken:
            assert taken
        assert os.path.lexists(f"/proc/{child.pid}")
    finally:
        child.kill()
        child.wait()
