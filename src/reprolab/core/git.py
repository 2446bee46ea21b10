"""What git knows of the checkout."""

import subprocess


def git(*arguments: str) -> str | None:
    """What a git command prints; None where it fails, this is no repository, or git is not installed."""
    command = ["git", "--no-pager", *arguments]
    try:
        found = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    except FileNotFoundError:
        return None
    return None if found.returncode else found.stdout


def head() -> str | None:
    """The hash of the commit that is checked out."""
    return (git("rev-parse", "HEAD") or "").strip() or None


def is_edited() -> bool:
    """Whether files differ from the commit; what DVC changes while it runs a stage is no edit of the user's."""
    return bool(git("status", "--porcelain", "--", ".", ":!dvc.lock", ":!metrics", ":!*.gitignore"))
