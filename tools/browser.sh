#!/usr/bin/env bash
# The report tests look at pages in Chromium: find one, or install Debian's where that is possible.
set -eu
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fonts-dejavu-core >/dev/null
else
  echo "No Chromium found and none can be installed here: the page tests will fail. Install one, or leave them out: pytest --ignore tests/report" >&2
fi
