"""For this checkout alone: `pytest benchmarks/` means the inference suite.

The other folders of `benchmarks/` are run when they are named.
"""

collect_ignore_glob: list[str] = []
