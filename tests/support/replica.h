/*
 * replica: a child process that plays the registries (tests/support/registry.c), for tests that
 * pull. It serves a folder and logs what it sent; it ends with the test program.
 */
#ifndef PITH_TESTS_REPLICA_H
#define PITH_TESTS_REPLICA_H

#include <stddef.h>
#include <stdint.h>

typedef struct test_replica {
    const char *url;    // "http://127.0.0.1:PORT"
    const char *folder; // what it serves
} test_replica;

/* Starts one that serves a new folder of this name. */
test_replica test_replica_start(const char *name);

/* Writes a file below its folder, with the folders above it. Returns the path. */
const char *test_replica_put(const test_replica *r, const char *name, const void *bytes, size_t n);

/* What goes wrong from now on, as JSON; "{}" for nothing. Counters of faults begin again with a new
 * replica only. */
void test_replica_faults(const test_replica *r, const char *json);

/* Of the bodies sent since the last call for this file: how many, and their bytes. */
typedef struct test_sent {
    int bodies;
    uint64_t bytes;
    int with_token;  // answers of any kind that carried a token
    int first_bytes; // bodies that began at 0
} test_sent;
test_sent test_replica_sent(const test_replica *r, const char *path_end);

/* The SHA-256 of bytes, in hex. */
const char *test_sha256(const void *bytes, size_t n);

#endif
