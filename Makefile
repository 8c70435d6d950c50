PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export DATA_DIR ?= data/demo

.PHONY: demo test test-slow test-spark test-browser ui dashboard reference lock clean
demo: .venv/installed  ## Simulate a shop, build all tables, compare them with the truth
	$(BIN)/analytics-platform demo

test: .venv/installed  ## Lint, types, import contracts, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	@$(BIN)/mypy & types=$$!; $(BIN)/pytest -n 3 --dist worksteal; tests=$$?; \
		wait $$types || { echo "mypy found errors: see above."; exit 1; }; exit $$tests

test-slow: .venv/installed  ## More of what `make test` tries on a few cases: places to be killed at, orders of arrival, random inputs
	$(BIN)/pytest -n 3 --dist worksteal --hypothesis-profile=thorough -m "not spark"

test-spark: .venv/installed .venv-spark/installed  ## Every model and function on Apache Spark itself (needs Java 17 or 21)
	SPARK_HOME=$$(echo .venv-spark/lib/python3*/site-packages/pyspark) $(BIN)/pytest -m spark

ui: .venv/installed  ## The Dagster UI on loopback, with the runs of `make demo` or of `analytics-platform materialize` in DATA_DIR
	@test -d $(DATA_DIR)/dagster || { echo "There are no runs in $(DATA_DIR) yet: run 'make demo' or 'analytics-platform materialize'."; exit 1; }
	umask 077; set -a; DAGSTER_HOME="$(abspath $(DATA_DIR))/dagster"; test ! -f $(DATA_DIR)/demo.env || . $(DATA_DIR)/demo.env; set +a; exec $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1 -p 3000

dashboard: .venv/installed  ## The dashboard on loopback with the demo's data; its runs need `make ui` beside it
	@test -f $(DATA_DIR)/demo.env || { echo "There is no demo in $(DATA_DIR) yet: run 'make demo' first."; exit 1; }
	set -a; . $(DATA_DIR)/demo.env; set +a; exec $(BIN)/analytics-platform dashboard

test-browser: .venv/installed  ## The dashboard in a real browser (needs Chromium)
	$(BIN)/pytest analytics_platform_tests/browser

reference: .venv/installed  ## Write docs/data_dictionary.md, docs/settings.md and .env.example from the code
	$(BIN)/analytics-platform reference

lock:  ## Write the lock files anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --quiet --output-file requirements.lock
	uv pip compile pyproject.toml --extra image --universal --python-version 3.11 --constraints requirements.lock \
		--generate-hashes --no-emit-index-url --no-annotate --quiet --output-file deploy/requirements.lock
	echo pysail | uv pip compile - --universal --python-version 3.11 --constraints requirements.lock \
		--generate-hashes --no-emit-index-url --no-annotate --quiet --output-file deploy/sail.lock
	sed -n 's/^pyspark-client==\([0-9.]*\).*/pyspark==\1/p' requirements.lock | uv pip compile - --universal \
		--python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --quiet --output-file deploy/spark.lock

.venv/installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --no-deps --require-hashes -r requirements.lock  # the lock is complete
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv-spark/installed: deploy/spark.lock  # apart: Spark and its client are two packages with the same modules
	$(PYTHON) -m venv --clear .venv-spark
	.venv-spark/bin/pip install --quiet --no-deps --require-hashes -r deploy/spark.lock
	touch $@

clean:  ## Remove the virtual environments and the demo's data
	rm -rf .venv .venv-spark data/demo
