/* Any bytes as an amount: what is read is written and read again the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/money.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(int holds)
{
    if (!holds) {
        abort();
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    llmlab_money_t amount;
    llmlab_money_t again;
    char text[LLMLAB_MONEY_TEXT];
    int inexact = -1;
    int64_t nano;
    size_t length;

    if (size == 0) {
        return 0;
    }
    (void)llmlab__money_parse_scaled(&again, (const char *)data + 1, size - 1,
                                     (int8_t)data[0], NULL);
    if (llmlab_money_parse(&amount, (const char *)data, size, &inexact) !=
        LLMLAB_OK) {
        return 0;
    }
    require(inexact == 0 || inexact == 1);
    length = llmlab_money_format(amount, text);
    require(length < sizeof(text) && text[length] == '\0');
    require(llmlab_money_parse(&again, text, length, &inexact) == LLMLAB_OK);
    require(inexact == 0);
    require(again.low == amount.low && again.high == amount.high);
    require(llmlab_money_nano(amount, &nano) != LLMLAB_OK || nano >= 0);
    require(llmlab_money_add(&again, amount) != LLMLAB_OK ||
            again.high >= amount.high);
    return 0;
}
