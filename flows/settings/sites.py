"""The sites file: which hospitals, which cloud, which project. A hospital is a row here, never code.

A TOML file such as::

    [cloud]
    url = "https://cloud.example.org/orthanc"
    username = "entwash"
    password_env = "ENTWASH_CLOUD_PASSWORD"

    [project]
    name = "lung-2026"

    [sites.north]
    url = "http://127.0.0.1:8042"
    username = "entwash"
    password_env = "ENTWASH_NORTH_PASSWORD"
    key_file = "keys/north.key"

Passwords stand in environment variables, never in the file. Every problem is found before anything
starts, and all of them are listed in one :class:`~flows.errors.SitesError`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from pydantic import SecretStr

from flows.errors import SitesError
from flows.settings.closed import Closed
from flows.settings.hours import Hours
from flows.settings.selectionrow import SelectionRow
from flows.settings.sitesfile import (
    Hold,
    ProjectRow,
    Release,
    ServerRow,
    SiteRow,
    SitesFile,
    beside,
    is_own_profile,
    listed,
    read_sites_file,
)

__all__ = [
    "Hold",
    "Project",
    "Records",
    "Release",
    "Server",
    "Site",
    "Sites",
    "listed",
    "load_records",
    "load_sites",
]


class Server(Closed):
    """Say how to reach one Orthanc.

    `section` and `password_env` are there for messages: where to correct what is wrong.
    """

    url: str
    username: str
    password: SecretStr
    section: str = "orthanc"
    password_env: str = ""

    @property
    def place(self) -> str:
        """Name this server in a message: its section of the sites file and its address."""
        return f"[{self.section}] {self.url}"


class Project(Closed):
    """Say for which purpose data leaves; pseudonyms of two projects never match."""

    name: str
    profile: str
    patient_id_prefix: str


class Site(Closed):
    """Say what is to be known of one hospital: its Orthanc, its key file, its work pool, what a hold holds there.

    `stable_age` is its Orthanc's StableAge, in seconds; `busy` are the hours in which something is expected of it,
    `doorbell` tells whether it rings;
    `release` says whether an instance leaves before its study is stable; `selection` says which of its studies leave at
    all, `live_from` which are old enough to be a backfill's alone; the lists are what a backfill may be narrowed by.
    """

    name: str
    server: Server
    key_file: Path
    work_pool: str
    default_issuer: str
    hold: Hold
    release: Release
    stable_age: int
    busy: Hours
    doorbell: bool
    selection: SelectionRow
    live_from: date | None
    patient_lists: Mapping[str, Path]
    description_lists: Mapping[str, tuple[str, ...]]


class Sites(Closed):
    """Hold the checked content of a sites file.

    `sites` are those whose password and key file were checked, and so may be used on this machine;
    `names` are all that the file knows.
    """

    path: Path
    cloud: Server
    project: Project
    lineage: Path
    sites: Mapping[str, Site]
    names: tuple[str, ...]

    def site(self, name: str) -> Site:
        """Return one hospital by name.

        Raises
        ------
        SitesError
            If the file does not know the name, or was loaded for another site only.
        """
        if name in self.sites:
            return self.sites[name]
        if name in self.names:
            raise SitesError(f"[sites.{name}] was not checked: the sites file was loaded for {listed(self.sites)} only")
        raise SitesError(f"{self.path} knows no site of this name; it knows {listed(self.names)}")


class Records(Closed):
    """Say where the records of a sites file are, and of which project and sites."""

    lineage: Path
    project: str
    names: tuple[str, ...]


def load_sites(path: Path | None = None, only: str | None = None) -> Sites:
    """Read and check the sites file.

    Parameters
    ----------
    path
        The file. Without it, what the variable ENTWASH_SITES names, else `sites.toml` here.
    only
        Check the password variable and the key file of this site (and of the cloud) alone: a hospital's
        password and key are on its own machine. The form of the whole file is checked in either case.

    Raises
    ------
    SitesError
        With every problem, one line each.
    """
    path = _path(path)
    return _sites(read_sites_file(path, only), path, only)


def load_records(path: Path | None = None) -> Records:
    """Read of the sites file where its records are: that needs no password and no key.

    Raises
    ------
    SitesError
        With every problem of the file's form, one line each.
    """
    path = _path(path)
    form = read_sites_file(path, None, here=False)
    return Records(
        lineage=beside(path.parent, form.lineage.directory), project=form.project.name, names=tuple(form.sites)
    )


def _path(path: Path | None) -> Path:
    return Path(path or os.environ.get("ENTWASH_SITES") or "sites.toml").expanduser().absolute()


def _sites(form: SitesFile, path: Path, only: str | None) -> Sites:
    return Sites(
        path=path,
        cloud=_server("cloud", form.cloud),
        project=_project(form.project, path.parent),
        lineage=beside(path.parent, form.lineage.directory),
        sites={
            name: Site(
                name=name,
                server=_server(f"sites.{name}", row),
                key_file=beside(path.parent, row.key_file),
                work_pool=row.work_pool or name,
                default_issuer=row.default_issuer,
                hold=row.hold or form.project.hold,
                release=row.release or form.project.release,
                stable_age=row.stable_age,
                busy=Hours.read(row.busy),
                doorbell=row.doorbell,
                selection=_selection(form, row),
                live_from=row.live_from,
                patient_lists={of: beside(path.parent, file) for of, file in row.patient_lists.items()},
                description_lists=row.description_lists,
            )
            for name, row in form.sites.items()
            if only in {None, name}
        },
        names=tuple(form.sites),
    )


def _project(row: ProjectRow, folder: Path) -> Project:
    profile = str(beside(folder, row.profile)) if is_own_profile(row.profile) else row.profile
    return Project(name=row.name, profile=profile, patient_id_prefix=row.patient_id_prefix)


def _selection(form: SitesFile, row: SiteRow) -> SelectionRow:
    selection = row.selection or form.selection
    assert selection is not None  # noqa: S101 - a file without one is refused
    return selection


def _server(section: str, row: ServerRow) -> Server:
    return Server(
        section=section,
        url=row.url,
        username=row.username,
        password=SecretStr(os.environ[row.password_env]),
        password_env=row.password_env,
    )
