"""MLflow's pages: on this machine alone, at a port that is free, and no secret on a command line."""

import os
import socket
import sys
from typing import Any

import pytest

from reprolab.cli import ui
from reprolab.core.errors import InputError


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The command lines that take this process's place."""
    found: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda path, command: found.append(command))
    for name in ("MLFLOW_BACKEND_STORE_URI", "MLFLOW_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")
    return found


@pytest.fixture
def port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_the_server_answers_this_machine_alone_and_hides_the_store_s_password(
    port: int, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://al1ce:w0nder@host/runs")
    monkeypatch.setenv("MLFLOW_HOST", "0.0.0.0")
    ui.run(port)
    assert commands == [
        [sys.executable, "-m", "mlflow", "server", "--app-name", "reprolab", "--host", "127.0.0.1", "--port", str(port)]
    ]
    assert os.environ["MLFLOW_BACKEND_STORE_URI"] == "postgresql://al1ce:w0nder@host/runs"


def test_a_busy_port_is_named_with_another(port: int, commands: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(InputError, match=rf"^PORT={port}: another program has .*`make ui PORT={port + 1}`"):
            ui.run(port)
    assert commands == []


@pytest.mark.parametrize("wrong", [0, -1, 65536, 10**9])
def test_a_port_that_is_none_is_refused(wrong: int, commands: Any) -> None:
    with pytest.raises(InputError, match=rf"^PORT={wrong}: .* from 1 to 65535"):
        ui.run(wrong)


def test_runs_of_a_server_are_there(
    commands: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://runs.example")
    ui.run(5000)
    assert (capsys.readouterr().out, commands) == ("The runs are at https://runs.example\n", [])
