"""YAML -> settings, as the types of a configuration's keys have it: what is text there stays as it is written (pure).

YAML reads ``no`` as false, ``010`` as 8 and ``2026-11-23`` as a date, which an id or a label never means.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel

_NULL = "tag:yaml.org,2002:null"
_TEXT = "tag:yaml.org,2002:str"
_MERGE = "tag:yaml.org,2002:merge"
_CONTAINERS = {tuple, dict}
MAX_KEY_CHARACTERS = 128  # of a key in a message


def read_yaml(text: str, kind: Any) -> tuple[Any, list[str]]:
    """Return the value of a YAML text for a type, and what is wrong with its keys; raises YAMLError.

    ``kind`` is a model or the type of one of its keys.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, []
        faults = _key_faults(node)
        return _value(loader, node, kind), faults
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise yaml.YAMLError("expected values that their tags allow") from error
    finally:
        loader.dispose()


def read_argument(text: str, kind: Any) -> tuple[Any, list[str]]:
    """Return the value of an argument for a type: text as it stands, anything else as YAML; raises YAMLError."""
    parts = set(_parts(kind))
    opening = "[" if tuple in parts else "{" if dict in parts else None
    if is_text(kind) and not (opening and text.startswith(opening)):
        return text or None, []
    return read_yaml(text, kind)


def types_of_keys(model: type[BaseModel]) -> dict[str, Any]:
    """Return the type of each key, by the name that a configuration has for it."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def section_of(kind: Any) -> type[BaseModel] | None:
    """Return the model of a key that is a section of keys."""
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def is_text(kind: Any) -> bool:
    """Tell whether a type is made of text alone: a text, words, a list or a mapping of texts."""
    parts = set(_parts(kind))
    return str in parts and parts <= {str, type(None), *_CONTAINERS}


def _parts(kind: Any) -> Iterator[Any]:
    """Yield the types that a type is made of: tuple and str of ``tuple[Annotated[str, ...], ...]``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        yield from map(type, arguments)
        return
    if origin is None or origin in _CONTAINERS:
        yield origin or kind
    for argument in arguments[:1] if origin is Annotated else arguments:
        if argument is not Ellipsis:
            yield from _parts(argument)


def _value(loader: yaml.SafeLoader, node: yaml.Node, kind: Any) -> Any:
    section = section_of(kind)
    if section and isinstance(node, yaml.MappingNode):
        kinds = types_of_keys(section)
        return {name: _value(loader, item, kinds.get(name, object)) for name, item in _items(node)}
    if is_text(kind):
        return _as_written(loader, node)
    return loader.construct_document(node)


def _as_written(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """Return a text as it is written, or a list or mapping of such texts."""
    if isinstance(node, yaml.SequenceNode):
        return [_scalar(loader, item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {name: _scalar(loader, item) for name, item in _items(node)}
    return _scalar(loader, node)


def _scalar(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
    """Return a scalar as it is written; null is none, and an explicit tag holds. What is no scalar stays what it is."""
    if isinstance(node, yaml.ScalarNode) and node.tag != _NULL:
        plain = loader.resolve(yaml.ScalarNode, node.value, (True, False))  # type: ignore[no-untyped-call]
        if node.tag in (_TEXT, plain):
            return node.value
    return loader.construct_document(node)


def _items(node: yaml.MappingNode) -> list[tuple[str, yaml.Node]]:
    return [(key.value, item) for key, item in node.value]


def _key_faults(root: yaml.Node) -> list[str]:
    """Return the keys that a mapping has twice, at any level; raises YAMLError for what is no plain key."""
    faults: list[str] = []
    seen, waiting = set[int](), [("", root)]
    while waiting:
        path, node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):  # an alias leads to what was looked at
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += [(path, item) for item in node.value]
            continue
        lines = defaultdict(list)
        for key, item in node.value:
            lines[_key(key)].append(key.start_mark.line + 1)
            waiting.append((f"{path}{key.value}.", item))
        faults += [_twice(f"{path}{name}", places) for name, places in lines.items() if len(places) > 1]
    return faults


def _key(node: yaml.Node) -> str:
    # A merge key would let a few lines fill the memory.
    if not isinstance(node, yaml.ScalarNode) or node.tag == _MERGE:
        raise yaml.constructor.ConstructorError(None, None, "expected a plain key", node.start_mark)
    return str(node.value)


def _twice(name: str, lines: list[int]) -> str:
    *first, last = map(str, lines)
    return f"key {name[:MAX_KEY_CHARACTERS]}: expected it once, got it at lines {', '.join(first)} and {last}"
