"""Models in MLflow: exported PyTorch programs, which need neither this library nor pickle to be loaded."""

import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprolab.core.secrets import cleaned
from reprolab.tracking.content import EXPERIMENT, IDENTITY, Model, Run
from reprolab.tracking.store import Store

if TYPE_CHECKING:
    from reprolab.models.classifier import Classifier

ERROR = "reprolab.model_error"
UPLOAD_SECONDS = 120.0


def log_model(store: Store, run: Run, model: Model, number: str, also: str | None = None) -> None:
    """Have MLflow hold the model once, as that of the run with this number, and name it in the run `also`.

    A network that cannot be exported leaves a tag that says why.
    """
    experiment = store.experiment(run.experiment, run.about)
    for found in model_of(store, experiment, model.name, number):
        if found.tags.get(IDENTITY) == model.identity and str(found.status) == "READY":
            return
        store.call("delete_logged_model", found.model_id)  # half uploaded, or of another best seed
    with tempfile.TemporaryDirectory() as folder:
        try:
            _export(model, Path(folder) / "model")
        except Exception as error:  # not every network can be exported
            store.call("set_tag", number, ERROR, cleaned(str(error))[:500])
            return
        _upload(store, experiment, model, number, also, Path(folder) / "model")


def model_of(store: Store, experiment: str, name: str, number: str) -> list[Any]:
    found, token = [], None
    while True:
        page = store.call("search_logged_models", [experiment], f"name = '{name}'", page_token=token)
        found += [model for model in page if model.source_run_id == number]
        token = page.token
        if not token:
            return found


def _upload(store: Store, experiment: str, model: Model, number: str, also: str | None, folder: Path) -> None:
    from mlflow.entities import LoggedModelOutput

    tags = {IDENTITY: model.identity, EXPERIMENT: model.name}
    created = store.call(
        "create_logged_model", experiment, name=model.name, source_run_id=number, tags=tags, model_type="classifier"
    )
    store.call("log_model_artifacts", created.model_id, str(folder), seconds=UPLOAD_SECONDS)
    for run in filter(None, (number, also)):
        store.call("log_outputs", run, [LoggedModelOutput(created.model_id, step=0)])
    store.call("finalize_logged_model", created.model_id, "READY")


def _export(model: Model, folder: Path) -> None:
    import mlflow
    import numpy as np

    classifier = _classifier(model)
    shape, kind = model.split["shape"], np.uint8 if len(model.split["shape"]) == 3 else np.float32
    example = np.load(model.example) if model.example else np.zeros((2, *shape), kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's own, on the CPU
        mlflow.pytorch.save_model(
            classifier,
            folder,
            input_example=example,
            serialization_format="pt2",
            pip_requirements=[f"{package}=={version(package)}" for package in ("torch", "numpy")],
        )


def _classifier(model: Model) -> "Classifier":
    from safetensors.torch import load_file

    from reprolab.core.config import Experiment
    from reprolab.data.parts import SplitInfo
    from reprolab.models.classifier import build_classifier

    experiment = Experiment.model_validate(model.parameters)
    classifier = build_classifier(experiment, SplitInfo.model_validate(model.split))
    classifier.load_state_dict(load_file(model.weights))
    return classifier.eval()
