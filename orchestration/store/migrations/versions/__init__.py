"""Migrations of the tables, run by `perdure migrate`."""
