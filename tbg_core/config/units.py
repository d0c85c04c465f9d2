"""The unit of an option, from what is written about it."""

from __future__ import annotations

import re
from typing import Final

_UNIT: Final = re.compile(r"\(([^()]*)\)\s*[.;]?\s*$|\(([^()]{1,12})\)[.;]")
_ENDINGS: Final = (("_K", "K"), ("_nm", "nm"), ("_fs", "fs"), ("_per_ps", "1/ps"), ("_ps", "ps"))


def unit_of(name: str, meaning: str) -> str:
    """The unit in a description such as ``"Time step (fs)."``, or in a name such as ``temperature_K``."""
    match = _UNIT.search(meaning)
    if match is not None and len(match[1] or match[2] or "") <= 20:  # longer is a remark
        return match[1] or match[2] or ""
    return next((unit for ending, unit in _ENDINGS if name.endswith(ending)), "")
