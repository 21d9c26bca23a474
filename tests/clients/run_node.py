"""
run_node SCRIPT: starts pith serve, runs the cases of a .mjs file with the npm clients that ./dev
check has installed, and passes on the TAP that it prints.
"""

import os
import shutil
import subprocess
import sys

import harness

NPM = os.environ.get("PITH_CLIENTS_NPM") or os.path.join(harness.ROOT, "build-clients", "npm")


def main():
    script = sys.argv[1]
    harness.need_shared()
    if not shutil.which("node") or not os.path.isdir(os.path.join(NPM, "node_modules", "openai")):
        harness.skip_all("node or the npm clients are missing; ./dev check installs them")
    server = harness.Server("--ctx", "4096")
    env = dict(os.environ, PITH_URL=server.url, PITH_CLIENTS_NPM=NPM)
    code = subprocess.run(["node", script], env=env, check=False).returncode
    log = server.close()
    if code != 0 or server.code != 0:
        print(f"# node ended with {code}, the server with {server.code}; its log:\n{log[-8000:]}", file=sys.stderr)
    sys.exit(1 if code != 0 or server.code != 0 else 0)


main()
