"""How many instances a second go from one hospital to the cloud, engine, gate and digests included.

`python -m tests.bench [SLICES]`: one CT study of 512 x 512 x 16 bit, both Orthancs on this machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from anonymizer import Released
from anonymizer.gate import examine
from deployments.demo import studies
from flows.inventory import find_work
from flows.study import move
from tests.hospital import Place, passwords_in_the_environment
from tests.orthanc_server import OrthancServer


def main(slices: int) -> None:
    """Measure once and print."""
    files = [studies.to_bytes(image) for image in studies.ct(1, 1, 1, slices, rows=512)]
    with (
        tempfile.TemporaryDirectory() as folder,
        passwords_in_the_environment(),
        OrthancServer(Path(folder) / "hospital") as hospital,
        OrthancServer(Path(folder) / "cloud") as cloud,
    ):
        place = Place(hospital, cloud, Path(folder))
        place.receive(files)
        with place.desk() as desk:
            begun = time.perf_counter()
            outputs = [desk.anonymizer.anonymize(data) for data in files[:100]]
            engine = (time.perf_counter() - begun) / len(outputs) * 1000
            begun = time.perf_counter()
            for data, output in zip(files, outputs, strict=False):
                assert isinstance(output, Released)
                examine(data, output.data)
            gate = (time.perf_counter() - begun) / len(outputs) * 1000
            (work,) = find_work(desk, set())
            begun, processor = time.perf_counter(), time.process_time()
            outcome = move(desk, work)
            seconds, processor = time.perf_counter() - begun, time.process_time() - processor
    sys.stdout.write(
        f"{slices} instances, {outcome.status}: {slices / seconds:.0f} instances/s, "
        f"{processor / slices * 1000:.1f} ms of processor time each; engine {engine:.1f} ms, gate {gate:.1f} ms\n"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
