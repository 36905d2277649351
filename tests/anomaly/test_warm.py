"""Kernels are at hand before a worker joins its group: its first step finds each of them loaded, and compiles none."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import importlib, json, pkgutil, sys
import anomaly
from anomaly.warm import warm
from numba.core import event
from numba.core.dispatcher import Dispatcher

warm()
modules = [importlib.import_module(one.name) for one in pkgutil.walk_packages(anomaly.__path__, "anomaly.")]
kernels = {f"{k.__module__}.{k.__name__}": k for m in modules for k in vars(m).values() if isinstance(k, Dispatcher)}
before = {name: len(kernel.signatures) for name, kernel in kernels.items()}
compiled = []

class Listener(event.Listener):
    def on_start(self, found):
        compiled.append(str(found.data))
    def on_end(self, found):
        pass

event.register("numba:compile", Listener())
from anomaly.detector import DetectStage
from city.topics import READINGS
from city.clock import DAY_US
from stream import codec
from stream.log import TopicPartition
from tests.anomaly.mixed import START, Mixed
stage = DetectStage(1)
state = stage.open(TopicPartition(READINGS, 0), None)
records = Mixed(1, START + 2 * DAY_US).records()
kinds = {record.kind for record in records}
for first in range(0, len(records), 100):
    stage.step(state, records[first : first + 100])
grown = sorted(name for name, kernel in kernels.items() if len(kernel.signatures) != before[name])
told = {"kernels": len(kernels), "kinds": sorted(kinds), "grown": grown, "compiled": compiled}
sys.stdout.write(json.dumps(told))
"""


@pytest.mark.timeout(600)
def test_the_first_steps_after_warming_compile_and_load_nothing() -> None:
    """In a process of its own, as a worker is: here other tests have long called kernels with types of theirs."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["kernels"] > 50
    assert {"batch", "tick", "registry"} <= set(told["kinds"])
    assert told["compiled"] == []
    assert told["grown"] == []
