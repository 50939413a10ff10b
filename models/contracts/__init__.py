"""Contracts of the input tables: schemas, header aliases, units, conforming and cross-table checks.

Everything that reads data goes through `conform`; everything that learns takes a `Dataset`. Must not import
anything that reads a file, a clock or the environment.
"""

from models.contracts.conform import Conformed, conform
from models.contracts.dataset import Dataset, assemble, gather
from models.contracts.features import feature_columns
from models.contracts.fingerprint import fingerprint
from models.contracts.frames import as_frame
from models.contracts.quarantine import REJECTED, no_rejects
from models.contracts.schemas import CONTRACTS, CONTROL, Table

__all__ = [
    "CONTRACTS",
    "CONTROL",
    "REJECTED",
    "Conformed",
    "Dataset",
    "Table",
    "as_frame",
    "assemble",
    "conform",
    "feature_columns",
    "fingerprint",
    "gather",
    "no_rejects",
]
