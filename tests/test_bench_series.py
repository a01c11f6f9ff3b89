"""The series that the engine is measured on are what the page about speed says."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.dataset import Dataset

from anonymizer import Released
from tests import samples
from tests.bench_engine.series import CT, ENHANCED_MR, MADE, SMALL_MR, Series


def _elements(dataset: Dataset) -> int:
    return sum(1 for _ in dataset.iterall())


def _items(dataset: Dataset) -> list[Dataset]:
    return [item for element in dataset.iterall() if element.VR == "SQ" for item in element.value]


def _read(series: Series, instance: int = 1) -> Dataset:
    return pydicom.dcmread(BytesIO(series.file(instance)))


@pytest.mark.parametrize("series", MADE, ids=lambda series: series.name)
def test_every_made_series_is_released(series: Series) -> None:
    result = samples.anonymizer("research").anonymize(series.file(series.instances))
    assert isinstance(result, Released), result


@pytest.mark.parametrize("series", MADE, ids=lambda series: series.name)
def test_an_instance_is_the_same_bytes_every_time_and_no_other_instance(series: Series) -> None:
    assert series.file(2) == series.file(2) != series.file(3)


@pytest.mark.parametrize(
    ("series", "elements", "size"),
    [(CT, 162, 531_000), (SMALL_MR, 357, 24_000), (ENHANCED_MR, 3_187, 547_000)],
    ids=lambda value: value.name if isinstance(value, Series) else None,
)
def test_instances_have_as_many_elements_and_bytes_as_scanners_write(series: Series, elements: int, size: int) -> None:
    assert _elements(_read(series)) == elements
    assert size < len(series.file(1)) < size + 2_000


def test_the_items_of_enhanced_mr_are_of_undefined_length() -> None:
    items = _items(_read(ENHANCED_MR))
    assert len(items) == 592
    assert all(item.is_undefined_length_sequence_item for item in items)


def test_most_elements_of_small_mr_are_private() -> None:
    dataset = _read(SMALL_MR)
    assert sum(element.tag.is_private for element in dataset.iterall()) == 236
    assert len({str(element.value) for element in dataset if element.tag.is_private_creator}) == 8
