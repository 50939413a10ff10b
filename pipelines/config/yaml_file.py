"""Reads YAML that people write: UTF-8, a mapping, each key once; no larger or deeper than people write it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from models.errors import CampaignError
from models.escaping.media import is_printable
from pipelines.store import disk

MOST_BYTES = 1 << 20
"""Of a file: ten thousand constraints."""
MOST_DEPTH, MOST_NODES = 20, 200_000
"""Of values in each other, and with every alias written out: 629 bytes of aliases can mean billions."""

_INT, _FLOAT, _BOOL = (f"tag:yaml.org,2002:{kind}" for kind in ("int", "float", "bool"))


class _AsWritten(yaml.SafeLoader):
    """Safe YAML 1.2 in which a key stands once: the last of two would win in silence.

    The parser's own YAML 1.1 reads 1:30:00 as 5,400, 010 as 8 and `no` as false; people do not.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth, self._nodes = 0, 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A node, bounded in depth, and in nodes where every alias is written out."""
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            found = super().compose_node(parent, index)
            if id(found) not in self._sizes:
                raise yaml.composer.ComposerError(None, None, "an alias stands inside what it names", mark)
            self._count(self._sizes[id(found)], mark)
            return found
        mark, before = self.get_mark(), self._nodes
        if self._depth >= MOST_DEPTH:
            raise yaml.composer.ComposerError(
                None, None, f"values stand more than {MOST_DEPTH} deep in each other", mark
            )
        self._depth += 1
        found = super().compose_node(parent, index)
        self._depth -= 1
        self._count(1, mark)
        self._sizes[id(found)] = self._nodes - before
        return found

    def _count(self, nodes: int, mark: yaml.Mark) -> None:
        self._nodes += nodes
        if self._nodes > MOST_NODES:
            raise yaml.composer.ComposerError(
                None, None, f"more than {MOST_NODES:,} values, with every alias written out", mark
            )

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value; one that its tag cannot hold (`!!int abc`, the 45th of May) is an error with its place."""
        try:
            value = super().construct_object(node, deep)
        except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"cannot be read as {kind}: {str(error)[:100]}", node.start_mark
            ) from error
        if isinstance(value, str) and not is_printable(" ".join(value.split())):
            raise yaml.constructor.ConstructorError(
                None, None, "text holds a control character; take it out", node.start_mark
            )
        return value


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
        content = yaml.load(_text(path), Loader=_AsWritten)
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path}: cannot be read ({error}); give a UTF-8 YAML file") from error
    except yaml.YAMLError as error:
        raise CampaignError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from error
    if content is None:
        raise CampaignError(f"{path}: is empty; expected `key: value` lines")
    if not isinstance(content, dict):
        raise CampaignError(f"{path}: expected `key: value` lines, found a {type(content).__name__}")
    return content


def _text(path: Path) -> str:
    """The file's text.

    Raises:
        CampaignError: it is no file (a pipe would be waited for), or larger than people write.
    """
    with disk.open_file(path) as file:
        held = file.read(MOST_BYTES + 1)
    if len(held) > MOST_BYTES:
        raise CampaignError(f"{path}: is larger than {MOST_BYTES >> 20} MB; expected a brief or settings")
    return held.decode("utf-8-sig")
