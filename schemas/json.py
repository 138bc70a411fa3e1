"""The types of values that travel as JSON."""

from __future__ import annotations

from typing import Any, TypeAlias

# Recursive aliases cost more in casts than they catch; what is stored is checked by orchestration/core/storable.py.
Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]
