"""The clinic: small trainings whose faults are true by construction, for finding and testing rules that spot them.

``python -m benchmarks.clinic make --data DIR`` makes the recordings; :func:`benchmarks.clinic.runs.load_runs` reads
them.
"""
