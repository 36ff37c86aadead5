"""Configuration of the documentation site; `make docs` builds it into build/docs/html without a network."""

from __future__ import annotations

import importlib.util
import sys
import types
from importlib.metadata import version as installed_version
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_extensions"))

# The callbacks are documented whether or not the trainers that call them are installed: of these only a base class is needed.
for package, base in (("lightning.pytorch", "Callback"), ("transformers", "TrainerCallback")):
    if importlib.util.find_spec(package.partition(".")[0]) is None:
        sys.modules[package] = types.ModuleType(package)
        setattr(sys.modules[package], base, type(base, (), {"__module__": package}))

project = "overtone"
author = "the overtone developers"
copyright = "the overtone developers, Apache License 2.0"
release = version = installed_version("overtone")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "links",
    "reference",
]
exclude_patterns = ["_build", "gallery/**", "_static/NOTICE.md", "auto_gallery/**/*.py", "sg_execution_times.rst", "auto_gallery/sg_execution_times.rst", "auto_gallery/**/sg_execution_times.rst"]
templates_path = []
html_static_path = ["_static"]
# At the root of the site: a summary for language models, and the schemas under the address that is their $id.
html_extra_path = ["llms.txt", "../src/overtone/cli/schemas"]
nitpicky = False
default_role = "code"  # docstrings mark code by one backtick

# Pages
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["config.cache"]

# Reference
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"ArrayLike": "numpy.typing.ArrayLike"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False

# Formulas: a copy of MathJax lies beside the pages.
mathjax_path = "mathjax-tex-svg.js"

# Gallery
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "auto_gallery",
    "filename_pattern": r"plot_",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 10_000,
    "abort_on_example_error": True,
    # The first one warns of axes without a label or a unit; the second one stores the figures.
    "image_scrapers": ("figure_labels.warn", "matplotlib"),
    "plot_gallery": True,
    "subsection_order": [
        f"gallery/{name}" for name in ("measure", "predict", "steer", "networks", "signals", "compare")
    ],
    "within_subsection_order": "FileNameSortKey",
    "show_signature": False,
}

# Look
html_theme = "pydata_sphinx_theme"
html_title = "overtone"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_show_search_summary = False  # summaries are fetched, which pages opened from a file may not do
html_theme_options = {
    "logo": {"text": "overtone"},
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "navigation_depth": 2,
    "collapse_navigation": True,
    "show_nav_level": 1,
}


def setup(app):
    """Write the lab beside the pages, so that it opens from the site."""
    app.connect("build-finished", write_lab)


def write_lab(app, exception):
    """Write `lab.html` at the root of the built site."""
    if exception is None and app.builder.format == "html":
        from overtone import lab

        lab.write(Path(app.outdir) / "lab.html")
