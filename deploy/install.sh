#!/bin/sh
# Install the platform of this checkout into a new virtual environment: `deploy/install.sh /opt/analytics`.
# The exact versions of deploy/requirements.lock, each compared with its hash; without demo and tests.
set -eu
cd "$(dirname "$0")/.."
"${PYTHON:-python3}" -m venv "$1"
"$1/bin/pip" install --no-cache-dir --quiet --no-deps --require-hashes -r deploy/requirements.lock
"$1/bin/pip" install --no-cache-dir --quiet --no-deps --no-build-isolation .
