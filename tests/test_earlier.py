"""Everything that was loaded before: what leaves now has to fit to it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from itertools import chain
from pathlib import Path

import duckdb
import pytest
from pydicom.dataset import Dataset, FileDataset

from anonymizer import Anonymizer, Key, Released, load_profile
from anonymizer.gate import Against, Evidence, Finding, Gate, Link, examine, links_of
from deployments.demo import studies
from flows.earlier import Before
from flows.ledger import links as links_module
from flows.ledger.book import Ledger
from flows.ledger.records import Link as Recorded
from tests.gate_samples import as_bytes, claim, ct, rewritten
from tests.ledgers import outcome


class Told:
    """An earlier that stands against what it is told."""

    def __init__(self, *, split: Collection[str] = (), merged: Collection[str] = ()) -> None:
        self.split, self.merged = split, merged

    def against(self, links: Collection[Link]) -> Against:
        return Against(
            split=[link for link in links if link.kind in self.split],
            merged=[link for link in links if link.kind in self.merged],
        )


def found(before: Told, source: FileDataset | None = None, output: FileDataset | None = None) -> set[tuple[str, str]]:
    """Return place and rule of what does not fit to what was loaded before."""
    source = source or ct()
    gate, data = Gate(before), as_bytes(output or rewritten(source))
    gate.add(examine(as_bytes(source), data))
    gate.search(data)
    return {(one.path, one.rule) for one in gate.verdict().findings if one.kind == "not-as-before"}


def test_what_fits_is_no_finding() -> None:
    assert found(Told()) == set()


def test_a_uid_with_another_pseudonym_before_is_seen_wherever_it_stands() -> None:
    rule = "the UID of the source has another pseudonym in what was loaded before"
    places = found(Told(split=["uid"]))
    assert places >= {("(0002,0003)", rule), ("(0020,000E)", rule), ("(0020,0052)", rule)}
    assert any("[1]." in place for place, _ in places)


def test_a_pseudonym_that_was_another_uids_before_is_seen() -> None:
    rule = "another UID of the source has this pseudonym in what was loaded before"
    assert ("(0020,0052)", rule) in found(Told(merged=["uid"]))


def test_a_patient_with_another_pseudonym_before_is_seen_and_so_is_one_with_anothers() -> None:
    assert found(Told(split=["patient"], merged=["patient"])) == {
        ("(0010,0020)", "the patient has another pseudonym in what was loaded before"),
        ("(0010,0020)", "another patient has this pseudonym in what was loaded before"),
    }


def test_dates_that_moved_otherwise_before_are_seen_and_may_move_as_anothers() -> None:
    rule = "dates of the patient moved by another interval in what was loaded before"
    assert {text for _, text in found(Told(split=["interval"], merged=["interval"]))} == {rule}


def test_true_dates_beside_moved_ones_of_before_are_seen() -> None:
    source = ct()
    output = rewritten(source)
    claim(output, "113106")
    assert links_of([examine(as_bytes(source), as_bytes(output))]) >= {
        Link("interval", ("", source.PatientID), "0"),
    }


def test_nobody_and_a_patient_id_of_nothing_link_no_studies() -> None:
    for nothing in ("", " ", "\\"):
        source = ct()
        source.PatientID = nothing
        assert not [
            link
            for link in links_of([examine(as_bytes(source), as_bytes(rewritten(source)))])
            if link.kind == "patient"
        ]


def test_a_link_shows_nothing_of_a_source() -> None:
    assert repr(Link("uid", ("1.2.3",), "2.25.4")) == "Link(uid)"


# With the ledger


class Site:
    """A site that remembers what it loads."""

    def __init__(
        self,
        folder: Path,
        project: str = "lung",
        *,
        profile: str | Path = "research",
        patient_id_prefix: str = "DEID-",
        default_issuer: str = "",
        name: str = "north",
    ) -> None:
        key = folder / "key"
        if not key.exists():
            Key.generate(key)
        self.anonymizer = Anonymizer(
            Key.load(key),
            project,
            load_profile(profile),
            patient_id_prefix=patient_id_prefix,
            default_issuer=default_issuer,
        )
        self.ledger = Ledger(folder / "lineage")
        self.before = Before(self.anonymizer, self.ledger, name)

    def evidence(self, datasets: Sequence[Dataset]) -> list[Evidence]:
        found = []
        for dataset in datasets:
            source = studies.to_bytes(dataset)
            result = self.anonymizer.anonymize(source)
            assert isinstance(result, Released), result
            found.append(examine(source, result.data))
        return found

    def load(self, datasets: Sequence[Dataset]) -> list[Finding]:
        """Load a study as the flow does, and return what does not fit."""
        gate, evidence = Gate(self.before), self.evidence(datasets)
        for one in evidence:
            gate.add(one)
        findings = [one for one in gate.verdict().findings if one.kind == "not-as-before"]
        if not findings:
            self.ledger.record(outcome(1, links=self.before.records_of(evidence)))
        return findings


def first() -> list[Dataset]:
    return studies.ct(1, 1, 1, 2, rows=16)


def second() -> list[Dataset]:
    """The same patient at the next visit."""
    return studies.ct(1, 2, 1, 2, rows=16)


def rules(findings: Sequence[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


def test_the_same_study_and_the_next_visit_fit(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert site.load(first()) == site.load(first()) == site.load(second()) == []
    assert Site(tmp_path).load(second()) == []


def test_another_prefix_makes_two_patients_of_one(tmp_path: Path) -> None:
    assert Site(tmp_path).load(first()) == []
    assert rules(Site(tmp_path, patient_id_prefix="LUNG-").load(second())) == {
        "the patient has another pseudonym in what was loaded before"
    }


def test_another_default_issuer_makes_two_patients_of_one_whose_issuer_is_not_named(tmp_path: Path) -> None:
    images = [first(), second(), studies.ct(1, 3, 1, 2, rows=16)]
    for one in chain(*images):
        del one.IssuerOfPatientID
    assert Site(tmp_path).load(images[0]) == []
    assert rules(Site(tmp_path, default_issuer="NORTH").load(images[1])) == {
        "the patient has another pseudonym in what was loaded before"
    }
    # At another site somebody else may have that number.
    assert Site(tmp_path, default_issuer="SOUTH", name="south").load(images[2]) == []


def test_the_sites_own_issuer_may_be_named_or_not(tmp_path: Path) -> None:
    images = [first(), second()]
    for one in (*images[0], *images[1]):
        one.IssuerOfPatientID = "NORTH"
    assert Site(tmp_path, default_issuer="NORTH").load(images[0]) == []
    for one in images[1]:
        del one.IssuerOfPatientID
    # The site's own issuer, named or not, is one; spaces around it say nothing.
    assert Site(tmp_path, default_issuer=" NORTH ").load(images[1]) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Müller 7", "ISO_IR 100"), ("Müller 7", "ISO_IR 192")),
        (("M\u00fcller 7", "ISO_IR 192"), ("Mu\u0308ller 7", "ISO_IR 192")),
        (("ヤマダ", "ISO 2022 IR 6\\ISO 2022 IR 87"), ("ヤマダ", "ISO_IR 192")),
        ((" 7 ", "ISO_IR 100"), ("7", "ISO_IR 100")),
    ],
    ids=["character sets", "composed or not", "with escapes", "spaces"],
)
def test_one_patient_id_written_in_two_ways_is_one_patient(
    tmp_path: Path, one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert patients(tmp_path, one, other) == (1, [])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Ř7", "ISO_IR 101"), ("Ø7", "ISO_IR 100")),
        (("7\\1", "ISO_IR 100"), ("7\\2", "ISO_IR 100")),
        (("\\1", "ISO_IR 100"), ("\\2", "ISO_IR 100")),
        (("\0007", "ISO_IR 100"), ("7", "ISO_IR 100")),
    ],
    ids=["one octet in two character sets", "with a backslash", "a backslash in front", "a NUL in front"],
)
def test_two_patient_ids_that_look_alike_are_two_patients(
    tmp_path: Path, one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert patients(tmp_path, one, other) == (2, [])


def patients(folder: Path, *names: tuple[str, str]) -> tuple[int, list[Finding]]:
    """Load a visit each under a patient ID in a character set; count the patients that came out."""
    site, came, findings = Site(folder), set(), []
    for (patient_id, character_set), images in zip(names, (first(), second()), strict=True):
        for image in images:
            image.SpecificCharacterSet = character_set.split("\\")
            image.PatientID = patient_id
            image.IssuerOfPatientID = patient_id
        findings += site.load(images)
        came |= {link.source for link in links_of(site.evidence(images)) if link.kind == "patient"}
    return len(came), findings


def test_uids_that_are_retained_now_and_were_not_before_do_not_fit(tmp_path: Path) -> None:
    assert Site(tmp_path).load(first()) == []
    own = tmp_path / "own.toml"
    own.write_text('extends = "research"\n[options]\nadd = ["retain_uids"]\n')
    site = Site(tmp_path, profile=own)
    assert "the UID of the source has another pseudonym in what was loaded before" in rules(site.load(first()))


def test_true_dates_now_and_moved_ones_before_do_not_fit(tmp_path: Path) -> None:
    assert Site(tmp_path).load(first()) == []
    own = tmp_path / "own.toml"
    own.write_text('extends = "basic"\n[options]\nadd = ["retain_longitudinal_full_dates"]\n')
    assert "dates of the patient moved by another interval in what was loaded before" in rules(
        Site(tmp_path, profile=own).load(second())
    )


def test_two_projects_know_nothing_of_each_other(tmp_path: Path) -> None:
    assert Site(tmp_path).load(first()) == []
    assert Site(tmp_path, "heart", patient_id_prefix="HEART-").load(second()) == []


def test_what_is_recorded_are_numbers_that_name_no_source(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.load(first())
    recorded = site.before.records_of(site.evidence(first()))
    assert len(recorded) == len(set(recorded)) > 6
    assert all(0 <= number < 1 << 63 for link in recorded for number in (link.source, link.output))
    other = Before(Anonymizer(Key(bytes(32)), "lung", load_profile("research")), site.ledger, "north")
    assert not set(recorded) & set(other.records_of(site.evidence(first())))


# The index


def numbers(*pairs: tuple[int, int]) -> tuple[Recorded, ...]:
    return tuple(Recorded(source=source, output=output) for source, output in pairs)


def beside(ledger: Ledger, source: int, output: int) -> set[tuple[int, int]]:
    ledger.settled("north", "lung")  # as a run does that begins
    return {(link.source, link.output) for link in ledger.beside(numbers((source, output)))}


def test_links_are_found_by_either_end(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(outcome(1, links=numbers((1, 10), (2, 20))))
    ledger.record(outcome(2, links=numbers(((1 << 63) - 1, 30))))
    assert beside(ledger, 1, 30) == {(1, 10), ((1 << 63) - 1, 30)}
    assert beside(ledger, 3, 40) == set()


def test_what_another_process_recorded_is_found_by_the_next_run(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path), Ledger(tmp_path)
    assert beside(one, 1, 10) == set()
    other.record(outcome(1, links=numbers((1, 10))))
    assert beside(one, 1, 99) == {(1, 10)}


def test_many_records_go_into_an_index_and_are_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "FLUSH_AFTER", 3)
    ledger = Ledger(tmp_path)
    for number in range(8):
        ledger.record(outcome(number, links=numbers((number, number + 100))))
    assert len(list((tmp_path / ".links").glob("*.parquet"))) == 1
    for later in (ledger, Ledger(tmp_path)):
        assert [beside(later, number, 0) for number in range(8)] == [{(number, number + 100)} for number in range(8)]


def test_a_full_file_of_the_index_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "FLUSH_AFTER", 1)
    monkeypatch.setattr(links_module, "FULL", 2)
    ledger = Ledger(tmp_path)
    for number in range(4):
        ledger.record(outcome(number, links=numbers((number, number))))
    assert len(list((tmp_path / ".links").glob("*.parquet"))) == 2
    assert beside(Ledger(tmp_path), 3, 0) == {(3, 3), (0, 0)}


def test_the_index_is_made_again_when_it_is_damaged_or_outlives_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_module, "FLUSH_AFTER", 2)
    ledger = Ledger(tmp_path)
    for number in range(2):
        ledger.record(outcome(number, links=numbers((number, number + 100))))
    (index,) = (tmp_path / ".links").glob("*.parquet")
    index.write_bytes(b"PAR1")
    assert beside(Ledger(tmp_path), 1, 0) == {(1, 101)}

    records = sorted(path for path in (tmp_path / "studies").glob("2*.parquet"))
    records[-1].unlink()
    assert beside(Ledger(tmp_path), 1, 0) == set()


def test_a_file_that_another_process_took_into_its_own_is_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links_module, "FLUSH_AFTER", 2)
    one = Ledger(tmp_path)
    for number in range(2):
        one.record(outcome(number, links=numbers((number, number + 100))))
    assert beside(one, 1, 0) == {(1, 101)}
    other = Ledger(tmp_path)
    for number in range(2, 4):
        other.record(outcome(number, links=numbers((number, number + 100))))
    assert {link.output for link in one.beside(numbers((1, 0)))} == {101}


def indexed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Return a ledger with links of six records, all of them in the index."""
    monkeypatch.setattr(links_module, "FLUSH_AFTER", 3)
    ledger = Ledger(folder)
    for number in range(6):
        many = [(number * 10000 + each, number * 10000 + each + 100) for each in range(2000)]
        ledger.record(outcome(number, links=numbers(*many)))
    assert beside(ledger, 1, 0) == {(1, 101)}
    return ledger


