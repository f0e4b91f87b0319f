"""What a run was made with, so that its figures can be judged."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kosim.encoders.artifact import library_versions
from kosim.encoders.compute.threads import thread_count


def describe_environment() -> dict[str, str | int]:
    """Return versions of Python and libraries, the processor, its cores and the threads used."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "instructions": _instructions(_cpuinfo("flags").split()),
        "cores": os.cpu_count() or 1,
        "threads": thread_count(),
        "device": _device(),
        **library_versions(),
    }


def processor_of(environment: Mapping[str, Any]) -> str:
    """Return the processor of an environment, with its instructions where they were noted."""
    processor = str(environment["processor"])
    instructions = environment.get("instructions")
    return f"{processor} with {instructions}" if instructions else processor


def _instructions(flags: Sequence[str]) -> str:
    """Return the widest vectors of the processor, and whether it has integer products.

    As torch has it: AVX-512 counts where its instructions for bytes, words and short vectors do.
    """
    widest = "DEFAULT"
    if {"avx2", "fma"} <= set(flags):
        widest = "AVX2"
    if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= set(flags):
        widest = "AVX512"
    return f"{widest}, VNNI" if any("vnni" in flag for flag in flags) else widest


def _device() -> str:
    """Return the name of the graphics processor; without torch in this process none computed."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return "cpu"
    return str(torch.cuda.get_device_name())


def _cpuinfo(field: str) -> str:
    """Return what the kernel says of the first processor, empty where it says nothing."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith(field):
                return line.partition(":")[2].strip()
    return ""
