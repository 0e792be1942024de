#include "base/crc32c.h"

#include <string.h>

#if defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

/* Four bits at a time: 16 words instead of a table of 1 KiB, for processors
 * without the instruction. */
static const uint32_t nibble[16] = {
    0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3,
    0x61C69362, 0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9,
    0xC38D26C4, 0xD3D3E1AB, 0xE330A81A, 0xF36E6F75};

uint32_t
llmlab__crc32c_portable(uint32_t crc, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= at[i];
        crc = (crc >> 4) ^ nibble[crc & 15];
        crc = (crc >> 4) ^ nibble[crc & 15];
    }
    return ~crc;
}

#if defined(__x86_64__)

static int
has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}

__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *at, size_t size)
{
    uint64_t sum = ~crc;

    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;

        memcpy(&word, at, 8);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    for (; size > 0; at++, size--) {
        sum = __builtin_ia32_crc32qi((uint32_t)sum, *at);
    }
    return ~(uint32_t)sum;
}

#elif defined(__aarch64__)

static int
has_instruction(void)
{
    return (getauxval(AT_HWCAP) & (1UL << 7)) != 0; /* HWCAP_CRC32 */
}

__attribute__((target("+crc"))) static uint32_t
by_instruction(uint32_t crc, const unsigned char *at, size_t size)
{
    crc = ~crc;
    for (; size >= 8; at += 8, size -= 8) {
        uint64_t word;

        memcpy(&word, at, 8);
        crc = __crc32cd(crc, word);
    }
    for (; size > 0; at++, size--) {
        crc = __crc32cb(crc, *at);
    }
    return ~crc;
}

#else

static int
has_instruction(void)
{
    return 0;
}

static uint32_t
by_instruction(uint32_t crc, const unsigned char *at, size_t size)
{
    return llmlab__crc32c_portable(crc, at, size);
}

#endif

uint32_t
llmlab__crc32c(uint32_t crc, const void *bytes, size_t size)
{
    if (has_instruction()) {
        return by_instruction(crc, bytes, size);
    }
    return llmlab__crc32c_portable(crc, bytes, size);
}
