"""A fitted object written and read again, for tests of any room."""

from pydantic import TypeAdapter

from models.stored import read, written


def read_back(kind, value):
    adapter = TypeAdapter(kind)
    return read(adapter, written(adapter, value), source="copy", what=kind.__name__)
