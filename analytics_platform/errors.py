"""What all errors have in common that a person, not the code, has to put right."""

from __future__ import annotations


class UserError(Exception):
    """Something a person has to put right. The message is one sentence that says what, where and what to do.

    The command line prints it and exits 2, an asset fails with it: nobody is shown a traceback.
    """
