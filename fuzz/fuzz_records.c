/*
 * fuzz_records: data files of every format. The first byte names the format; the rest is the file.
 * Rows come in order, their bytes are the file's; every row becomes samples or is told why not, and
 * their texts are looked through.
 */
#include "fuzz.h"

#include "base/mem.h"
#include "train/dataset.h"
#include "train/facts.h"
#include "train/near.h"
#include "train/scan.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file in memory, by a path. */
static int file_of(const uint8_t *data, size_t size, char path[40])
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, 40, "/proc/self/fd/%d", fd);
    return fd;
}

static void read_texts(const px_sample *s, px_facts *facts)
{
    size_t at;
    px_signature sign;
    FUZZ_CHECK(px_facts_read(facts, s, NULL) == PITH_OK);
    px_str text = px_facts_str(&facts->text);
    const char *(*const scans[])(px_str, size_t *) = {px_scan_encoding, px_scan_personal,
                                                      px_scan_secret, px_scan_special};
    for (size_t i = 0; i < sizeof scans / sizeof *scans; i++)
        FUZZ_CHECK(!scans[i](text, &at) || at < text.len);
    FUZZ_CHECK(px_scan_language(text) < PX_LANGUAGES);
    px_signature_of(text, &sign);
    (void)px_facts_whole(facts);
}

static void read_rows(const char *path, const char *format, size_t size)
{
    pith_dataset *set = NULL;
    px_record row;
    px_samples samples;
    px_facts facts = {.n = 0};
    pith_error err = {0};
    bool more = true;
    int64_t line = 0;
    pith_dataset_options o = PITH_INIT(pith_dataset_options);
    o.format = format;
    if (pith_dataset_open(path, &o, &set, &err) != PITH_OK) {
        FUZZ_CHECK(err.text[0] != '\0' && !set);
        return;
    }
    while (px_dataset_next(set, &row, &samples, &more, &err) == PITH_OK && more) {
        FUZZ_CHECK(row.line >= line && row.raw.len <= size);
        line = row.line;
        FUZZ_CHECK((samples.fault != PX_FAULT_NONE) == (samples.n == 0));
        FUZZ_CHECK(samples.fault == PX_FAULT_NONE || samples.error.text[0] != '\0');
        for (int i = 0; i < samples.n; i++)
            read_texts(&samples.list[i], &facts);
    }
    px_facts_clear(&facts);
    pith_dataset_close(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const formats[] = {"jsonl", "json", "csv", "tsv", "txt"};
    char path[40];
    if (size == 0)
        return 0;
    int which = data[0] % 6;
    const char *format = which < 5 ? formats[which] : NULL;
    int fd = file_of(data + 1, size - 1, path);
    read_rows(path, format, size);
    close(fd);
    return 0;
}
