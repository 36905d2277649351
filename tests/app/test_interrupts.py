import subprocess
import sys

LOST = """
import time
from app.interrupts import repeat_lost_interrupts

class Dying:
    def __del__(self):
        raise KeyboardInterrupt

repeat_lost_interrupts()
Dying()
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("heard")
"""


def test_an_interrupt_lost_in_a_destructor_comes_again() -> None:
    done = subprocess.run([sys.executable, "-c", LOST], capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("heard\n", "")
