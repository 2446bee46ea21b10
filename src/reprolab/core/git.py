"""What git knows of the checkout."""

import os
import subprocess

# A hook of another repository sets these, and git would then speak of that one.
OF_ANOTHER = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX")


def git(*arguments: str) -> str | None:
    """What a git command prints.

    None where it fails: git is not installed, this is no repository, or it is another user's.
    """
    found = run_git(*arguments)
    return None if found is None or found.returncode else found.stdout


def run_git(*arguments: str) -> subprocess.CompletedProcess[str] | None:
    """None where git is not installed. It speaks English, and asks nothing."""
    environment = {name: value for name, value in os.environ.items() if name not in OF_ANOTHER}
    try:
        return subprocess.run(
            ["git", "--no-optional-locks", "--no-pager", *arguments],
            env=environment | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError:
        return None


def head() -> str | None:
    """The hash of the commit that is checked out."""
    return (git("rev-parse", "HEAD") or "").strip() or None


def is_edited() -> bool:
    """Whether files differ from the commit; what DVC changes while it runs a stage is no edit of the user's."""
    return bool(git("status", "--porcelain", "--", ".", ":!dvc.lock", ":!metrics", ":!*.gitignore"))
