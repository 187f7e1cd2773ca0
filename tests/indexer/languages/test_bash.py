"""What is known about shell scripts: definitions, references, imports, meanings across files."""

from __future__ import annotations

from inline_snapshot import snapshot

from tests.indexer.checks import check_definitions_needed, check_imports, check_symbols
from tests.indexer.languages.resolved import check_resolved
from tests.indexer.languages.used import check_references, sample


def test_definitions() -> None:
    check_symbols(
        sample("shop.sh"),
        snapshot("""\
variable HERE | HERE="$(cd "$(dirname "${BASH_SOURCE
variable SHOP_HOME | export SHOP_HOME=/srv/é OTHER
variable OTHER | export SHOP_HOME=/srv/é OTHER
variable LIMIT | readonly LIMIT=10
variable stock | declare -A stock
variable names | names=(a b)
function greet | greet() | # Greets somebody.
function sell | function sell\
"""),
    )


def test_imports() -> None:
    check_imports(
        sample("shop.sh"),
        snapshot("""\
from '$HERE/lib/common.sh' star
from './settings.sh' star\
"""),
    )


def test_references() -> None:
    check_references(
        "shop.sh",
        snapshot("""\
3 set:call
5 cd:call dirname:call BASH_SOURCE:name pwd:call
16 who:name
17 echo:call who:name SHOP_HOME:name
21 greet:call
22 stock:name LIMIT:name
25 name:name names:name
26 sell:call name:name\
"""),
    )


def test_what_imports_lead_to() -> None:
    check_resolved(
        """\
-- bin/run.sh --
source ./a.sh
. "$HERE/lib/b.sh"
source "${BASH_SOURCE%/*}/../c.sh"
. "$(cd "$(dirname "$FILE")/.." && pwd)/d.sh"
source lib/e.sh
source "$1"
source ~/.none
-- bin/a.sh --
-- lib/b.sh --
-- c.sh --
-- bin/d.sh --
-- lib/e.sh --
""",
        snapshot("""\
./a.sh -> bin/a.sh
$HERE/lib/b.sh -> lib/b.sh
${BASH_SOURCE%/*}/../c.sh -> c.sh
$(cd "$(dirname "$FILE")/.." && pwd)/d.sh -> bin/d.sh
lib/e.sh -> lib/e.sh
$1 -> nothing
~/.none -> nothing\
"""),
    )


def test_definitions_of_other_files() -> None:
    check_definitions_needed(
        """\
-- bin/run.sh --
source "$(dirname "$HERE")/../lib/common.sh"
main() {
  greet you "$GREETING"
  $0
}
-- lib/common.sh --
# Greets.
greet() { echo "$GREETING"; }
export GREETING=hi
""",
        snapshot("""\
lib/common.sh (definition of greet)
    # Greets.
    greet() { echo "$GREETING"; }
lib/common.sh (definition of GREETING)
    export GREETING=hi
"""),
    )
