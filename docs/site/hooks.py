"""What the site needs beside docs/: the README as its first page, and the files outside of docs/ that pages link to."""

import re
from pathlib import Path

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
_OUTSIDE = re.compile(r"\]\(\.\./([^)#]+)\)")


def on_files(files, config):
    """Add them."""
    pages = [ROOT / "docs" / file.src_uri for file in files.documentation_pages()]
    readme = (ROOT / "README.md").read_text().replace("](docs/", "](")
    files.append(File.generated(config, "index.md", content=readme))
    linked = {ROOT / name for page in pages for name in _OUTSIDE.findall(page.read_text())}
    for path in sorted({each for link in linked for each in (link.iterdir() if link.is_dir() else [link])}):
        files.append(File.generated(config, _uri(path), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Let links to files outside of docs/ lead to their copies; a folder's to its first file."""

    def link(found):
        path = ROOT / found[1]
        return f"]({_uri(sorted(path.iterdir())[0] if path.is_dir() else path)})"

    return _OUTSIDE.sub(link, markdown)


def _uri(path):
    name = f"files/{path.relative_to(ROOT)}"
    return f"{name}.txt" if path.suffix == ".md" else name  # a copy, not a page
