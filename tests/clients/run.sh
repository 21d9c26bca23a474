#!/usr/bin/env bash
# run.sh TEST: runs test_TEST with the clients that ./dev check has installed into build-clients/.
here=$(cd "$(dirname "$0")" && pwd)
root=${PITH_SOURCE_ROOT:-$here/../..}
python=$root/build-clients/venv/bin/python
export PITH_CLIENTS_NPM=$root/build-clients/npm PYTHONDONTWRITEBYTECODE=1
if [ ! -x "$python" ] || [ ! -f "$root/build-clients/stamp" ]; then
    echo "1..0 # SKIP the clients are not installed; ./dev check does that"
    exit 0
fi
case $1 in
*.mjs) exec "$python" "$here/run_node.py" "$here/test_$1" ;;
*) exec "$python" "$here/test_$1.py" ;;
esac
