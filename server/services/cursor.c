#include "services/cursor.h"

#include <string.h>

#include <sodium.h>

#define MAC_SIZE 32

typedef struct signed_s {
    uint64_t fields[4];
    unsigned char mac[MAC_SIZE];
} signed_t;

static void
sign(const unsigned char secret[32], int64_t project, int list,
     const uint64_t fields[4], unsigned char out[MAC_SIZE])
{
    uint64_t message[6] = {fields[0], fields[1],         fields[2],
                           fields[3], (uint64_t)project, (uint64_t)list};

    crypto_generichash(out, MAC_SIZE, (const unsigned char *)message,
                       sizeof(message), secret, 32);
}

void
llmlab__cursor_write(const unsigned char secret[32], int64_t project, int list,
                     const llmlab__cursor_t *cursor,
                     char out[LLMLAB__CURSOR_TEXT])
{
    signed_t value = {.fields = {(uint64_t)cursor->major,
                                 (uint64_t)cursor->minor, cursor->trace_high,
                                 cursor->trace_low}};

    sign(secret, project, list, value.fields, value.mac);
    sodium_bin2hex(out, LLMLAB__CURSOR_TEXT, (const unsigned char *)&value,
                   sizeof(value));
}

bool
llmlab__cursor_read(const unsigned char secret[32], int64_t project, int list,
                    const char *text, llmlab__cursor_t *out)
{
    signed_t value;
    unsigned char mac[MAC_SIZE];
    size_t size = 0;

    if (sodium_hex2bin((unsigned char *)&value, sizeof(value), text,
                       strlen(text), NULL, &size, NULL) != 0 ||
        size != sizeof(value)) {
        return false;
    }
    sign(secret, project, list, value.fields, mac);
    if (sodium_memcmp(mac, value.mac, MAC_SIZE) != 0) {
        return false;
    }
    out->major = (int64_t)value.fields[0];
    out->minor = (int64_t)value.fields[1];
    out->trace_high = value.fields[2];
    out->trace_low = value.fields[3];
    return true;
}
