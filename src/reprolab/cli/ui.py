"""Show the runs on MLflow's pages, on this machine alone."""

import argparse
import os
import socket
import sys

from reprolab.core.errors import InputError
from reprolab.tracking.store import tracking_uri

HOST = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=5000, help="5000 by default")


def run(port: int) -> None:
    """Becomes MLflow's server. Raises `InputError` when the port cannot be had."""
    uri = tracking_uri()
    if uri.startswith(("http://", "https://", "databricks")):
        print(f"The runs are at {uri}")
        return
    _require_free(port)
    # The address of a database may hold a password, and what stands on a command line is seen by all.
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    server = ["mlflow", "server", "--app-name", "reprolab", "--host", HOST, "--port", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", *server])


def _require_free(port: int) -> None:
    if not 0 < port < 65536:
        raise InputError(f"PORT={port}: found {port}; a port is a number from 1 to 65535")
    remedy = f"choose another: `make ui PORT={port + 1 if 1024 <= port < 65535 else 5001}`"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except PermissionError:
            raise InputError(f"PORT={port}: the system keeps the ports below 1024 for itself; {remedy}") from None
        except OSError as error:
            raise InputError(f"PORT={port}: another program has this port ({error.strerror}); {remedy}") from None
