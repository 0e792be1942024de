#include "services/names.h"

#include <string.h>

#include "store/store.h"

static bool
is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9');
}

static bool
is_uuid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    for (size_t i = 0; i < sizeof(form); i++) {
        if (form[i] == 'x' ? text[i] == '\0' || strchr("0123456789abcdefABCDEF",
                                                       text[i]) == NULL
                           : text[i] != form[i]) {
            return false;
        }
    }
    return true;
}

bool
llmlab__slug_check(const char *slug)
{
    size_t size = strlen(slug);

    for (size_t i = 0; i < size; i++) {
        if (!is_letter(slug[i]) && (i == 0 || strchr("-_.", slug[i]) == NULL)) {
            return false;
        }
    }
    return size > 0 && size <= LLMLAB__SLUG_SIZE && !is_uuid(slug);
}

bool
llmlab__email_read(const char *text, char *out)
{
    const char *at = strchr(text, '@');
    size_t size = strlen(text);

    if (at == NULL || at == text || at[1] == '\0' ||
        strchr(at + 1, '@') != NULL || size > LLMLAB__EMAIL_SIZE) {
        return false;
    }
    for (size_t i = 0; i <= size; i++) {
        char c = text[i];

        if (c != '\0' &&
            (c <= ' ' || c == 127 || strchr("\"(),:;<>[]\\", c) != NULL)) {
            return false;
        }
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    }
    return true;
}
