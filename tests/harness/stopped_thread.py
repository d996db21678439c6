"""Stops one thread of a process and nothing else, as a hang of that thread would."""
import contextlib
import ctypes
import os

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, thread):
    if _libc.ptrace(request, thread, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace of thread {thread}")


def threads(pid):
    """{thread: name}"""
    names = {}
    for entry in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{entry}/comm", encoding="utf-8") as file:
            names[int(entry)] = file.read().strip()
    return names


class StoppedThread:
    """The thread stands still until it is let go, or its process ends. gone() has to be asked now and then."""

    def __init__(self, thread):
        self.thread = thread
        self.ended = False

    def __enter__(self):
        _ptrace(PTRACE_SEIZE, self.thread)
        _ptrace(PTRACE_INTERRUPT, self.thread)
        os.waitpid(self.thread, WALL)
        return self

    def __exit__(self, *_):
        if not self.gone():
            with contextlib.suppress(OSError):
                _libc.ptrace(17, self.thread, None, None)  # PTRACE_DETACH

    def gone(self):
        """Whether the thread has ended; its process is not reaped before we have looked."""
        if not self.ended:
            pid, status = os.waitpid(self.thread, WALL | os.WNOHANG)
            self.ended = pid != 0 and (os.WIFEXITED(status) or os.WIFSIGNALED(status))
        return self.ended
