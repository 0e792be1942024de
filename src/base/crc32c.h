/* CRC-32C (Castagnoli), by the processor's own instruction where it has one:
 * 7 ns for a record, so that every one can be checked. */
#ifndef LLMLAB_BASE_CRC32C_H
#define LLMLAB_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Begin with 0; the result of one piece begins the next. */
uint32_t llmlab__crc32c(uint32_t crc, const void *bytes, size_t size);

/* The same without the instruction. For tests. */
uint32_t llmlab__crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif
