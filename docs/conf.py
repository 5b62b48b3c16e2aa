"""The documentation site: MyST Markdown, and an API reference from the docstrings, built with Sphinx.

docs/adr/0009-documentation-with-sphinx.md says why it is Sphinx. `make docs` builds the site.
"""

from __future__ import annotations

import html
import importlib.metadata
import os
import re
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import inspect
from sphinx.util.docutils import SphinxDirective

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.cdk import toolchain_environment  # noqa: E402 - it is found on the path that was just extended

# autodoc imports the library, which imports aws_cdk, which starts Node.js.
os.environ.update(toolchain_environment())

from constructs import Construct  # noqa: E402 - importing it starts Node.js

_PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_REPOSITORY: Final = _PROJECT["urls"]["Repository"]

# Sphinx's settings: https://www.sphinx-doc.org/en/master/usage/configuration.html
project = "Security Hub actions"
author = _PROJECT["authors"][0]["name"]
copyright = author  # noqa: A001 - Sphinx's name
release = version = importlib.metadata.version(_PROJECT["name"])
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["README.md"]  # index.rst includes it
templates_path = ["_templates"]
nitpicky = False  # aws-cdk-lib publishes no inventory that a type in a signature could refer to
pygments_style = "friendly"

# Docstrings are written in Google style and mark code with single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
autoclass_content = "both"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
add_module_names = False
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80

# Anchors as on GitHub, so that one link works in both places.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
myst_fence_as_directive = ["mermaid"]

html_theme = "pydata_sphinx_theme"
html_title = project
html_static_path = ["_static", str(ROOT / "node_modules" / "@mermaid-js" / "tiny" / "dist")]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False
html_show_sourcelink = False
html_sidebars = {"**": ["all-pages"]}
html_theme_options = {
    "logo": {"text": project},
    "icon_links": [{"name": "Repository", "url": _REPOSITORY, "icon": "fa-brands fa-github"}],
    "navbar_center": [],
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["sphinx-version"],
    "footer_end": [],
    "show_toc_level": 2,
    "back_to_top_button": True,
}

_LINK: Final = re.compile(r"\]\((?P<path>\.\./[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


class Mermaid(SphinxDirective):
    """A diagram, drawn by the reader's browser from its text; without JavaScript the text is shown."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Keep the text, for _static/diagrams.js to draw."""
        self.env.metadata[self.env.docname]["has_diagram"] = "yes"
        text = html.escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">\n{text}\n</pre>', format="html")]


def _load_mermaid(app: Sphinx, page: str, _template: str, _context: dict[str, Any], _tree: object) -> None:
    if "has_diagram" in app.env.metadata.get(page, {}):
        app.add_js_file("mermaid.tiny.js", loading_method="defer")
        app.add_js_file("diagrams.js", loading_method="defer")


def _link_to_repository(app: Sphinx, page: str, source: list[str]) -> None:
    """Lead links that leave docs/, which work in a checkout and on GitHub, to the repository."""
    folder = Path(app.env.doc2path(page)).parent

    def absolute(link: re.Match[str]) -> str:
        path = (folder / link["path"]).resolve()
        if path.is_relative_to(app.srcdir):
            return link[0]
        kind = "tree" if path.is_dir() else "blob"
        return f"]({_REPOSITORY}/{kind}/main/{path.relative_to(ROOT)}{link['anchor'] or ''})"

    source[0] = _LINK.sub(absolute, source[0])


def _leave_decisions_to_their_index(app: Sphinx, _tree: object) -> None:
    """Keep the records out of the list of all pages; decisions.md lists them."""
    page = app.env.current_document.docname
    if page.startswith("adr/"):
        app.env.metadata[page]["orphan"] = "yes"


def _show_example_as_code(
    _app: Sphinx, _what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Make a code block of an `Example:`, which napoleon takes for prose. Runs before napoleon."""
    for number, line in enumerate(lines):
        if line.strip() == "Example:":
            lines[number : number + 1] = [".. rubric:: Example", "", "::", ""]
            return


def _show_constructors_own_arguments(
    _app: Sphinx, what: str, _name: str, described: object, _options: object, _signature: str, _returns: str
) -> tuple[str, str] | None:
    """Show what a construct takes: jsii gives its classes a constructor of (*args, **kwargs)."""
    if what != "class" or not (isinstance(described, type) and issubclass(described, Construct)):
        return None
    own = inspect.signature(described.__init__, bound_method=True)
    return inspect.stringify_signature(own, show_return_annotation=False, unqualified_typehints=True), ""


def setup(app: Sphinx) -> None:
    """Add what this site needs beyond its extensions."""
    app.add_directive("mermaid", Mermaid)
    app.connect("html-page-context", _load_mermaid)
    app.connect("source-read", _link_to_repository)
    app.connect("doctree-read", _leave_decisions_to_their_index)
    app.connect("autodoc-process-docstring", _show_example_as_code, priority=100)
    app.connect("autodoc-process-signature", _show_constructors_own_arguments)
