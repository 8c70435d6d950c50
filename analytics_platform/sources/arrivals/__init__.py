"""The ways in which records arrive: what each moves into the lake, so that a re-run moves nothing twice."""
