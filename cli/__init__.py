"""The perdure command, and what stands behind `perdure up`: embedded servers and the supervisor of all processes."""
