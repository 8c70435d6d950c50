"""Documents of MongoDB, from raw BSON to the text columns the gate judges: nothing lost, nothing coerced."""

from analytics_platform.gate.documents.decode import DecodedDocument, DocumentError, decode_document
from analytics_platform.gate.documents.extended_json import document_text, to_extended_json
from analytics_platform.gate.documents.parquet import DOCUMENT_SCHEMA, read_parquet, to_parquet

__all__ = [
    "DOCUMENT_SCHEMA",
    "DecodedDocument",
    "DocumentError",
    "decode_document",
    "document_text",
    "read_parquet",
    "to_extended_json",
    "to_parquet",
]
