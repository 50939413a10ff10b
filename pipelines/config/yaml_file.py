"""Reads YAML that people write: UTF-8, a mapping, each key once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from models.errors import CampaignError

_INT, _FLOAT, _BOOL = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool"))


class _AsWritten(yaml.SafeLoader):
    """Safe YAML 1.2 in which a key stands once: the last of two would win in silence.

    The parser's own YAML 1.1 reads 1:30:00 as 5,400, 010 as 8 and `no` as false; people do not.
    """


_AsWritten.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag not in (_INT, _FLOAT, _BOOL)]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

_NUMBER_STARTS = list("-+.0123456789")
_AsWritten.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_AsWritten.add_implicit_resolver(_INT, re.compile(r"^[-+]?[0-9]+$"), _NUMBER_STARTS)
_AsWritten.add_implicit_resolver(
    _FLOAT,
    re.compile(r"^(?:[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?|\.nan|[-+]?\.inf)$"),
    _NUMBER_STARTS,
)


def _whole(loader: _AsWritten, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node))


_AsWritten.add_constructor(_INT, _whole)


def _mapping_once_each(loader: _AsWritten, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[object] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice; keep one", key.start_mark
                )
            seen.add(key.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_AsWritten.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_once_each)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        CampaignError: the file is absent, is not YAML or is not a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_AsWritten)
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path}: cannot be read ({error}); give a UTF-8 YAML file") from error
    except yaml.YAMLError as error:
        raise CampaignError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        raise CampaignError(f"{path}: is empty; expected `key: value` lines")
    if not isinstance(content, dict):
        raise CampaignError(f"{path}: expected `key: value` lines, found a {type(content).__name__}")
    return content
