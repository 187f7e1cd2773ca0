#!/usr/bin/env bash
# Sells things.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$HERE/lib/common.sh"
. ./settings.sh

export SHOP_HOME=/srv/é OTHER
readonly LIMIT=10
declare -A stock
names=(a b)

# Greets somebody.
greet() {
  local who="$1"
  echo "hello $who from ${SHOP_HOME}"
}

function sell {
  greet "$1"
  stock["$1"]=$((LIMIT - 1))
}

for name in "${names[@]}"; do
  sell "$name"
done
