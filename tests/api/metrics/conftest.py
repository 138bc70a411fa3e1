from __future__ import annotations

from tests.api.workflow.conftest import recorder, services, worker

__all__ = ["recorder", "services", "worker"]
