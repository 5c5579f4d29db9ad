"""Commands that heed signals which a shell or ``nohup`` may have this process and others ignore."""

import sys

HEEDING = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored by what a shell starts with "&"
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored by what nohup starts
os.execvp(sys.argv[1], sys.argv[1:])
"""


def heeding(*command):
    """A command that becomes this one, and heeds Ctrl-C and hangups."""
    return [sys.executable, "-c", HEEDING, *command]
