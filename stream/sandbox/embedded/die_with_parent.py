"""Become another program that ends when the process that started it ends.

    python die_with_parent.py PARENT_PID PROGRAM [ARGUMENT ...]

Run as a program of its own rather than as a `preexec_fn`, because Python code between fork and exec can
deadlock in a process with threads. Needs nothing but the standard library, so that it starts in milliseconds.

Linux only (PR_SET_PDEATHSIG, kept across exec); elsewhere the program just runs. The signal is SIGKILL: it
also ends a process that is stopped, and leaves nothing that lingers over the data folder.
Trap: the kernel means the parent *thread*. Start such a process from a thread that lives as long as it should.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent_pid: int, command: list[str]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent_pid:  # it ended before the request was made: no signal will come
            sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
