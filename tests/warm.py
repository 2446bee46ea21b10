"""Commands that begin in a fork of a process that has imported their packages, which takes seconds a command.

A `dvc`, `python` or `reprolab` of this folder hands its arguments, environment, folder and open files over; the fork
runs the same script as the real one, with the library's code as it is where the command runs.
"""

import atexit
import gc
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from tests.factories import REPOSITORY

COMMANDS = ("dvc", "python", "reprolab")
# With what the stages import of the library come the packages that it imports.
IMPORTED = (
    *("dvc.cli", "dvc.commands.repro", "dvc.repo.reproduce"),
    *("reprolab.evaluation.evaluate", "reprolab.evaluation.network_figures", "reprolab.reports.comparison"),
    *("reprolab.training.run", "reprolab.tracking.publish"),
)
CLIENT = """#!{python} -IS
import os, sys
name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
if name == "python" and not (arguments and arguments[0].endswith(".py")):
    os.execv({python!r}, [{python!r}, *arguments])
import json, socket
script = arguments.pop(0) if name == "python" else os.path.join(os.path.dirname({python!r}), name)
with socket.socket(socket.AF_UNIX) as server:
    server.connect({address!r})
    socket.send_fds(server, [b" "], [0, 1, 2])
    server.sendall(json.dumps([script, arguments, os.getcwd(), dict(os.environ)]).encode() + b"\\n")
    os._exit(int(server.recv(16) or 137))  # nothing comes from one that was killed
"""


FOLDER = "WARM_COMMANDS"  # where a process above this one has begun it


@cache
def warm_commands() -> Path | None:
    """A folder with the commands, to be put on PATH; None where forking is unsafe. It goes when the process that was
    the first to ask for it ends."""
    if sys.platform != "linux":
        return None
    if FOLDER in os.environ:
        return Path(os.environ[FOLDER])
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    address = str(folder / "server")
    for name in COMMANDS:
        (folder / name).write_text(CLIENT.format(python=sys.executable, address=address))
        (folder / name).chmod(0o755)
    reading, _ = os.pipe()  # the other end closes as this process ends
    # It listens already: what connects while the server imports waits for it.
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        subprocess.Popen(
            [sys.executable, "-c", f"from tests.warm import serve; serve({listener.fileno()}, {str(folder)!r})"],
            cwd=REPOSITORY,
            env={name: value for name, value in os.environ.items() if name != "PYTHONWARNDEFAULTENCODING"},
            stdin=reading,
            pass_fds=[listener.fileno()],
        )
    os.close(reading)
    os.environ[FOLDER] = str(folder)
    return folder


def serve(number: int, folder: str) -> None:
    """Fork a process for each connection to the socket of this number, until standard input ends."""
    for name in IMPORTED:
        import_module(name)
    for name in [*sys.modules]:
        if name.startswith("reprolab"):
            del sys.modules[name]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()  # or the first collection in each fork would copy the memory of all that was imported
    with socket.socket(fileno=number) as listener:
        while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
            connection, _ = listener.accept()
            if not os.fork():
                listener.close()
                _answer(connection)
            connection.close()
    shutil.rmtree(folder)


def _answer(connection: socket.socket) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    files = socket.recv_fds(connection, 1, 3)[1]
    script, arguments, folder, environment = json.loads(connection.makefile().readline())
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (open(number, mode, closefd=False) for number, mode in enumerate("rww"))  # noqa: SIM115
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    added = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:1] = [str(Path(path).absolute()) for path in (Path(script).parent, *added)]
    sys.argv = [script, *arguments]
    status = _status_of(script)
    # As Python ends, but for taking apart what was imported, which takes a second.
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    connection.sendall(str(status).encode())
    os._exit(0)


def _status_of(script: str) -> int:
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    return 0
