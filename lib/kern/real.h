/*
 * real: the number in which the definitions of training are written: f32 in the library, double in
 * the program that holds them against finite differences, which compiles the same files with
 * PX_REAL_DOUBLE. Names differ then, so that the two never meet.
 */
#ifndef PX_KERN_REAL_H
#define PX_KERN_REAL_H

#ifdef PX_REAL_DOUBLE
typedef double px_real;
#define PX_REAL_NAME(name) name##_f64
#else
typedef float px_real;
#define PX_REAL_NAME(name) name
#endif

#endif
