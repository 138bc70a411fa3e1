"""Migrations of the tables, run by `perdure migrate`. They go forward only: see "Rolling upgrades" in docs/operations.md."""
