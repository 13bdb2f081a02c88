#!/bin/sh
# Compresses the file that args name and says how large it became. gzip itself refuses what is compressed already.
set -eu
file=$(sed -n 's/.*"file": *"\([^"]*\)".*/\1/p')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$file" "$work/"
name=$(basename "$file")
gzip -9 "$work/$name"
[ -f "$work/$name.gz" ] || exit 3  # gzip has said why
printf '{"bytes": %d, "compressed": %d, "sha256": "%s"}\n' \
  "$(wc -c < "$file")" "$(wc -c < "$work/$name.gz")" "$(sha256sum < "$work/$name.gz" | cut -d' ' -f1)"
