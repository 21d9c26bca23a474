/* proc: time, and what the system says of a process. Any thread. */
#ifndef PITH_TESTS_PROC_H
#define PITH_TESTS_PROC_H

#include <stdint.h>
#include <sys/types.h>

/* Seconds of a clock that never goes back. */
double test_now(void);
void test_nap_ms(uint32_t ms);

/* A line of the process's status, "VmRSS" or "RssAnon", in MiB; 0 when there is none. */
double test_memory_mib(pid_t pid, const char *line);
/* File descriptors, and two more. */
int test_open_files(pid_t pid);

#endif
