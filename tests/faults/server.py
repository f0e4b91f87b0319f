"""A process with the shim that forks a child for every trial, so that imports are paid for once.

It reads requests from standard input and answers on standard output, a JSON object a line.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from kosim.encoders.errors import KosimError
from tests.faults.operations import OPERATIONS, Operation, as_json, load_encoders, shorten_limits
from tests.faults.trials import KINDS

SECONDS = 240
"""In which a trial ends."""


def attempt(call: Callable[[], Any]) -> dict[str, Any]:
    """Return what a call returned or raised; nothing fails any more afterwards."""
    try:
        return {"end": "done", "value": call()}
    except KosimError as error:
        return {"end": "refused", "type": type(error).__name__, "message": str(error)}
    except BaseException as error:
        said = {"type": type(error).__name__, "message": str(error)}
        return {"end": "crashed", **said, "traceback": traceback.format_exc()}
    finally:
        disarm()


def in_child(call: Callable[[], Any]) -> dict[str, Any]:
    """Return what a call returned or raised in a process of its own, or that it was killed."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(here)
        data = json.dumps(attempt(call)).encode()
        while data:
            data = data[os.write(there, data) :]
        os._exit(0)
    os.close(there)
    return _answer(child, here)


def _answer(child: int, pipe: int) -> dict[str, Any]:
    data, deadline = b"", time.monotonic() + SECONDS
    while True:
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(pipe)
            return {"end": "crashed", "type": "hang", "message": f"no end after {SECONDS} s"}
        part = os.read(pipe, 1 << 20)
        if not part:
            break
        data += part
    os.close(pipe)
    status = os.waitpid(child, 0)[1]
    if data:
        answer: dict[str, Any] = json.loads(data)
        return answer
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return {"end": "killed"}
    return {"end": "crashed", "type": "signal", "message": f"status {status}"}


def disarm() -> dict[str, int]:
    """Let nothing fail any more; return how many calls of each kind were counted."""
    if SHIM is None:
        return {}
    SHIM.fault_disarm()
    return {name: int(SHIM.fault_tally(kind)) for name, kind in KINDS.items()}


def trial(request: dict[str, Any]) -> dict[str, Any]:
    """Carry an operation out under a fault, and look at what is there afterwards.

    After an error the same process looks; after a kill another one does.
    """
    run = _armed(request)
    if request["kill"]:
        end = in_child(run)
        return {"end": end, **in_child(lambda: _looked_at(request))["value"]}
    both = in_child(lambda: {"end": attempt(run), **_looked_at(request)})
    return both["value"] if both["end"] == "done" else {"end": both, "found": both}


def _looked_at(request: dict[str, Any]) -> dict[str, Any]:
    """Return what is there, and where nothing was changed, what is there when it is done again."""
    operation, work = OPERATIONS[request["operation"]], Path(request["work"])
    looked = {"found": attempt(lambda: as_json(operation.read(work)))}
    if looked["found"].get("value") == request["before"] != request["after"]:
        looked["again"] = attempt(lambda: (operation.run(work), as_json(operation.read(work)))[1])
    return looked


def _armed(request: dict[str, Any]) -> Callable[[], dict[str, int]]:
    """Return what carries an operation out under a fault and counts its calls."""
    operation, work = OPERATIONS[request["operation"]], Path(request["work"])

    def run() -> dict[str, int]:
        fault = request.get("fault")
        if fault and SHIM is not None:
            SHIM.fault_arm(
                fault["kinds"],
                fault["action"],
                fault.get("error", 0),
                int(fault.get("sticky", False)),
                fault.get("number", 0),
                str(work).encode(),
            )
        operation.run(work)
        return disarm()

    return run


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked."""
    work = Path(request["work"])
    operation = OPERATIONS[request["operation"]]
    if request["do"] == "prepare":
        return in_child(lambda: operation.prepare(work))
    if request["do"] == "read":
        return in_child(lambda: as_json(operation.read(work)))
    if request["do"] == "repeat":
        return in_child(lambda: (operation.run(work), as_json(operation.read(work)))[1])
    if request["do"] == "fresh":
        _copy(request["from"], work)
        return {"end": "done"}
    if request["do"] == "trial":
        _copy(request["from"], work)
        return trial(request)
    return in_child(_armed(request))


def _copy(kept: str, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(kept, work, copy_function=shutil.copyfile)


def import_what_operations_import(needs_torch: bool) -> None:
    """Import here what a child would import anew in every trial."""
    for operation in OPERATIONS.values():
        if operation.needs_torch == needs_torch:
            with tempfile.TemporaryDirectory() as name:
                modules = in_child(partial(_modules_of, operation, Path(name)))["value"]
            for module in modules:
                with suppress(Exception):
                    importlib.import_module(module)


def _modules_of(operation: Operation, work: Path) -> list[str]:
    operation.prepare(work)
    operation.run(work)
    operation.read(work)
    return [name for name in sys.modules if not name.startswith("__")]


def main() -> None:
    """Answer until there are no more requests."""
    shorten_limits()
    if len(sys.argv) > 1:
        load_encoders(Path(sys.argv[1]))
    import_what_operations_import(needs_torch=len(sys.argv) > 1)
    # A collection in a child would copy every page of the libraries.
    gc.collect()
    gc.freeze()
    gc.disable()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(answer(json.loads(line))) + "\n")
        sys.stdout.flush()


SHIM = ctypes.CDLL(os.environ["LD_PRELOAD"]) if os.environ.get("LD_PRELOAD") else None
if SHIM is not None:
    SHIM.fault_arm.argtypes = [ctypes.c_int] * 4 + [ctypes.c_long, ctypes.c_char_p]
    SHIM.fault_tally.restype = ctypes.c_long

if __name__ == "__main__":
    main()
