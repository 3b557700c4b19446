# For developers. Newcomers need only ./demo and ./test.
.PHONY: lint test lock bench behaviours picture

UV_COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate

lint:
	sh scripts/lint.sh

test:
	./test

# The newest versions that requirements/*.in allow: make lock UPGRADE=--upgrade
lock:
	@command -v uv >/dev/null || { echo "make lock needs uv: pipx install uv"; exit 1; }
	$(UV_COMPILE) $(UPGRADE) requirements/build.in -o requirements/build.txt
	$(UV_COMPILE) $(UPGRADE) requirements/run.in -o requirements/run.txt
	$(UV_COMPILE) $(UPGRADE) requirements/einvoice.in -o requirements/einvoice.txt
	$(UV_COMPILE) $(UPGRADE) requirements/test.in -c requirements/einvoice.txt -c requirements/run.txt -o requirements/test.txt

bench:
	.venv/bin/python -m benchmarks $(if $(ONLY),--only $(ONLY))

behaviours:
	.venv/bin/python -m tests.behaviours

# The README's picture, from the demonstration as it stands.
picture:
	./test tests/e2e/test_days.py -k three_clicks
	cp .screens/first-five-minutes-thread-light-1440.png docs/thread.png
