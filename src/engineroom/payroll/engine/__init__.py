"""The payroll engine: the law of each jurisdiction as pure columns. No Django, no clock, no floats.

`engine/<cc>/` holds one jurisdiction: dated tables in `rules/*.yaml`, steps as named functions from NumPy
int64 columns to NumPy int64 columns, and the ordered list of those steps. The columns a calculation leaves
are its trace. `verify` runs published cases against it.
"""
