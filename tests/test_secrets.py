"""What of an address is taken out of a text, in which forms, and what stays."""

import base64
from time import perf_counter
from urllib.parse import quote

import pytest

from reprolab.core.errors import InputError
from reprolab.core.secrets import cleaned

ADDRESSES = {
    "http://al1ce:w0nder@host:5000/x": ["al1ce", "w0nder"],
    "https://t0kenofmine@host": ["t0kenofmine"],
    "http://host:5000/?token=t0kenofmine": ["t0kenofmine"],
    "http://host/x?user=al1ce&password=w0nder#w0nder": ["al1ce", "w0nder"],
    "databricks://my-pr0file": ["my-pr0file"],
    "databricks-uc://my-pr0file": ["my-pr0file"],
    "postgresql://al1ce:w0n@der/l@nd@host/runs": ["al1ce", "w0n", "der", "l@nd"],
    "mysql+pymysql://al1ce:w0n%40der%2Fland@host/runs?ssl_key=w0nder": ["al1ce", "w0n%40der", "w0n@der", "w0nder"],
    "http://al1ce:two words 'quoted' \"w0nder\"@host": ["al1ce", "two words", "w0nder"],
    "http://al1ce:w0n?der#l0st@host/": ["al1ce", "w0n", "der", "l0st"],
}


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("known", [True, False], ids=["of the environment", "of another"])
def test_no_secret_of_an_address_stays(address: str, known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if known:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    elif " " in address:
        pytest.skip("where such an address ends is known of one's own alone")
    text = cleaned(f"API request to {address}/api/2.0 failed: '{address}', <{address}>")
    assert not [secret for secret in ADDRESSES[address] if secret in text], text
    assert text.startswith("API request to ") and "failed" in text
    assert "host" in text or "databricks" in address


@pytest.mark.parametrize(
    "text",
    [
        "HTTPConnectionPool(host='host', port=80): Max retries exceeded with url: /api?token={token}",
        "Failed to parse: http://host:{token}/x",
        'FATAL: password authentication failed for user "al1ce" with {quoted}',
        "headers: {{'Authorization': 'Basic {basic}'}}",
        'could not translate host name "{token}" to address',
    ],
)
def test_pieces_of_the_environment_s_address_are_found_in_any_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://al1ce:w0n/der@host")
    basic = base64.b64encode(b"al1ce:w0n/der").decode()
    given = text.format(token="w0n/der", quoted=quote("w0n/der", safe=""), basic=basic)
    found = cleaned(given)
    assert not [secret for secret in ("al1ce", "w0n", "w0n%2Fder", basic) if secret in found], found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLFLOW_TRACKING_PASSWORD", "pw1"),
        ("MLFLOW_TRACKING_USERNAME", "al1ce-of-old"),
        ("MLFLOW_TRACKING_TOKEN", "t0ken123"),
        ("DATABRICKS_TOKEN", "dapi0123456789"),
        ("AWS_SECRET_ACCESS_KEY", "abc/def+123="),
        ("AZURE_STORAGE_CONNECTION_STRING", "AccountName=a;AccountKey=b123456"),
        ("https_proxy", "http://al1ce:t0ken123@proxy:3128"),
    ],
)
def test_secrets_of_other_variables_are_found(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert value not in cleaned(f"refused: {value}.")
    assert "t0ken123" not in cleaned("refused: t0ken123.") or "t0ken123" not in value


@pytest.mark.parametrize(
    "text",
    [
        "digits-mlp, seed 0, epoch 1: loss 2.3026, accuracy 0.1000",
        "sqlite:////home/me/my lab/mlflow.db: no such table",
        "sqlite:////home/me/a@b #1?/mlflow.db: no such table",
        "http://127.0.0.1:5000/api: connection refused",
        "experiments.token: this key is missing",
        "mail me@example.org: is that so?",
        "basic training, bearer of news",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert cleaned(text) == text


def test_folders_and_settings_of_the_environment_are_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PWD", "OLDPWD", "HOME", "TOKENIZERS_PARALLELISM", "PASSWORD_STORE_DIR"):
        monkeypatch.setenv(name, "/home/me/lab")
    assert cleaned("/home/me/lab/params.yaml is missing") == "/home/me/lab/params.yaml is missing"


def test_a_user_whose_name_is_a_word_hides_no_part_of_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://test:w0nder@host")
    assert cleaned("test_accuracy of latest, by test") == "test_accuracy of latest, by ***"


@pytest.mark.parametrize(
    "text",
    ["a.a-" * 10**5, "://a." * 10**5, "a://" + "@" * 10**5, "token'   " * 10**5],
    ids=["words", "addresses", "signs", "spaces"],
)
def test_a_long_text_is_cleaned_fast(text: str) -> None:
    start = perf_counter()
    cleaned(text)
    assert perf_counter() - start < 2


def test_an_error_is_clean_wherever_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REPROLAB_MIRROR", "http://al1ce:w0nder@host")
    assert str(InputError("w0nder of http://al1ce:w0nder@host/mnist")) == "*** of http://***@host/mnist"
