"""Ctrl-C that always counts: Python drops the interrupt that happens to fall into a destructor."""

import signal
import sys
import threading

_AGAIN_S = 0.05


def repeat_lost_interrupts() -> None:
    """Raise an interrupt again in the main thread where Python could only have told of it."""
    tell = sys.unraisablehook

    def hook(lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is not KeyboardInterrupt:
            tell(lost)
            return
        # Not at once: within this hook it would be lost once more.
        main = threading.main_thread().ident
        again = threading.Timer(_AGAIN_S, signal.pthread_kill, (main, signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
