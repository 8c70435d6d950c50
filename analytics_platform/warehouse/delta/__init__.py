"""The warehouse in Delta tables, in a folder or a bucket of S3: DuckDB computes, and other engines read as they lie."""
