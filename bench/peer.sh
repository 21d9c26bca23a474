#!/usr/bin/env bash
# peer: prints the path of a Python that has llama-cpp-python built for this very machine, installing it into
# FOLDER where it is missing (some minutes: llama.cpp is compiled). PITH_PEER_PYTHON names one that has it already.
set -u
folder=${1:?usage: peer.sh FOLDER}
for python in ${PITH_PEER_PYTHON:+"$PITH_PEER_PYTHON"} "$folder/bin/python" /opt/llama/bin/python; do
    if "$python" -c 'import llama_cpp' >/dev/null 2>&1; then
        printf '%s\n' "$python"
        exit
    fi
done
printf 'bench: installing llama-cpp-python into %s; this takes some minutes\n' "$folder" >&2
{
    python3 -m venv "$folder" &&
        CMAKE_ARGS=-DGGML_NATIVE=ON "$folder/bin/pip" install --no-binary llama-cpp-python llama-cpp-python
} >&2 || {
    printf 'bench: cannot install llama-cpp-python; it wants python3-venv, cmake, a C++ compiler and the network\n' >&2
    exit 1
}
printf '%s\n' "$folder/bin/python"
