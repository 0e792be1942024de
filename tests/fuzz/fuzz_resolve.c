/* Any bytes as a provider's name, a line end, and a model's. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <llmlab/pricing.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    char *model;
    const char *key = "unset";
    llmlab_match_t match;

    if (text == NULL) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    model = strchr(text, '\n');
    if (model != NULL) {
        *model++ = '\0';
    }
    match = llmlab_pricing_resolve(NULL, model != NULL ? text : NULL,
                                   model != NULL ? model : text, &key);
    if ((match == LLMLAB_MATCH_UNKNOWN) != (key == NULL)) {
        abort();
    }
    free(text);
    return 0;
}
