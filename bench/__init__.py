"""Benchmarks that compare in one run. Nothing here is part of the installed package."""
