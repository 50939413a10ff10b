"""Sphinx: the pages of this folder as a site, with what the docstrings say in `reference`.

`make docs` builds it; a warning fails the build.
"""

project = "fan-targeting"
author = "the fan-targeting team"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["site"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
html_theme = "alabaster"
html_theme_options = {"description": "Whom to show, where, with how much money", "fixed_sidebar": True}
html_static_path, html_css_files = ["_static"], ["site.css"]
html_show_sourcelink = False
suppress_warnings = ["myst.xref_missing"]  # links to README, SECURITY and code outside this folder
