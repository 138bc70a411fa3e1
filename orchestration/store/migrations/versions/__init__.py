"""Migrations of the tables, run by `perdure migrate`. Forward only, see "Rolling upgrades" in docs/operations.md."""
