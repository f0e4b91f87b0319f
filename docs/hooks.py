"""Publish the files of the repository that the pages link to, such as benchmark results.

Pages link to them relatively (``../benchmarks/...``), which works wherever the repository is shown.
On the site the linked files lie below ``repository/``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(\.\./([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Add every file outside ``docs`` that a page links to, and the pictures beside a report."""
    for page in list(files.documentation_pages()):
        for target, _ in LINK.findall(page.content_string):
            path = ROOT / target
            if not path.is_file():
                raise PluginError(f"{page.src_uri} links to {target}, which does not exist")
            pictures = path.parent.glob("*.png") if path.suffix == ".md" else ()
            for linked in (path, *pictures):
                uri = published(linked)
                if uri not in files.src_uris:
                    files.append(File.generated(config, uri, abs_src_path=str(linked)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Point links out of ``docs`` to the published copies."""
    return LINK.sub(lambda link: f"]({published(ROOT / link[1])}{link[2] or ''})", markdown)


def published(path: Path) -> str:
    """Return where a file lies on the site. Markdown is published as text, as it was committed."""
    uri = f"repository/{path.relative_to(ROOT).as_posix()}"
    return f"{uri}.txt" if path.suffix == ".md" else uri
