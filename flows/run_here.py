"""The flow in this process, for whom a worker is too much."""

from __future__ import annotations

import httpx
from prefect import tags
from prefect.settings import PREFECT_API_URL

from flows.desk import Desk
from flows.errors import FlowsError, NotBegunError, SitesError, TransientError
from flows.route import route
from flows.settings.sites import load_sites
from flows.shown.states import WAITING
from flows.terminal import once

__all__ = ["run_here"]

_SECONDS = 10.0


def run_here(site: str) -> None:
    """Run the flow for one site; with the Prefect server of PREFECT_API_URL, or a temporary one.

    Raises
    ------
    SitesError
        When the sites file, or something that it names, is not usable.
    NotBegunError
        When an Orthanc or Prefect does not answer.
    FlowsError
        When studies wait.
    """
    sites = load_sites(only=site)
    try:
        # Asked before Prefect, which would wrap the one good sentence into a page of frames.
        with Desk.open(sites, site, run_id="") as desk:
            desk.check()
    except SitesError:
        raise
    except FlowsError as error:
        # A worker would try again; whoever sits at a terminal is told what to do.
        raise NotBegunError(once(error)) from None
    _check_prefect()
    with tags("entwash", site):  # as its deployment's runs have
        state = route(site, return_state=True)
    if state.name == WAITING:
        raise TransientError(str(state.message))
    state.result()


def _check_prefect() -> None:
    """Ask Prefect for its health: its own answer to a server that is away is a page of frames."""
    url = PREFECT_API_URL.value()
    if not url:
        return
    try:
        healthy = httpx.get(f"{url}/health", timeout=_SECONDS).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        healthy = False
    if not healthy:
        raise NotBegunError(
            "Prefect does not answer at the address in PREFECT_API_URL: start its server, try again if it is busy,"
            " or unset the variable"
        )
