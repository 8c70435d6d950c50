"""A bucket in which files arrive."""

from analytics_platform_tests.lake.s3_kit import bucket, served

__all__ = ["bucket", "served"]
