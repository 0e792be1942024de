/* Any bytes as a request. White space around them changes nothing. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "usage/fingerprint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char key[LLMLAB__FINGERPRINT_KEY];
    llmlab__fingerprint_t print;
    llmlab__fingerprint_t spaced;
    llmlab_status_t status;
    char *copy = malloc(size + 2);

    if (copy == NULL) {
        return 0;
    }
    copy[0] = ' ';
    if (size > 0) {
        memcpy(copy + 1, data, size);
    }
    copy[size + 1] = '\n';
    llmlab__fingerprint_key(key, "project", "");
    status =
        llmlab__fingerprint_read(&print, key, (const char *)copy + 1, size);
    if (status != llmlab__fingerprint_read(&spaced, key, copy, size + 2)) {
        abort();
    }
    if (status == LLMLAB_OK && memcmp(&print, &spaced, sizeof(print)) != 0) {
        abort();
    }
    free(copy);
    return 0;
}
