"""What the C library does with freed memory: it keeps it for the next step of a training."""

import ctypes
import os
import platform

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h
# By these a user decides: mallopt(3).
VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "GLIBC_TUNABLES")


def keep_memory() -> None:
    """Keep freed memory, where it is glibc's to keep and no variable says otherwise.

    Otherwise each large tensor is mapped when it is made and unmapped when it is freed, and the kernel clears its pages
    anew at every step. Results are the same bits; the peak of a process grows by up to a sixth.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in VARIABLES):
        return
    glibc = ctypes.CDLL(None)
    glibc.mallopt(M_MMAP_MAX, 0)
    glibc.mallopt(M_TRIM_THRESHOLD, -1)  # never
