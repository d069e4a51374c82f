"""How the documentation is built: Sphinx, MyST, furo."""

from importlib.metadata import version as _version

project = "mtpartial"
author = "The mtpartial developers"
release = version = _version("mtpartial")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
autodoc_typehints = "description"
autodoc_member_order = "bysource"
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "mtpartial"
html_static_path: list[str] = []
smartquotes_action = "qe"  # --help is an option, not a dash
