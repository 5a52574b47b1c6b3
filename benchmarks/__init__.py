"""What MLM Studio promises, measured: `python -m benchmarks.training`, `.quality`, `.rates`,
`.data`, `.page`; the figures stand in README.md.
"""

from mlm_gui.services import environment

environment.prepare()
