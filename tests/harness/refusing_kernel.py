"""Runs a program on a kernel that refuses one system call, as an older or a smaller one does: a seccomp filter answers.

    refusing_kernel.py CALL ERRNO [PLACE:VALUE:MASK]... -- PROGRAM [ARGUMENT]...

What is refused has these values in the low 32 bits of its arguments, which are counted from 0.
"""
import ctypes
import os
import platform
import struct
import sys

CALLS = {"x86_64": {"ioctl": 16, "setsockopt": 54, "getsockopt": 55, "sendmmsg": 307},
         "aarch64": {"ioctl": 29, "setsockopt": 208, "getsockopt": 209, "sendmmsg": 269}}
LOAD, AND, JUMP_IF_EQUAL, RETURN = 0x20, 0x54, 0x15, 0x06  # linux/bpf_common.h
ARGUMENTS = 16  # their place in struct seccomp_data
ERRNO, ALLOW = 0x00050000, 0x7FFF0000  # SECCOMP_RET_
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2


def refusing(call, error_number, *arguments):
    """The command that is put before a program. arguments: (place, value) or (place, value, mask)."""
    words = [":".join(map(str, (*argument, 0xFFFFFFFF)[:3])) for argument in arguments]
    return [sys.executable, os.path.abspath(__file__), call, str(error_number), *words, "--"]


def program(call, error_number, arguments):
    """[(code, true, false, k)] of struct sock_filter; each comparison that fails jumps to the end."""
    end = 2 + 3 * len(arguments) + 1
    steps = [(LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, end - 2, CALLS[platform.machine()][call])]
    for place, value, mask in arguments:
        steps += [(LOAD, 0, 0, ARGUMENTS + 8 * place), (AND, 0, 0, mask)]
        steps.append((JUMP_IF_EQUAL, 0, end - len(steps) - 1, value))
    return [*steps, (RETURN, 0, 0, ERRNO | error_number), (RETURN, 0, 0, ALLOW)]


def refuse(steps):
    """For this process and what it becomes."""
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    filters = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value, argument in ((PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters)):
        if libc.prctl(option, value, argument, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")


if __name__ == "__main__":
    split = sys.argv.index("--")
    refuse(program(sys.argv[1], int(sys.argv[2]),
                   [tuple(map(int, word.split(":"))) for word in sys.argv[3:split]]))
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])
