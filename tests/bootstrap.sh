#!/bin/sh
# bootstrap.sh: finds out which tools are missing, and installs them with apt.
#
#     sh tests/bootstrap.sh check build      say in one line what is missing, and fail
#     sh tests/bootstrap.sh install test     install it, or say what to install, and fail
#
# The sets are build, demo, grade, lint, coverage, fuzz and test. What is there is asked of the
# tools and not of the package manager, so that a system without apt works as well.
set -u

export LC_ALL=C.UTF-8
CC=${CC:-gcc}
compiler=${CC%% *}

has() {
    command -v "$1" >/dev/null 2>&1
}

has_module() {
    for python in ${PYTHON:-/usr/bin/python3 python3}; do
        "$python" -c "import $1" >/dev/null 2>&1 && return 0
    done
    return 1
}

links() { # whether this compiler, with these options, makes a program
    echo 'int main(void) { return 0; }' |
        "$@" -include stdio.h -x c -o /dev/null - >/dev/null 2>&1
}

# True where what Debian ships as package $1 is usable here.
present() {
    case $1 in
    libc6-dev) has "$compiler" && links "$compiler" ;;
    libuv1-dev) has pkg-config && pkg-config --exists libuv ;;
    libcjson-dev) has pkg-config && pkg-config --exists libcjson ;;
    python3-pytest) has_module pytest ;;
    python3-pytest-xdist) has_module xdist ;;
    python3-pytest-timeout) has_module pytest_timeout ;;
    python3-hypothesis) has_module hypothesis ;;
    python3-redis) has_module redis ;;
    python3-distributed) has_module distributed ;;
    python3-matplotlib) has_module matplotlib ;;
    redis-tools) has redis-cli && has redis-benchmark ;;
    netcat-openbsd) has nc ;;
    libclang-rt-14-dev) has clang && links clang -fsanitize=address,undefined ;;
    *) has "$1" ;;
    esac
}

packages_of() {
    build="$compiler libc6-dev make pkg-config libuv1-dev libcjson-dev"
    case $1 in
    build) echo "$build" ;;
    demo) echo "$build python3" ;;
    coverage) echo "$build gcovr" ;;
    fuzz) echo "$build clang libclang-rt-14-dev" ;;
    lint) echo "python3 clang clang-format clang-tidy" ;;
    grade)
        echo "$build gcc python3 python3-pytest python3-pytest-xdist" \
            "python3-pytest-timeout clang libclang-rt-14-dev"
        ;;
    test)
        echo "$(packages_of grade) python3-hypothesis python3-redis redis-tools" \
            "redis-server clang-format clang-tidy g++ netcat-openbsd python3-distributed" \
            "python3-matplotlib"
        ;;
    esac
}

# Sets `missing` to the packages of set $1 that are not there, separated by spaces.
find_missing() {
    missing=
    for package in $(packages_of "$1"); do
        case " $missing " in
        *" $package "*) continue ;;
        esac
        present "$package" || missing="$missing $package"
    done
    missing=${missing# }
}

# The sanitizers' package carries the compiler's version in its name.
adapt_names() {
    version=$(apt-cache depends clang 2>/dev/null |
        sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p' | head -n 1)
    [ -z "$version" ] ||
        missing=$(echo "$missing" | sed "s/libclang-rt-14-dev/libclang-rt-$version-dev/")
}

install_missing() {
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        as_root=sudo
    fi
    if ! has apt-get || { [ -n "$as_root" ] && ! has sudo; }; then
        echo "raftlab: please install (names as in Debian 12): $missing" >&2
        exit 1
    fi
    echo "raftlab: installing with apt-get: $missing"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update || exit 1
    adapt_names
    # shellcheck disable=SC2086 # one word for each package is what is meant
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y --no-install-recommends install $missing || exit 1
}

case "$*" in
"check build" | "check demo" | "check grade" | "check lint" | "check coverage" | "check fuzz" | "check test") ;;
"install build" | "install demo" | "install grade" | "install lint" | "install coverage" | "install fuzz" | "install test") ;;
*)
    echo "usage: bootstrap.sh check|install build|demo|grade|lint|coverage|fuzz|test" >&2
    exit 2
    ;;
esac
find_missing "$2"
[ -n "$missing" ] || exit 0
case $1 in
check)
    echo "raftlab: missing: $missing (to install it: sh tests/bootstrap.sh install $2)" >&2
    exit 1
    ;;
install)
    install_missing
    find_missing "$2"
    [ -z "$missing" ] || {
        echo "raftlab: still missing after the installation: $missing" >&2
        exit 1
    }
    ;;
esac
