/*
 * jinja_number: numbers from text and to text as Python does it, whatever the locale: shortest
 * representation that reads back the same, rounding of exact halves to even, 64-bit integers with
 * overflow told.
 */
#ifndef PX_TEXT_JINJA_NUMBER_H
#define PX_TEXT_JINJA_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum jnumber_result { JNUMBER_BAD, JNUMBER_OK, JNUMBER_BIG } jnumber_result;

/* int(text, base): white space and a sign around it, underscores between digits, 0x 0o 0b where the
 * base is theirs. Base 0 takes the base from the prefix. BIG: does not fit 64 bits. */
jnumber_result px_jnumber_int(const char *text, size_t len, int base, int64_t *out);
/* float(text). */
bool px_jnumber_float(const char *text, size_t len, double *out);

enum { JNUMBER_REPR_BYTES = 32 };
/* repr(float): "1.0", "1e+16", "nan"; returns its bytes. */
size_t px_jnumber_repr(double v, char out[JNUMBER_REPR_BYTES]);

/* printf's e, f and g (also in capitals) with a point, whatever the locale; out has `n` bytes.
 * Returns the bytes written, or 0 when n is too small. */
size_t px_jnumber_print(double v, char type, int precision, bool alternate, char *out, size_t n);

/* round(v, digits). */
double px_jnumber_round(double v, int64_t digits);
bool px_jnumber_round_int(int64_t v, int64_t digits, int64_t *out);

#endif
