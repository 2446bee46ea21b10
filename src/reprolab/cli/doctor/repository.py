"""git and DVC, who owns the files, MLflow's store and where data come from."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError

from reprolab.cli.doctor.finding import Finding
from reprolab.core.git import OF_ANOTHER, git, run_git
from reprolab.core.layout import FIGURES, METRICS, MLFLOW_DATABASE, MODELS, RAW, SPLITS, TRAININGS
from reprolab.data.fetch import MIRROR_VARIABLE, open_address
from reprolab.tracking.store import SQLITE, tracking_uri

DVC = Path(".dvc")
ANSWER_SECONDS = 5


def _git() -> Iterator[Finding]:
    found = run_git("rev-parse", "--verify", "HEAD")
    if found is None:
        yield Finding("error", "git is not installed, and dvc needs it: install it by your system's package manager")
        return
    if "dubious ownership" in found.stderr:
        yield Finding(
            "note",
            f"git and `dvc exp` refuse {Path.cwd()}, which is another user's: `git config --global --add "
            f"safe.directory '{Path.cwd()}'`, or make it yours",
        )
    elif found.returncode and "not a git repository" not in found.stderr:
        yield Finding("note", "git has no commit here, and `dvc exp` needs one: `git add --all && git commit -m start`")
    if not found.returncode:
        yield Finding("ok", f"git at commit {found.stdout.strip()[:10]}")
        if git("symbolic-ref", "--quiet", "HEAD") is None:
            yield Finding("note", "git's HEAD is detached, so commits are on no branch: `git switch -c <name>`")
    if git("var", "GIT_COMMITTER_IDENT") is None:
        yield Finding(
            "note",
            "git does not know who you are, so it commits nothing: `git config --global user.name '…'`, and user.email",
        )
    if given := [name for name in OF_ANOTHER if name in os.environ]:
        yield Finding("note", f"{', '.join(given)}: set for another repository, it seems; reprolab does not heed it")


def _dvc() -> Iterator[Finding]:
    from dvc.exceptions import DvcException  # takes a second to import
    from dvc.repo import Repo
    from dvc.scm import SCMError

    lock = DVC / "tmp/rwlock"
    try:
        json.loads(lock.read_bytes() if lock.exists() else b"{}")
    except (OSError, ValueError):
        yield Finding(
            "error", f"{lock} is damaged, left by a dvc that was killed: when no other dvc is at work, `rm {lock}`"
        )
    if (root := os.environ.get("DVC_ROOT")) and Path(root).resolve() != Path.cwd():
        yield Finding("note", f"DVC_ROOT is {root}, which is not this repository: reprolab does not heed it")
    try:
        with Repo(".") as repo:
            cache = Path(repo.cache.local.path)
            links = repo.config["cache"].get("type", [])
    except (DvcException, SCMError, OSError, RuntimeError) as error:
        if "not a git repository" in str(error):
            yield Finding(
                "error",
                "this is no git repository, and dvc needs one: clone it instead of unpacking an archive, or `git init "
                "&& git add --all && git commit -m start`",
            )
        else:
            yield Finding("error", f"dvc cannot work here ({error}): see `dvc doctor` and the files .dvc/config*")
        return
    yield from _writable(cache)
    if cache.exists() and cache.stat().st_dev != Path().stat().st_dev:
        yield Finding("note", f"the cache of dvc, {cache}, is on another disk, so data are copied and take space twice")
    if set(links) & {"symlink", "hardlink"}:
        yield Finding(
            "note",
            f"dvc links outputs into its cache (cache.type {', '.join(links)}): never edit one in its place, `dvc "
            "unprotect` it first",
        )


def _ownership() -> Iterator[Finding]:
    """Of what a stage or a command writes to; DVC makes the files of its cache read-only by itself."""
    folders = (Path(), Path(".git"), DVC, DVC / "tmp", TRAININGS, METRICS, MODELS, FIGURES, RAW, SPLITS)
    yield from _writable(*folders, Path("dvc.lock"), MLFLOW_DATABASE, Path("mlartifacts"))


def _writable(*paths: Path) -> Iterator[Finding]:
    for path in map(Path.resolve, paths):
        if path.exists() and not os.access(path, os.W_OK):
            yield Finding("error", f"{path} cannot be written by you: `sudo chown -R \"$(id -un)\" '{path}'`")


def _links() -> Iterator[Finding]:
    for folder in (RAW, SPLITS, MODELS, FIGURES, METRICS):
        for path in (folder, *folder.rglob("*")):
            if path.is_symlink() and not path.exists():
                yield Finding("error", f"{path} is a link to nothing, {path.readlink()}: `dvc checkout` or `dvc repro`")
                return


def _store() -> Iterator[Finding]:
    """Whatever is wrong with it stops no training."""
    uri = tracking_uri()
    remedy = "runs are not tracked meanwhile, and results are in files all the same"
    if uri.startswith(SQLITE):
        path = Path(uri.removeprefix(SQLITE))
        try:
            if path.exists():
                with closing(sqlite3.connect(path, timeout=1)) as connection:
                    connection.execute("BEGIN IMMEDIATE")
            elif not os.access(path.parent, os.W_OK):
                raise OSError(f"{path.parent} cannot be written")
        except (sqlite3.Error, OSError) as error:
            yield Finding("note", f"MLflow's store {path} cannot be used ({error}): {remedy}")
            return
    elif uri.startswith(("http://", "https://")):
        try:
            open_address(f"{uri.rstrip('/')}/health", ANSWER_SECONDS).close()
        except (OSError, HTTPException, ValueError) as error:
            yield Finding("note", f"MLflow's server {uri} does not answer ({error}): {remedy}")
            return
    yield Finding("ok", f"MLflow's store {uri}")


def _mirror() -> Iterator[Finding]:
    mirror = os.environ.get(MIRROR_VARIABLE)
    if not mirror:
        yield Finding("ok", f"data from their official addresses ({MIRROR_VARIABLE} is not set)")
    elif not mirror.startswith(("http://", "https://")):
        if Path(mirror).is_dir():
            yield Finding("ok", f"data from {mirror}, else from their official addresses")
        else:
            yield Finding("note", f"{MIRROR_VARIABLE}: {mirror} is no folder: set it to a folder or address")
    else:
        try:
            open_address(mirror, ANSWER_SECONDS).close()
        except HTTPError:
            pass  # it answers
        except (OSError, HTTPException, ValueError) as error:
            yield Finding("note", f"{MIRROR_VARIABLE}: {mirror} does not answer ({error})")
            return
        yield Finding("ok", f"data from {mirror}, else from their official addresses")


LOOKS = (_git, _dvc, _ownership, _links, _store, _mirror)
