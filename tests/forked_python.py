"""Called like Python, it has a nursery fork what Python would start: see `tests.forked`.

It imports next to nothing, passes on all open files and signals, and ends as what was forked ends.
"""

import json
import os
import signal
import socket
import sys

FORMS = {"-m": "module", "-c": "code"}


def parsed(words: list[str]) -> dict[str, object]:
    """Return what is to be run and its arguments; options of the interpreter are left out."""
    while words[0].startswith("-") and words[0] not in FORMS:
        words = words[1:]
    form = FORMS.get(words[0], "script")
    if form != "script":
        words = words[1:]
    return {form: words[0], "arguments": words[1:]}


def main(door: str, *words: str) -> None:
    """Ask the nursery behind ``door``, and end as what it forks."""
    wanted = parsed(list(words))
    descriptors = [0, 1, 2]
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - pathlib would be imported
        try:
            os.fstat(int(name))
        except OSError:  # the one of this listing
            continue
        descriptors += [int(name)] if int(name) > 2 else []
    reading, report = os.pipe()
    nursery = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    nursery.connect(door)
    wanted |= {"descriptors": descriptors, "files": None, "new": False}
    wanted |= {"environment": {**os.environ}, "folder": os.getcwd()}  # noqa: PTH109 - likewise
    socket.send_fds(nursery, [json.dumps(wanted).encode()], [report, *descriptors])
    os.close(report)
    for descriptor in descriptors[1:]:  # whose other ends are to see when the forked one has ended
        os.close(descriptor)
    with os.fdopen(reading) as lines:
        pid = int(lines.readline())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, lambda number, frame: os.kill(pid, number))
        code = int(lines.readline())
    if code < 0:
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


if __name__ == "__main__":
    main(*sys.argv[1:])
