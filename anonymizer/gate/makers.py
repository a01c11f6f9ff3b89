"""Names of makers of imaging devices: the only names that may stand in Manufacturer though a patient has them."""

from __future__ import annotations

import re

_WORDS = frozenset(
    b"a accuray acuson adac ag agfa analogic atl aycan barco biosense brainlab bruker bv canon carestream cerner "
    b"co company corp corporation cti curvebeam dentsply electric elekta elscint esaote film fonar fuji fujifilm "
    b"ge gehc general gevaert gmbh gmi health healthcare healthineers hitachi hologic imaging imatron inc "
    b"incorporated instrumentarium intelerad international kg kk kodak konica limited llc lorad ltd lumisys "
    b"marconi mec medical mediso meditec merge mim minolta nec neusoft nm nuclear nucletron nuctech nv oldelft "
    b"philips photo picker planmeca products raysearch sa samsung sectra shimadzu siemens sirona solutions sony "
    b"spa swissray systems technologies terarecon tomotherapy toshiba trex trumpf uih ultrasound united us varian "
    b"vatech vidar vital voxel zeiss ziehm".split()
)


def is_maker(text: bytes) -> bool:
    """Tell whether a whole value, folded to lower case, is made of nothing but words of makers' names."""
    words = re.findall(rb"[^\s\0,.()^=/&_-]+", text)
    return bool(words) and all(word in _WORDS for word in words)
