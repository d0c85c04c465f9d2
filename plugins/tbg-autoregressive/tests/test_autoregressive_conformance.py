"""What every proposal must do."""

from __future__ import annotations

from tbg_autoregressive.conformance import TestAutoregressive

__all__ = ["TestAutoregressive"]