def test_an_index_that_is_removed_during_a_run_hides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = indexed(tmp_path, monkeypatch)
    for path in (tmp_path / ".links").glob("*.parquet"):
        path.unlink()
    assert {link.output for link in ledger.beside(numbers((1, 0)))} == {101}


def test_an_index_that_is_damaged_inside_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = indexed(tmp_path, monkeypatch)
    (path,) = (tmp_path / ".links").glob("*.parquet")
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:100] + bytes(octet ^ 0xFF for octet in data[100:half]) + data[half:])
    for number in range(6, 9):  # nor does it keep anybody from writing
        ledger.record(outcome(number, links=numbers((number, number + 100))))
    for each in (ledger, Ledger(tmp_path)):
        assert beside(each, 1, 0) == {(1, 101)}
        assert beside(each, 7, 0) == {(7, 107)}


def test_what_another_process_indexes_meanwhile_was_not_taken_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = Ledger._records

    def slow(self: Ledger) -> set[str]:
        found = listed(self)
        if self is one and not (tmp_path / ".links").is_dir():
            indexed(tmp_path, monkeypatch)
        return found

    one = Ledger(tmp_path)
    one.settled("north", "lung")
    with monkeypatch.context() as context:
        context.setattr(Ledger, "_records", slow)
        one._links._records = one._records
        assert one.beside(numbers((1, 0))) == []  # recorded since it looked: the next run sees it
    assert len(list((tmp_path / ".links").glob("*.parquet"))) == 1
    assert beside(one, 1, 0) == {(1, 101)}


def test_what_a_killed_process_left_in_the_index_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    indexed(tmp_path, monkeypatch)
    left = tmp_path / ".links" / ".0.parquet-0.part"
    left.touch()
    os.utime(left, (0, 0))
    Ledger(tmp_path)
    assert not left.exists()


def test_records_of_an_older_shape_have_no_links(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(outcome(1, links=numbers((1, 10))))
    (record,) = (tmp_path / "studies").glob("2*.parquet")
    with duckdb.connect() as connection:
        query = "CREATE TABLE old AS SELECT * EXCLUDE (links, frames) FROM read_parquet(?)"
        connection.execute(query, [str(record)])
        connection.table("old").write_parquet(str(record))
    assert beside(Ledger(tmp_path), 1, 10) == set()
