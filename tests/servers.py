"""Servers of MLflow, real ones and such as fail in every way that one can; and the processes of the live view."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

LOG = "server.log"


def views(root: Path) -> list[psutil.Process]:
    """The processes of the live view that work in a root."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "reprolab.tracking.view" in process.cmdline() and process.cwd() == str(root):
                found.append(process)
    return found


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A `mlflow server` in a folder of its own, or with another store; it can be killed and started again."""

    def __init__(self, folder: Path, backend: str | None = None) -> None:
        self.folder, self.port = folder, unused_port()
        self.backend = backend or f"sqlite:///{folder}/server.db"
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = f"--host 127.0.0.1 --port {self.port} --workers 1 --backend-store-uri {self.backend}".split()
        artifacts = ["--artifacts-destination", str(self.folder / "artifacts")]
        with (self.folder / LOG).open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *options, *artifacts],
                cwd=self.folder,
                env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        for _ in range(600):
            assert self.process.poll() is None, "the server ended"
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        pytest.fail("the server does not answer")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, how)
            self.process.wait(timeout=20)
            self.process = None


@contextmanager
def running(folder: Path, backend: str | None = None) -> Iterator[Server]:
    server = Server(folder, backend)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        lines = (folder / LOG).read_text(errors="replace").splitlines()
        print(*(line for line in lines if not line.endswith(" 200 OK")), sep="\n")  # shown where the test fails


@contextmanager
def failing(kind: str) -> Iterator[str]:
    """The address of something that is no MLflow server: `dead`, `silent`, `slow` (a byte a second), `nonsense`, or
    `old` (MLflow 2)."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    stopped = threading.Event()
    if kind == "dead":
        listener.close()
        yield f"http://127.0.0.1:{port}"
        return
    listener.listen(50)
    listener.settimeout(0.1)
    open_sockets: list[socket.socket] = []

    def accept() -> None:
        while not stopped.is_set():
            with suppress(TimeoutError):
                client, _ = listener.accept()
                open_sockets.append(client)
                if kind != "silent":
                    threading.Thread(target=answer, args=(client,), daemon=True).start()

    def answer(client: socket.socket) -> None:
        with suppress(OSError):
            asked = client.recv(65536).decode(errors="replace")
            body = "2.9.2" if kind == "old" and "GET /version" in asked else "<html><b>what?</b></html>"
            reply = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            if kind == "slow":
                for byte in reply:
                    client.send(bytes([byte]))
                    if stopped.wait(1):
                        break
            else:
                client.sendall(reply)
            client.close()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stopped.set()
        thread.join()
        for one in (*open_sockets, listener):
            one.close()
