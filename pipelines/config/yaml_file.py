"""Reads YAML that people write: UTF-8, a mapping, each key once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from models.errors import CampaignError


class _OnceEach(yaml.SafeLoader):
    """Safe YAML in which a key stands once: the last of two would win in silence."""


def _mapping_once_each(loader: _OnceEach, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice; keep one", key.start_mark
                )
            seen.add(key.value)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_OnceEach.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_once_each)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        CampaignError: the file is absent, is not YAML or is not a mapping.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_OnceEach)
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path}: cannot be read ({error}); give a UTF-8 YAML file") from error
    except yaml.YAMLError as error:
        raise CampaignError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        raise CampaignError(f"{path}: is empty; expected `key: value` lines")
    if not isinstance(content, dict):
        raise CampaignError(f"{path}: expected `key: value` lines, found a {type(content).__name__}")
    return content
