"""Every test runs under the deterministic settings of the stages."""

from __future__ import annotations

from vlprm.determinism import settle_environment

settle_environment()
