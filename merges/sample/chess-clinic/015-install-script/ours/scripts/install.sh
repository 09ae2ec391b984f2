#!/bin/sh
# Installs the newest release for this user.
set -eu

name=chess-clinic
version=${1:-0.9.2}
# the archive holds one file, which anyone may read
umask 022
target=$(uname -m)-linux
archive=$name-$version-$target.tar.gz
work=$(mktemp -d "/tmp/$name.XXXXXX")
cd "$work"

# two mirrors hold the same files; the sum is signed
# and stands beside the archive

curl -fsSL "https://get.example.org/$archive" -o "$archive"
curl -fsSL "https://get.example.org/$archive.sha256" | sha256sum -c

tar -xzf "$archive"
test -x "$name"
# no rights of the administrator are needed

bin=${XDG_BIN_HOME:-$HOME/.local/bin}
mkdir -p "$bin"
mv "$name" "$bin/"
rm -r "$work"

echo "$name is installed"
