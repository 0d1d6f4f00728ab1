/*
 * Histories that could have been: a tiny server that does one thing at a time, and clients whose operations overlap at
 * random. All from a seed; the text is as in record.h.
 */
#ifndef HISTORY_GENERATE_H
#define HISTORY_GENERATE_H

#include <stdint.h>
#include <stdio.h>

void generate(uint64_t seed, FILE *out);

#endif
