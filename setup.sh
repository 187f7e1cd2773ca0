#!/bin/sh
# Makes the virtual environment $1 and installs $2 (this project, with or without extras) into it.
# Whatever is missing on the machine is named in one line, with the command that brings it.
set -eu
venv=$1
what=$2

fail() {
    echo "sopilka: $1" >&2
    exit 1
}

case $(uname -s) in
Darwin)
    get_python="brew install python@3.12"
    get_venv=$get_python
    get_compiler="xcode-select --install"
    ;;
*)
    get_python="sudo apt-get install python3 python3-venv"
    get_venv="sudo apt-get install python3-venv"
    get_compiler="sudo apt-get install g++"
    ;;
esac

python=
for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
    [ -n "$candidate" ] || continue
    command -v "$candidate" >/dev/null 2>&1 || continue
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    python=$candidate
    break
done
[ -n "$python" ] || fail "Python 3.11 or newer is needed. Install it with: $get_python"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python has no venv module. Install it with: $get_venv"

compiler=
for candidate in "${CXX:-}" c++ g++ clang++; do
    [ -n "$candidate" ] || continue
    # macOS has a c++ that only asks for the real one: try it, do not just look for it.
    echo 'int main() { return 0; }' | "$candidate" -x c++ -std=c++17 -fsyntax-only - 2>/dev/null || continue
    compiler=$candidate
    break
done
[ -n "$compiler" ] || fail "a C++17 compiler is needed. Install it with: $get_compiler"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
echo "sopilka: installing into $venv with $("$venv/bin/python" --version) and $compiler (a few minutes the first time)"
CXX=$compiler "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$what"
