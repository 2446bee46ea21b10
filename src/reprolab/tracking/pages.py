"""MLflow's pages as they open for the first time: on the trainings, with the columns that tell runs apart.

MLflow keeps such choices in the browser and has no default of its own for them, so `make ui` serves its start page with
a script that makes them where nobody has chosen otherwise. The keys are those of MLflow 3; a version that names them
differently ignores them.
"""

import json
from typing import TYPE_CHECKING, Any

from reprolab.tracking.content import STUDY
from reprolab.tracking.publish import PARENT

if TYPE_CHECKING:
    from fastapi import FastAPI
    from mlflow import MlflowClient

FIRST = ("test/accuracy", "validation/best_accuracy")
SHAPING = ("training.", "model.", "init_from", "freeze")  # the rest follows from these
MOST = 5
CHOICES = {
    "mlflow.workflowType_v1": "machine_learning",
    "mlflow.assistant.panelOpen_v1": False,
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": True,
}
# What was chosen for the reader is kept apart, so that it can follow new runs and the reader's own choice stays.
SCRIPT = """<script>
for (const [key, choice] of Object.entries(%s)) {
  const made = localStorage.getItem("reprolab:" + key), present = localStorage.getItem(key);
  if (present === null) localStorage.setItem(key, JSON.stringify(choice));
  else if (made !== null && typeof choice === "object") {
    const kept = JSON.parse(present);
    if (JSON.stringify(kept.selectedColumns) === JSON.stringify(JSON.parse(made).selectedColumns))
      localStorage.setItem(key, JSON.stringify({...kept, selectedColumns: choice.selectedColumns}));
    else continue;
  } else continue;
  localStorage.setItem("reprolab:" + key, JSON.stringify(choice));
}
</script>"""


def create_app() -> "FastAPI":
    """MLflow's server, for `mlflow server --app-name reprolab`."""
    from flask import Response, request
    from mlflow import MlflowClient
    from mlflow.server import app
    from mlflow.server.fastapi_app import create_fastapi_app

    def with_choices(response: Response) -> Response:
        if request.path == "/" and response.mimetype == "text/html":
            response.direct_passthrough = False
            script = SCRIPT % json.dumps(choices(MlflowClient())).replace("<", "\\u003c")
            response.set_data(response.get_data(as_text=True).replace("<head>", f"<head>{script}", 1))
            response.headers["Cache-Control"] = "no-store"
        return response

    app.after_request(with_choices)
    return create_fastapi_app(app)


def choices(client: "MlflowClient") -> dict[str, Any]:
    """By the key in the browser's storage."""
    found: dict[str, Any] = dict(CHOICES)
    for experiment in client.search_experiments():
        runs = client.search_runs([experiment.experiment_id], max_results=200)
        key = f'MLflowLocalStorage-1.1-ExperimentPage-["{experiment.experiment_id}"]-ReactComponentState'
        if experiment.name.startswith(f"{STUDY} "):
            found[key] = _study([run for run in runs if PARENT in run.data.tags])
        elif columns := _columns([run for run in runs if PARENT not in run.data.tags]):
            found[key] = {"selectedColumns": columns}
    return found


def _study(trainings: list[Any]) -> dict[str, Any]:
    """The best training first, with what differs between them, and parallel coordinates of all."""
    settings = sorted({name for run in trainings for name in run.data.params})
    section, metric = "study", "validation/accuracy"
    return {
        "selectedColumns": [f"metrics.`{metric}`", *(f"params.`{name}`" for name in settings[:MOST])],
        "orderByKey": f"metrics.`{metric}`",
        "orderByAsc": False,
        "compareRunSections": [{"uuid": section, "name": "Study", "display": True, "isReordered": False}],
        "compareRunCharts": [
            {
                "uuid": "parallel",
                "type": "PARALLEL",
                "metricSectionId": section,
                "deleted": False,
                "isGenerated": False,
                "selectedParams": settings,
                "selectedMetrics": [metric],
                "showAllRuns": True,
            }
        ],
    }


def _columns(runs: list[Any]) -> list[str]:
    """Data set and accuracy, then the parameters that differ from run to run; of comparisons every accuracy."""
    metrics = sorted({name for run in runs for name in run.data.metrics})
    if not any(name in metrics for name in FIRST):
        return [f"metrics.`{name}`" for name in metrics if name.startswith("accuracy/")][:MOST]
    values = {
        name: {run.data.params.get(name) for run in runs}
        for name in {name for run in runs for name in run.data.params}
        if name.startswith(SHAPING)
    }
    # What every run has tells more than what one kind of network or schedule alone has.
    differing = sorted(
        (name for name, found in values.items() if len(found) > 1),
        key=lambda name: (None in values[name], not name.startswith(SHAPING[0]), name),
    )
    shown = [f"metrics.`{name}`" for name in FIRST if name in metrics]
    return ["attributes.`Dataset`", *shown, *(f"params.`{name}`" for name in differing[:MOST])]
