"""A data platform for teams that sell online: raw behaviour data in, tables people trust out."""
