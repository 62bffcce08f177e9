"""Pages of the site that exist in another form: the README as its first page, the tutorial's notebook as text.

A hook of MkDocs, named in ``mkdocs.yml``. Links that lead from a page out of ``docs/`` go to the public host.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parent
ROOT = DOCS.parent


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for name, text in {"index.md": start_page(config.repo_url or ""), "tutorial.md": tutorial()}.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, config: MkDocsConfig, **_: Any) -> str:
    """Send links that lead out of ``docs/`` to the repository."""
    return re.sub(r"\]\(\.\./([^)]+)\)", lambda link: f"]({config.repo_url}/{_kind(link[1])}/main/{link[1]})", markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Take what only Sphinx and editors understand out of the docstrings' text: roles, and the ``::`` before code."""
    html = re.sub(r":(?:class|func|meth|attr|data):<code>~?", "<code>", html)
    return html.replace("<p>::</p>", "").replace("::</p>", ":</p>")


def start_page(repository: str) -> str:
    """The README, with its absolute links into ``docs/`` made links of the site, and a player for each clip."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    raw = repository.replace("https://github.com/", "https://raw.githubusercontent.com/")
    text = re.sub(rf"\]\({re.escape(repository)}/(?:blob|raw)/main/docs/([^)]+)\)", r"](\1)", text)
    text = re.sub(rf"{re.escape(raw)}/main/docs/", "", text)
    return re.sub(r"\[([^]]+)\]\((clips/[^)]+\.mp3)\)", r'\1 <audio controls preload="none" src="\2"></audio>', text)


def tutorial() -> str:
    """The cells of the notebook one after another; its outputs are not kept."""
    cells = json.loads((DOCS / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    head, *rest = [_cell(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return "\n\n".join([head, "[Download it as a notebook](tutorial.ipynb).", *rest])


def _cell(kind: str, source: str) -> str:
    return f"```python\n{source}\n```" if kind == "code" else source


def _kind(target: str) -> str:
    return "tree" if (ROOT / target.partition("#")[0]).is_dir() else "blob"
