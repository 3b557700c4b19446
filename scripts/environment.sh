# Sourced by ./demo and ./test. Finds a Python that the locked packages exist for, and has it make or mend .venv.
# Sets $root. POSIX sh only: this runs before anything of ours is installed.

root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
unset PYTHONHOME PYTHONPATH  # what they name would shadow the locked packages

suitable='import sys
sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13)
    and sys.implementation.name == "cpython" and sys.maxsize > 2**32))'

# One that can make environments first: Debian's own cannot until python3-venv is installed, another may.
find_python() {
    for able in 'import venv, ensurepip; ensurepip.version()' 'pass'; do
        for name in python3 python3.13 python3.12 python3.11; do
            if command -v "$name" >/dev/null 2>&1 && "$name" -c "$able
$suitable" >/dev/null 2>&1; then
                echo "$name"
                return
            fi
        done
    done
    return 1
}

how_to_get_python() {
    sudo=$([ "$(id -u)" = 0 ] || echo 'sudo ')
    if command -v apt-get >/dev/null 2>&1; then
        for version in 3.13 3.12 3.11; do
            if apt-cache show "python$version-venv" >/dev/null 2>&1; then
                echo "${sudo}apt-get install -y python$version python$version-venv"
                return
            fi
        done
    elif command -v dnf >/dev/null 2>&1; then
        echo "${sudo}dnf install -y python3.13"
        return
    elif command -v brew >/dev/null 2>&1; then
        echo 'brew install python@3.13'
        return
    fi
    echo 'install Python 3.13 from https://www.python.org/downloads/'
}

# environment run|test: bring .venv up to requirements/<profile>.txt, which takes no time when it is.
environment() {
    if ! python=$(find_python); then
        echo "Engineroom needs 64-bit Python 3.11, 3.12 or 3.13, and found none. Do this, then run $0 again:" >&2
        echo "    $(how_to_get_python)" >&2
        return 1
    fi
    "$python" -I "$root/scripts/bootstrap.py" "$1" "$0"
}
