#!/bin/sh
# As compress.sh, but unpacks first what is compressed already.
set -eu
file=$(sed -n 's/.*"file": *"\([^"]*\)".*/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
name=$(basename "$file" .gz)
zcat -f "$file" > "$work/$name"
gzip -9 "$work/$name"
printf '{"bytes": %d, "compressed": %d, "sha256": "%s"}\n' \
  "$(wc -c < "$file")" "$(wc -c < "$work/$name.gz")" "$(sha256sum < "$work/$name.gz" | cut -d' ' -f1)"
