"""What git's history knows of a result: the files that it was made from, and the commit that brought it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reprolab.core.git import git
from reprolab.core.progress import progress_bar

if TYPE_CHECKING:
    from dvc.repo import Repo

LOCK = "dvc.lock"


@dataclass(frozen=True)
class Files:
    """A file or folder as it is now or was in a commit: the MD5 of each file by its path from the repository's root."""

    fs: Any = field(repr=False)
    root: str
    md5: dict[str, str]

    def read(self, path: str) -> str:
        """Raises UnicodeDecodeError for what is no text."""
        return str(self.fs.read_text(self.fs.join(self.root, path), encoding="utf-8"))

    def differing(self, other: "Files") -> list[str]:
        """Paths of the files that are not the same in both."""
        return sorted(path for path in self.md5 | other.md5 if self.md5.get(path) != other.md5.get(path))


@dataclass(frozen=True)
class Commit:
    hash: str
    date: str
    subject: str

    def __str__(self) -> str:
        return f"in commit {self.hash[:10]} of {self.date}: {self.subject}"


class History:
    """Of the git repository that a DVC repository lies in; empty where there is none."""

    def __init__(self, repo: "Repo") -> None:
        from scmrepo.git import Git

        self.repo = repo
        self.scm = repo.scm if isinstance(repo.scm, Git) else None
        self._former: dict[tuple[str, str], Files | None] = {}
        self._locks: dict[str, dict[str, Any]] = {}

    def present(self, path: str) -> Files:
        return self._files(self.repo.fs, self.repo.root_dir, path, self.repo.dvcignore)[1]

    def former(self, path: str, md5: str) -> Files | None:
        """What a dependency was when DVC gave it the hash `md5`; None where no commit has it so."""
        if (path, md5) not in self._former:
            self._former[path, md5] = self._search(path, md5)
        return self._former[path, md5]

    def commit_of(self, stage: str, outputs: dict[str, str]) -> Commit | None:
        """The commit that brought a stage's outputs, given with their hashes; None where the last one has others."""
        found = None
        for commit in self._commits("HEAD", "--topo-order", "--", LOCK):
            if _outputs(self._lock(commit.hash).get(stage)) != outputs:
                break
            found = commit
        return found

    def _search(self, path: str, md5: str) -> Files | None:
        from dvc.fs import GitFileSystem
        from dvc.ignore import DvcIgnoreFilter

        commits = list(self._commits("--all", "--full-history", "--", path))
        with progress_bar(f"searching the commits of {path}", len(commits), "commits") as bar:
            for commit in commits:
                bar.update()
                fs = GitFileSystem(scm=self.scm, rev=commit.hash)
                root = fs.join("/", *self._below_git())
                try:
                    found, files = self._files(fs, root, path, DvcIgnoreFilter(fs, root))
                except FileNotFoundError:  # the commit removed it
                    continue
                if found == md5:
                    return files
        return None

    def _files(self, fs: Any, root: str, path: str, ignore: Any) -> tuple[str, Files]:
        """With the hash that DVC gives to all of it."""
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.tree import Tree

        whole = fs.join(root, path)
        _, _, found = build(self.repo.cache.local, whole, fs, "md5", ignore=ignore, dry_run=True)
        inside = found if isinstance(found, Tree) else [((), None, found.hash_info)]
        md5 = {"/".join([path, *key]): str(info.value) for key, _, info in inside if info}
        return str(found.hash_info.value), Files(fs, root, md5)

    def _commits(self, *arguments: str) -> Iterator[Commit]:
        """The latest first."""
        if self.scm and (log := git("log", "--format=%H%x00%cs%x00%s", *arguments)):
            for line in log.rstrip("\n").split("\n"):
                yield Commit(*line.split("\0", 2))

    def _lock(self, revision: str) -> dict[str, Any]:
        """The stages in `dvc.lock` as the commit has it."""
        from dvc.utils.serialize import parse_yaml

        if revision not in self._locks:
            text = git("show", f"{revision}:./{LOCK}")
            self._locks[revision] = parse_yaml(text, LOCK)["stages"] if text else {}
        return self._locks[revision]

    def _below_git(self) -> tuple[str, ...]:
        """Parts of the path from git's root to DVC's."""
        assert self.scm
        return Path(os.path.relpath(self.repo.root_dir, self.scm.root_dir)).parts


def _outputs(entry: dict[str, Any] | None) -> dict[str, str]:
    return {out["path"]: out["md5"] for out in entry["outs"]} if entry else {}
