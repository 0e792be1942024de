/* Tokens by classes of bytes. Words, numbers and runs of signs become tokens at
 * rates that hold for today's byte-pair vocabularies within some per cent; the
 * rest of the difference between vocabularies is one factor each. */
#include <llmlab/tokens.h>

#include <string.h>

enum { START = 0, LETTER, DIGIT, SPACE, LINE, SIGN, OTHER };

#define TOKEN 20 /* twentieths */

/* A common word is one token; a longer one begins another every four. */
#define WORD 7

static uint32_t
class_of(unsigned char byte)
{
    if (byte >= 0x80) {
        return OTHER;
    }
    if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) {
        return LETTER;
    }
    if (byte >= '0' && byte <= '9') {
        return DIGIT;
    }
    if (byte == ' ' || byte == '\t') {
        return SPACE;
    }
    return byte == '\n' || byte == '\r' ? LINE : SIGN;
}

/* What the run-th byte of a run adds; run counts from 1. */
static uint64_t
weight(uint32_t class, uint64_t run, unsigned char byte)
{
    switch (class) {
    case LETTER:
        return run == 1 ? TOKEN : run > WORD ? TOKEN / 4 : 0;
    case DIGIT:
        return run % 3 == 1 ? TOKEN : 0;
    case SPACE:
        /* One space belongs to the word behind it. */
        return run == 2 ? TOKEN : 0;
    case LINE:
        return run == 1 ? TOKEN : 0;
    case SIGN:
        return TOKEN * 3 / 4;
    default:
        /* By a character's first byte; the others add nothing. */
        return byte >= 0xf0   ? 2 * TOKEN
               : byte >= 0xe0 ? 16
               : byte >= 0xc0 ? 9
                              : 0;
    }
}

void
llmlab_tokens_add(llmlab_tokens_t *tokens, const char *text, size_t size)
{
    if (tokens == NULL || text == NULL) {
        return;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)text[i];
        uint32_t class = class_of(byte);

        tokens->run = class == tokens->run_class ? tokens->run + 1 : 1;
        tokens->run_class = class;
        tokens->twentieths += weight(class, tokens->run, byte);
    }
}

/* Per cent, measured by tests/oracle/token_estimate.py. */
static uint64_t
factor_of(const char *provider)
{
    static const struct {
        const char *provider;
        uint64_t percent;
    } factors[] = {
        {"openai", 89},  {"azure_openai", 89}, {"anthropic", 109},
        {"gemini", 109}, {"vertex", 109},
    };

    for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
        if (provider != NULL && strcmp(provider, factors[i].provider) == 0) {
            return factors[i].percent;
        }
    }
    return 100;
}

uint64_t
llmlab_tokens_count(const llmlab_tokens_t *tokens, const char *provider)
{
    const uint64_t whole = (uint64_t)TOKEN * 100;
    uint64_t factor = factor_of(provider);
    uint64_t rest;

    if (tokens == NULL) {
        return 0;
    }
    /* In two parts, so that no product overflows; rounded up. */
    rest = tokens->twentieths % whole * factor;
    return tokens->twentieths / whole * factor + (rest + whole - 1) / whole;
}

uint64_t
llmlab_tokens_estimate(const char *provider, const char *text, size_t size)
{
    llmlab_tokens_t tokens = {0};

    llmlab_tokens_add(&tokens, text, size);
    return llmlab_tokens_count(&tokens, provider);
}
