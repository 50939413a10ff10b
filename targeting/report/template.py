"""Fills the templates that lie beside a package's code. jinja2 is imported on use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from models.escaping.media import for_html


def filled(package: str, context: Mapping[str, object]) -> str:
    """`template.html.j2` of the package as one HTML document that needs nothing else.

    Args:
        package: whose template; what it includes is found by its path in the package.
        context: everything that it names; a name without a value is an error.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=for_html,
        loader=FunctionLoader(lambda path: files(package).joinpath(path).read_text("utf-8")),
    )
    return environment.get_template("template.html.j2").render(**context)
