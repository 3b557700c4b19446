"""The engine is a library of its own: all of it loads without Django and without a database driver."""

import subprocess
import sys

PROGRAM = """
import importlib, pkgutil, sys
import engineroom.payroll.engine as engine
names = [module.name for module in pkgutil.walk_packages(engine.__path__, engine.__name__ + ".")]
for name in names:
    importlib.import_module(name)
print(len(names), *(name for name in ("django", "psycopg", "procrastinate") if name in sys.modules))
"""


def test_no_module_of_the_engine_pulls_in_django_or_a_driver():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    count, *pulled = run.stdout.split()
    assert int(count) >= 15
    assert pulled == []
