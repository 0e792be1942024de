#include <llmlab/version.h>

#define TEXT2(x) #x
#define TEXT(x)  TEXT2(x)

const char *
llmlab_version(void)
{
    return TEXT(LLMLAB_VERSION_MAJOR) "." TEXT(LLMLAB_VERSION_MINOR) "." TEXT(
        LLMLAB_VERSION_PATCH);
}

unsigned
llmlab_version_number(void)
{
    return LLMLAB_VERSION_NUMBER;
}
