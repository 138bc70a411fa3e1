"""Celery's receiving side: one task an action, the runner around an attempt, the keeper of leases, the janitor."""
