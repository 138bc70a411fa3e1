"""The use cases: start and control runs, hold attempts, sweep. One transaction each."""
