"""What a run was made with, so that its figures can be judged."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kosim.encoders.artifact import library_versions


def describe_environment() -> dict[str, str | int]:
    """Return versions of Python and libraries, the processor, its cores and the threads used."""
    import torch  # takes seconds, and reading results needs none of it

    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "processor": _cpuinfo("model name") or platform.processor() or platform.machine(),
        "instructions": _instructions(torch.backends.cpu.get_cpu_capability()),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        **library_versions(),
    }


def processor_of(environment: Mapping[str, Any]) -> str:
    """Return the processor of an environment, with its instructions where they were noted."""
    processor = str(environment["processor"])
    instructions = environment.get("instructions")
    return f"{processor} with {instructions}" if instructions else processor


def _instructions(widest: str) -> str:
    """Return the widest vectors that torch uses, and whether the processor has integer products."""
    return f"{widest}, VNNI" if "vnni" in _cpuinfo("flags") else widest


def _cpuinfo(field: str) -> str:
    """Return what the kernel says of the first processor, empty where it says nothing."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith(field):
                return line.partition(":")[2].strip()
    return ""
