/* Any bytes as a setting, "name=value": a value that is taken can be read. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <llmlab/config.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *equals = size > 0 ? memchr(data, '=', size) : NULL;
    size_t name_size = equals != NULL ? (size_t)(equals - data) : size;
    const char *value = equals != NULL ? (const char *)equals + 1 : "";
    size_t value_size = equals != NULL ? size - name_size - 1 : 0;
    llmlab_config_t *config = llmlab_config_new();

    if (config == NULL) {
        return 0;
    }
    if (llmlab_config_set_n(config, (const char *)data, name_size, value,
                            value_size) == LLMLAB_OK) {
        char name[64] = "";

        memcpy(name, data, name_size < 63 ? name_size : 63);
        if (llmlab_config_get(config, name) == NULL) {
            abort();
        }
    } else if (llmlab_status_detail()[0] == '\0') {
        abort();
    }
    llmlab_config_destroy(config);
    return 0;
}
