#!/usr/bin/python3
"""Runs a program under a seccomp filter that refuses io_uring, as container runtimes do.

deny_io_uring.py ERRNO [--also=NUMBER] COMMAND...: io_uring_setup, _enter and _register fail with ERRNO (EPERM
as under Docker and containerd, ENOSYS as under Podman), and so does the system call of that number;
everything else is allowed.
"""

import ctypes
import errno
import os
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
IO_URING_CALLS = (425, 426, 427)  # setup, enter, register: the same on every architecture


def filter_program(error, calls):
    rules = [(LOAD, 0, 0, 0)]  # the number of the call
    for i, number in enumerate(calls):
        rules.append((JUMP_IF_EQUAL, len(calls) - i, 0, number))
    rules.append((RETURN, 0, 0, SECCOMP_RET_ALLOW))
    rules.append((RETURN, 0, 0, SECCOMP_RET_ERRNO | error))
    return len(rules), b"".join(struct.pack("HBBI", *rule) for rule in rules)


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("rules", ctypes.c_char_p)]


def main():
    error = getattr(errno, sys.argv[1])
    command, calls = sys.argv[2:], list(IO_URING_CALLS)
    if command[0].startswith("--also="):
        calls.append(int(command.pop(0).partition("=")[2]))
    libc = ctypes.CDLL(None, use_errno=True)
    length, rules = filter_program(error, calls)
    program = Program(length, rules)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or \
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    os.execv(command[0], command)


main()
