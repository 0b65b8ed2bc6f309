#!/bin/sh
# Puts the client libraries that cmd/fob/serve_libraries_test.go runs against `fob serve`
# under .tools/clients/, each with the package manager of its language; schemathesis, which
# makes requests out of docs/openapi.yaml; axe-core, which looks at the page in Chromium; and
# the library that docs/examples/cdk needs. Says in one line what it left out and why; that is
# not a failure here, because the test decides:
# it names each language that it leaves out, and with FOB_REQUIRE_ENGINES=1 fails.
set -eu
cd "$(dirname "$0")"
from=$PWD
to=$(cd ../../../.. && pwd)/.tools/clients

# lay FOLDER LIST TOOL COMMAND... runs the command in a folder that has the list of
# libraries, unless that was done for this very list. `installed` is what was done.
lay() {
	language=$1 list=$2 tool=$3
	shift 3
	if cmp -s "$from/$list" "$to/$language/installed"; then
		return
	fi
	if ! command -v "$tool" >/dev/null; then
		echo "clients: nothing for $language, because there is no $tool"
		return
	fi
	rm -rf "${to:?}/$language"
	mkdir -p "$to/$language"
	cp "$from/$list" "$to/$language/"
	if (cd "$to/$language" && "$@" >/dev/null); then
		cp "$from/$list" "$to/$language/installed"
	else
		echo "clients: nothing for $language, because $tool failed"
	fi
}

# They wait for the network most of the time. The packages are plain files: nothing
# needs to run to install them.
npm='npm install --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error'
lay javascript javascript/package.json npm $npm &
lay browser browser/package.json npm $npm &
venv='python3 -m venv venv && venv/bin/pip install --quiet --no-compile -r requirements.txt'
lay cdk ../../../../docs/examples/cdk/package.json npm $npm &
lay python python/requirements.txt python3 sh -c "$venv" &
lay schemathesis schemathesis/requirements.txt python3 sh -c "$venv" &
jars='mvn --batch-mode --quiet -Dstyle.color=never --strict-checksums dependency:copy-dependencies'
lay java java/pom.xml mvn $jars &
lay kotlin kotlin/pom.xml mvn $jars &
# Compiled here, so that the test compiles one file.
lay rust rust/Cargo.toml cargo sh -c 'echo "fn main() {}" >main.rs && cargo build --quiet' &
wait
