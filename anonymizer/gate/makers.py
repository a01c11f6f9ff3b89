"""Names of makers of imaging devices: the only names that may stand in Manufacturer though a patient has them."""

from __future__ import annotations

import re

_WORDS = frozenset(
    b"accuray agfa analogic aycan barco biosense brainlab bruker canon carestream cerner curvebeam dentsply elekta "
    b"elscint electric esaote fonar fuji fujifilm ge general gmi healthcare healthineers hitachi hologic imaging "
    b"instrumentarium intelerad kodak konica lumisys mediso medical merge mim minolta nec neusoft nuctech oldelft "
    b"philips picker planmeca raysearch samsung sectra shimadzu siemens sirona sony systems technologies terarecon "
    b"toshiba trex trumpf uih united varian vatech vidar vital voxel ziehm".split()
)


def is_maker(text: bytes) -> bool:
    """Tell whether a text, folded to lower case, is made of nothing but words of makers' names."""
    words = re.findall(rb"[^\s,.^=/&_-]+", text)
    return bool(words) and all(word in _WORDS for word in words)
