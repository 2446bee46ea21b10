"""MLflow's pages in Chromium, as somebody sees them who opens them for the first time. `make test-browser` runs it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline import Pipeline
from tests.servers import unused_port

pytestmark = pytest.mark.browser
SCREENSHOTS = Path(__file__).parent.parent / ".reprolab" / "screenshots"
MLP = "experiments.digits-mlp.training"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of MLflow's pages, with three trainings of which two differ in a rate, and a comparison."""
    pipeline = Pipeline(tmp_path_factory.mktemp("pages"), view=True)
    pipeline.set(f"{MLP}.epochs", 10)
    pipeline.set(f"{MLP}.seeds", [0, 1])
    pipeline.commit("longer")
    pipeline.run("dvc", "repro", "compare@digits")
    pipeline.commit("results")
    pipeline.run("dvc", "exp", "run", "-S", f"{MLP}.optimizer.lr=0.02", "evaluate@digits-mlp")
    pipeline.run(sys.executable, "-m", "reprolab", "sync", PYTHONPATH="src")
    port = unused_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "mlflow", "server", "--app-name", "reprolab", "--workers", "1", "--host", "127.0.0.1",
         "--port", str(port), "--backend-store-uri", f"sqlite:///{pipeline.root}/mlflow.db"],
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    try:
        for _ in range(300):
            assert server.poll() is None, "the server ended: `make install` again, since it enters its pages"
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=20)


@pytest.fixture
def browser() -> Iterator[Any]:
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "window-size=1600,1000"):
        options.add_argument(f"--{argument}")
    browser = Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield browser
    browser.quit()


def seen(browser: Any, *words: str) -> str:
    """The text of the page once it has all the words."""
    text = ""

    def there() -> bool:
        nonlocal text
        text = browser.execute_script("return document.body.innerText")  # in a moment, where `.text` takes minutes
        return all(word in text for word in words)

    until(there, f"{words} are not on the page")
    return text


def until(condition: Callable[[], Any], otherwise: str) -> Any:
    for _ in range(150):
        try:
            if found := condition():
                return found
        except Exception as error:  # an element that was drawn anew
            otherwise = f"{otherwise} ({error})"[:300]
        time.sleep(0.2)
    pytest.fail(otherwise)


def click(browser: Any, kind: str, words: str) -> None:
    def done() -> bool:
        element = next(found for found in browser.find_elements("tag name", kind) if found.text.strip() == words)
        element.click()
        return True

    until(done, f"no {kind} {words} to click")


def screenshot(browser: Any, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    time.sleep(1)  # charts are drawn after their words
    browser.save_screenshot(str(SCREENSHOTS / f"{name}.png"))


def test_a_click_on_an_experiment_shows_its_trainings_with_what_tells_them_apart(browser: Any, pages: str) -> None:
    browser.get(pages)
    browser.get(f"{pages}/#/experiments")
    listed = seen(browser, "digits", "comparison", "Trainings on the data set")
    assert "Default" not in listed
    click(browser, "a", "digits")
    text = seen(browser, "digits-mlp (lr=0.02)", "digits-lenet5", "training.optimiz", "test/accuracy")
    assert "Traces" not in text.split("Runs")[0]
    until(lambda: "/runs?" in browser.current_url, "the experiment does not open on its runs")
    for column in ("Dataset", "test/accuracy", "validation/best_accuracy", "training.optimizer.lr"):
        assert browser.find_elements("css selector", f"[col-id*='{column}']"), column
    assert "comparison digits" not in text
    screenshot(browser, "runs")


def test_two_runs_are_compared_by_the_parameter_that_differs(browser: Any, pages: str) -> None:
    browser.get(pages)
    browser.get(f"{pages}/#/experiments")
    click(browser, "a", "digits")
    seen(browser, "digits-mlp (lr=0.02)", "test/accuracy")
    links = [link for link in browser.find_elements("css selector", "[row-index] a") if "digits-mlp" in link.text]
    rows = {link.find_element("xpath", "ancestor::*[@row-index]").get_attribute("row-index") for link in links}
    assert len(rows) == 2
    for row in rows:
        browser.find_element("css selector", f"[row-index='{row}'] .ag-checkbox-input-wrapper").click()
    click(browser, "button", "Compare")
    text = seen(browser, "Comparing 2 Runs", "training.optimizer.lr", "digits-mlp (lr=0.02)")
    assert "0.006" in text and "0.02" in text
    screenshot(browser, "compare")


def test_charts_begin_with_the_test_accuracy_and_show_curves(browser: Any, pages: str) -> None:
    browser.get(pages)
    browser.get(f"{pages}/#/experiments")
    click(browser, "a", "digits")
    seen(browser, "digits-lenet5", "test/accuracy")
    until(lambda: "/runs?" in browser.current_url, "the experiment does not open on its runs")
    browser.get(browser.current_url.replace("/runs?", "/runs?compareRunsMode=CHART&"))
    text = seen(browser, "test/accuracy", "test\n(", "wall\n(")
    places = [
        text.index(words) for words in ("test\n(", "test/accuracy", "test/loss", "train\n(", "validation\n(", "wall\n(")
    ]
    assert places == sorted(places)
    screenshot(browser, "charts")
    search = browser.find_element("css selector", "input[placeholder='Search metric charts']")
    search.send_keys("validation/accuracy")
    until(lambda: "test/accuracy" not in seen(browser), "the search finds too much")
    until(lambda: browser.find_elements("css selector", ".scatterlayer .trace .js-line"), "there is no curve")
    screenshot(browser, "curves")


def test_a_run_leads_to_its_figures_and_its_model(browser: Any, pages: str) -> None:
    browser.get(pages)
    browser.get(f"{pages}/#/experiments")
    click(browser, "a", "digits")
    click(browser, "a", "digits-mlp (lr=0.02)")
    seen(browser, "Means of 2 seeds", "seed 0", "seed 1", "digits (")
    screenshot(browser, "run")
    run = browser.current_url.partition("?")[0]
    browser.get(f"{run}/artifacts/curves.png")
    seen(browser, "curves.png", "confusion.png")
    until(lambda: browser.find_elements("css selector", "img[src^='blob:'], img[src*='curves.png']"), "no figure")
    screenshot(browser, "figure")
    browser.get(f"{run.partition('/runs/')[0]}/models")
    text = seen(browser, "digits-mlp", "digits-lenet5", "Ready")
    assert "Ready" in text
    screenshot(browser, "models")
