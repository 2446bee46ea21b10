"""No user, password, token or query of a tracking address is in anything that a run leaves, whatever fails."""

from pathlib import Path

import pytest

from reprolab.tracking.content import ERROR
from reprolab.tracking.publish import Publisher
from reprolab.tracking.store import Store, StoreError
from tests.factories import use
from tests.servers import running
from tests.tracked import Recorded

ADDRESSES = [
    "http://al1ce:w0nder@127.0.0.1:9",
    "https://w0nder-t0ken@127.0.0.1:9/x",
    "http://127.0.0.1:9/?token=w0nder-t0ken",
    "http://al1ce:w0n/der@l@nd@127.0.0.1:9",
    "http://al1ce:w0nder@[::1",
    "databricks://al1ce-pr0file",
    "postgresql://al1ce:w0n@der/l@nd@127.0.0.1:9/runs",
    "mysql+pymysql://al1ce:w0n%40der@127.0.0.1:9/runs?ssl_key=w0nder",
    "sqlite:////no/such/folder/al1ce.db?w0nder",
]


@pytest.mark.parametrize("uri", ADDRESSES)
def test_a_store_that_fails_tells_no_secret_in_one_short_line(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    use(tmp_path, monkeypatch, uri=uri)
    with pytest.raises(StoreError) as raised:
        Store()
    error = str(raised.value)
    assert error.startswith("MLflow at ") and "\n" not in error and len(error) < 450
    if not uri.startswith("sqlite"):  # whose path is no secret
        printed = "".join(capfd.readouterr())
        assert not [secret for secret in ("al1ce", "w0n", "l@nd") if secret in error + printed], error


def test_what_a_run_leaves_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "server").mkdir()
    with running(tmp_path / "server") as server:
        address = server.uri.replace("//", "//al1ce:w0nder%2Fland@")
        root = use(tmp_path, monkeypatch, uri=address)
        recorded = Recorded()
        recorded.train(error=ValueError(f"could not send to {address} of al1ce with w0nder/land"))
        store = Store()
        Publisher(store).publish(recorded.run())
        (run,) = store.search(store.experiments())
    assert run.data.tags[ERROR].startswith("ValueError: could not send to http://***@127.0.0.1:")
    left = [path for folder in (root, tmp_path / "server") for path in folder.rglob("*") if path.is_file()]
    assert {"journal.jsonl", "server.db", "experiment.yaml"} <= {path.name for path in left}
    for content in (*(text.encode() for text in capfd.readouterr()), *(path.read_bytes() for path in left)):
        assert not [secret for secret in (b"al1ce", b"w0nder", b"w0nder%2Fland") if secret in content]


def test_a_run_around_this_process_is_left_alone(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = store.client.create_run(store.client.create_experiment("notebook"))
    for name, value in {"RUN_ID": other.info.run_id, "EXPERIMENT_NAME": "notebook", "EXPERIMENT_ID": "9"}.items():
        monkeypatch.setenv(f"MLFLOW_{name}", value)
    recorded = Recorded()
    recorded.train()
    recorded.evaluate(tmp_path / "files")
    number = Publisher(Store()).publish(recorded.run())
    found, left = store.client.get_run(number), store.client.get_run(other.info.run_id)
    assert found.info.status == "FINISHED" and found.data.metrics and len(found.outputs.model_outputs) == 1
    assert found.info.experiment_id != left.info.experiment_id
    assert (left.data.metrics, left.data.params, left.outputs.model_outputs) == ({}, {}, [])
